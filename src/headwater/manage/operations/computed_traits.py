"""Computed traits: values worked out of events and traits (contract: public-api 9, Computed traits)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage import computations
from headwater.manage.answers import Done, Name, Shape
from headwater.manage.defining import account_traits, history_of, key_of, known_by_of, read_query, status_of
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.audiences import Days, Description, Enabled
from headwater.manage.operations.connections import TraitId
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid
from headwater.profiles.language import Query
from headwater.spec.computation import Computation, Level, Run
from headwater.spec.timestamps import format_moment

_LEVELS: dict[str, Level] = {"USERS": "USERS", "ACCOUNTS": "ACCOUNTS", "users": "USERS", "accounts": "ACCOUNTS"}
_ANONYMOUS = "anonymous_id"


class TraitDefinition(Shape, frozen=True, kw_only=True):
    """The value, in the query language, and whether it is one of people or of companies."""

    query: str
    type: Literal["USERS", "ACCOUNTS", "users", "accounts"]


class TraitOptions(Shape, frozen=True, kw_only=True):
    """How far back events count, and whether identifiers of anonymous people are told to destinations.

    History counts unless `includeHistoricalData` is false, all of it or the last days.
    """

    include_historical_data: bool | UnsetType = UNSET
    include_anonymous_users: bool | UnsetType = UNSET
    backfill_duration_days: Days | UnsetType = UNSET


class ComputedTraitShape(Shape, frozen=True, kw_only=True):
    """A computed trait. `size` is Headwater's own: how many profiles have a value; `version` too."""

    id: str
    space_id: str
    name: str
    description: str
    key: str
    enabled: bool
    definition: TraitDefinition
    status: str
    created_by: str
    updated_by: str
    created_at: str
    updated_at: str
    options: TraitOptions
    size: int
    version: int


class ComputedTraitAnswer(Shape, frozen=True, kw_only=True):
    """A computed trait."""

    computed_trait: ComputedTraitShape


class ListComputedTraits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which computed traits of a space."""

    space_id: SpaceId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListComputedTraitsAnswer(Shape, frozen=True, kw_only=True):
    """Computed traits, oldest first."""

    computed_traits: list[ComputedTraitShape]
    pagination: Page


class CreateComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A computed trait to make. Its key is its name in snake case, and never changes."""

    space_id: SpaceId
    name: Name
    definition: Annotated[TraitDefinition, Meta(description="The value.")]
    enabled: Enabled = True
    description: Description = ""
    options: Annotated[TraitOptions, Meta(description="How far back, and who is told.")] = TraitOptions()


class OneComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A computed trait."""

    space_id: SpaceId
    id: TraitId


class UpdateComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a computed trait; what is absent stays. Another definition is worked out anew."""

    space_id: SpaceId
    id: TraitId
    enabled: Enabled | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    definition: Annotated[TraitDefinition | UnsetType, Meta(description="The value.")] = UNSET


@operation("GET", "/spaces/{spaceId}/computed-traits", scope="audiences:read", tag="Computed Traits")
async def list_computed_traits(desk: Desk, request: ListComputedTraits) -> ListComputedTraitsAnswer:
    """List the computed traits of a space."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    theirs = [one for one in workspace.computations if one.kind == "trait" and one.space_id == space.id]
    found, place = page(theirs, request.pagination)
    runs = await computations.runs_of(desk, found)
    return ListComputedTraitsAnswer(
        computed_traits=[show_trait(one, runs.get(one.id)) for one in found], pagination=place
    )


@operation("POST", "/spaces/{spaceId}/computed-traits", scope="audiences:write", tag="Computed Traits")
async def create_computed_trait(desk: Desk, request: CreateComputedTrait) -> ComputedTraitAnswer:
    """Make a computed trait; its values are found in what is known already, and change as events come."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    level = _LEVELS[request.definition.type]
    beyond = account_traits(workspace.computations, space)
    query = read_query(request.definition.query, "trait", level, account_traits=beyond)
    options = request.options
    history, days = history_of(
        None if options.include_historical_data is UNSET else options.include_historical_data,
        None if options.backfill_duration_days is UNSET else options.backfill_duration_days,
        field="options.backfillDurationDays",
    )
    known_by = known_by_of(space, level, None, field="definition.type")
    if level == "USERS" and options.include_anonymous_users is True:
        known_by = (*known_by, _ANONYMOUS)
    made = Computation(
        id="",
        space_id=space.id,
        kind="trait",
        key=key_of(request.name),
        name=request.name,
        description=request.description,
        enabled=request.enabled,
        level=level,
        query=request.definition.query,
        known_by=known_by,
        history=history,
        history_days=days,
        created_by=desk.caller.actor,
        updated_by=desk.caller.actor,
    )
    return ComputedTraitAnswer(computed_trait=show_trait(await computations.create(desk, made, query), None))


@operation("GET", "/spaces/{spaceId}/computed-traits/{id}", scope="audiences:read", tag="Computed Traits")
async def get_computed_trait(desk: Desk, request: OneComputedTrait) -> ComputedTraitAnswer:
    """Show a computed trait, how far it is worked out and how many profiles have a value."""
    space = find(await desk.workspace(), request.space_id)
    return ComputedTraitAnswer(
        computed_trait=show_trait(*await computations.with_run(desk, space, request.id, "trait"))
    )


@operation("PATCH", "/spaces/{spaceId}/computed-traits/{id}", scope="audiences:write", tag="Computed Traits")
async def update_computed_trait_for_space(desk: Desk, request: UpdateComputedTrait) -> ComputedTraitAnswer:
    """Change a computed trait, or switch it on or off; it is locked while it is processed, and its key stays."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    before, _ = await computations.with_run(desk, space, request.id, "trait")
    columns: dict[str, Any] = {
        name: value for name in ("enabled", "name", "description") if (value := getattr(request, name)) is not UNSET
    }
    query: Query | None = None
    if request.definition is not UNSET:
        if _LEVELS[request.definition.type] != before.level:
            raise invalid("definition.type", f'"definition.type" is {before.level}, and cannot be changed')
        beyond = account_traits(workspace.computations, space)
        query = read_query(request.definition.query, "trait", before.level, account_traits=beyond)
        columns["query"] = request.definition.query
    after, run = await computations.edit(desk, space, request.id, "trait", columns=columns, query=query)
    return ComputedTraitAnswer(computed_trait=show_trait(after, run))


@operation("DELETE", "/spaces/{spaceId}/computed-traits/{id}", scope="audiences:write", tag="Computed Traits")
async def remove_computed_trait_from_space(desk: Desk, request: OneComputedTrait) -> Done:
    """Remove a computed trait that is disabled; profiles keep its last values as a trait."""
    space = find(await desk.workspace(), request.space_id)
    await computations.remove(desk, space, request.id, "trait")
    return Done()


def show_trait(found: Computation, run: Run | None) -> ComputedTraitShape:
    """A computed trait as it is shown, with how far it has come."""
    return ComputedTraitShape(
        id=found.id,
        space_id=found.space_id,
        name=found.name,
        description=found.description,
        key=found.key,
        enabled=found.enabled,
        definition=TraitDefinition(query=found.query, type=found.level),
        status=status_of(found, run),
        created_by=found.created_by,
        updated_by=found.updated_by,
        created_at=format_moment(found.created_at),
        updated_at=format_moment(found.updated_at),
        options=TraitOptions(
            include_historical_data=found.history,
            include_anonymous_users=_ANONYMOUS in found.known_by,
            backfill_duration_days=found.history_days or UNSET,
        ),
        size=0 if run is None else run.size,
        version=found.version,
    )
