"""Audiences: who meets a condition (contract: public-api 9, Audiences; profiles-governance 3.7, 3.9)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage import computations
from headwater.manage.answers import Done, Name, Shape
from headwater.manage.defining import NO_LINKED, account_traits, history_of, key_of, known_by_of, read_query, status_of
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid
from headwater.profiles.language import Query, references
from headwater.profiles.language.parser import parse
from headwater.spec.computation import Computation, Level, Run
from headwater.spec.space import Space
from headwater.spec.timestamps import format_moment

AudienceId = Annotated[str, Meta(min_length=1, max_length=255, description="The audience's id.")]
AudienceType = Annotated[
    Literal["USERS", "ACCOUNTS", "LINKED"], Meta(description="People or companies; LINKED is refused.")
]
Enabled = Annotated[bool, Meta(description="Whether it is worked out.")]
Description = Annotated[str, Meta(max_length=2_000, description="What it is for.")]
Days = Annotated[int, Meta(ge=1, le=3_650)]
Include = Annotated[Literal["schedules"] | None, Meta(description="What to show besides.")]


class AudienceDefinition(Shape, frozen=True, kw_only=True):
    """The condition, in the query language. `targetEntity` is of linked audiences."""

    query: str
    target_entity: str | UnsetType | None = UNSET


class AudienceOptions(Shape, frozen=True, kw_only=True):
    """Who is looked at, and how far back events count.

    A profile needs one of the identifier types of `filterByExternalIds`: user_id, email, android.idfa or ios.idfa
    unless told otherwise. History counts unless `includeHistoricalData` is false, all of it or the last days.
    """

    filter_by_external_ids: list[str] | UnsetType = UNSET
    include_historical_data: bool | UnsetType = UNSET
    backfill_event_data_days: Days | UnsetType = UNSET


class CadenceShape(Shape, frozen=True, kw_only=True):
    """When an audience is worked out: as events come."""

    type: Literal["REALTIME"] = "REALTIME"


class SizeShape(Shape, frozen=True, kw_only=True):
    """How many members there are."""

    count: int
    type: Level


class ScheduleConfig(Shape, frozen=True, kw_only=True):
    """When a schedule runs."""

    interval: str = ""
    days: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    timezone: str = ""


class ScheduleShape(Shape, frozen=True, kw_only=True):
    """A schedule of a linked audience. There are none."""

    id: str
    strategy: Literal["PERIODIC", "SPECIFIC_DAYS"]
    config: ScheduleConfig | None
    next_execution: str | UnsetType = UNSET


class AudienceShape(Shape, frozen=True, kw_only=True):
    """An audience. `version` is Headwater's own: it grows with every other definition."""

    id: str
    space_id: str
    name: str
    description: str
    key: str
    enabled: bool
    definition: AudienceDefinition
    status: str
    created_by: str
    updated_by: str
    created_at: str
    updated_at: str
    audience_type: Level
    options: AudienceOptions
    compute_cadence: CadenceShape = CadenceShape()
    size: SizeShape | UnsetType = UNSET
    schedules: list[ScheduleShape] | UnsetType = UNSET
    version: int


class AudienceAnswer(Shape, frozen=True, kw_only=True):
    """An audience."""

    audience: AudienceShape


class AudienceSearch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to search: a part of the name or definition, or what the key begins with."""

    type: Literal["NAME", "KEY", "DEFINITION"]
    query: Annotated[str, Meta(max_length=255, description="The text.")]


class ListAudiences(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which audiences of a space."""

    space_id: SpaceId
    search: Annotated[AudienceSearch | None, Meta(description="Only those that this finds.")] = None
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()
    include: Include = None


class ListAudiencesAnswer(Shape, frozen=True, kw_only=True):
    """Audiences, oldest first."""

    audiences: list[AudienceShape]
    pagination: Page


class CreateAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience to make. Its key is its name in snake case, and never changes."""

    space_id: SpaceId
    name: Name
    audience_type: AudienceType
    definition: Annotated[AudienceDefinition, Meta(description="The condition.")]
    enabled: Enabled = True
    description: Description = ""
    options: Annotated[AudienceOptions, Meta(description="Who is looked at, and how far back.")] = AudienceOptions()


class GetAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience."""

    space_id: SpaceId
    id: AudienceId
    include: Include = None


class OneAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience."""

    space_id: SpaceId
    id: AudienceId


class UpdateAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of an audience; what is absent stays. Another definition is worked out anew."""

    space_id: SpaceId
    id: AudienceId
    enabled: Enabled | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    definition: Annotated[AudienceDefinition | UnsetType, Meta(description="The condition.")] = UNSET
    options: Annotated[
        AudienceOptions | UnsetType, Meta(description="Who is looked at, and how far back; absent ones stay.")
    ] = UNSET


class ListAudienceConsumersSort(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The order of a list."""

    field: Literal["CREATED_AT", "NAME", "UPDATED_AT"] = "CREATED_AT"
    direction: Literal["ASC", "DESC"] = "ASC"


class ListAudienceConsumers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which audiences that refer to an audience."""

    space_id: SpaceId
    id: AudienceId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()
    search: Annotated[AudienceSearch | None, Meta(description="Only those that this finds.")] = None
    sort: Annotated[ListAudienceConsumersSort, Meta(description="The order.")] = ListAudienceConsumersSort()


@operation("GET", "/spaces/{spaceId}/audiences", scope="audiences:read", tag="Audiences")
async def list_audiences(desk: Desk, request: ListAudiences) -> ListAudiencesAnswer:
    """List the audiences of a space."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    theirs = [one for one in workspace.computations if one.kind == "audience" and one.space_id == space.id]
    found, place = page([one for one in theirs if _matches(one, request.search)], request.pagination)
    return ListAudiencesAnswer(audiences=await _show_all(desk, found, request.include), pagination=place)


@operation("POST", "/spaces/{spaceId}/audiences", scope="audiences:write", tag="Audiences")
async def create_audience(desk: Desk, request: CreateAudience) -> AudienceAnswer:
    """Make an audience; members are found in what is known already, and change as events come."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    level = level_of(request.audience_type, request.definition.target_entity)
    beyond = account_traits(workspace.computations, space)
    query = read_query(request.definition.query, "audience", level, account_traits=beyond)
    options = request.options
    history, days = _history(options)
    made = Computation(
        id="",
        space_id=space.id,
        kind="audience",
        key=key_of(request.name),
        name=request.name,
        description=request.description,
        enabled=request.enabled,
        level=level,
        query=request.definition.query,
        known_by=_known_by(space, level, options),
        history=history,
        history_days=days,
        created_by=desk.caller.actor,
        updated_by=desk.caller.actor,
    )
    return AudienceAnswer(audience=show_audience(await computations.create(desk, made, query), None))


@operation("GET", "/spaces/{spaceId}/audiences/{id}", scope="audiences:read", tag="Audiences")
async def get_audience(desk: Desk, request: GetAudience) -> AudienceAnswer:
    """Show an audience, how far it is worked out and how many members it has."""
    space = find(await desk.workspace(), request.space_id)
    found, run = await computations.with_run(desk, space, request.id, "audience")
    return AudienceAnswer(audience=show_audience(found, run, request.include))


@operation("PATCH", "/spaces/{spaceId}/audiences/{id}", scope="audiences:write", tag="Audiences")
async def update_audience_for_space(desk: Desk, request: UpdateAudience) -> AudienceAnswer:
    """Change an audience, or switch it on or off; it is locked while it is processed, and its key stays."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    before, _ = await computations.with_run(desk, space, request.id, "audience")
    columns: dict[str, Any] = {
        name: value for name in ("enabled", "name", "description") if (value := getattr(request, name)) is not UNSET
    }
    query: Query | None = None
    if request.definition is not UNSET:
        level_of(before.level, request.definition.target_entity)
        beyond = account_traits(workspace.computations, space)
        query = read_query(request.definition.query, "audience", before.level, account_traits=beyond)
        columns["query"] = request.definition.query
    if request.options is not UNSET:
        columns |= _changed(space, before, request.options)
    after, run = await computations.edit(desk, space, request.id, "audience", columns=columns, query=query)
    return AudienceAnswer(audience=show_audience(after, run))


@operation("DELETE", "/spaces/{spaceId}/audiences/{id}", scope="audiences:write", tag="Audiences")
async def remove_audience_from_space(desk: Desk, request: OneAudience) -> Done:
    """Remove an audience that is disabled; profiles keep its last value as a trait."""
    space = find(await desk.workspace(), request.space_id)
    await computations.remove(desk, space, request.id, "audience")
    return Done()


@operation("GET", "/spaces/{spaceId}/audiences/{id}/audience-references", scope="audiences:read", tag="Audiences")
async def list_audience_consumers_from_space_and_audience(
    desk: Desk, request: ListAudienceConsumers
) -> ListAudiencesAnswer:
    """List the audiences whose definitions refer to an audience."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    wanted, _ = await computations.with_run(desk, space, request.id, "audience")
    theirs = [
        one
        for one in workspace.computations
        if one.kind == "audience" and one.space_id == space.id and wanted.key in references(parse(one.query)).traits
    ]
    field = {"CREATED_AT": "created_at", "NAME": "name", "UPDATED_AT": "updated_at"}[request.sort.field]
    theirs.sort(key=lambda one: getattr(one, field), reverse=request.sort.direction == "DESC")
    found, place = page([one for one in theirs if _matches(one, request.search)], request.pagination)
    return ListAudiencesAnswer(audiences=await _show_all(desk, found, None), pagination=place)


def level_of(audience_type: str, target_entity: str | UnsetType | None = UNSET) -> Level:
    """People or companies. Raises Refused for what only a linked audience has."""
    if audience_type == "LINKED":
        raise invalid("audienceType", NO_LINKED)
    if isinstance(target_entity, str) and target_entity != "profile":
        raise invalid("definition.targetEntity", NO_LINKED)
    return "ACCOUNTS" if audience_type == "ACCOUNTS" else "USERS"


def show_audience(found: Computation, run: Run | None, include: str | None = None) -> AudienceShape:
    """An audience as it is shown, with how far it has come."""
    return AudienceShape(
        id=found.id,
        space_id=found.space_id,
        name=found.name,
        description=found.description,
        key=found.key,
        enabled=found.enabled,
        definition=AudienceDefinition(query=found.query),
        status=status_of(found, run),
        created_by=found.created_by,
        updated_by=found.updated_by,
        created_at=format_moment(found.created_at),
        updated_at=format_moment(found.updated_at),
        audience_type=found.level,
        options=AudienceOptions(
            filter_by_external_ids=list(found.known_by),
            include_historical_data=found.history,
            backfill_event_data_days=found.history_days or UNSET,
        ),
        size=UNSET if run is None else SizeShape(count=run.size, type=found.level),
        schedules=[] if include == "schedules" else UNSET,
        version=found.version,
    )


async def _show_all(desk: Desk, found: list[Computation], include: str | None) -> list[AudienceShape]:
    runs = await computations.runs_of(desk, found)
    return [show_audience(one, runs.get(one.id), include) for one in found]


def _matches(one: Computation, search: AudienceSearch | None) -> bool:
    if search is None:
        return True
    wanted = search.query.casefold()
    match search.type:
        case "KEY":
            return one.key.startswith(wanted)
        case "NAME":
            return wanted in one.name.casefold()
        case "DEFINITION":
            return wanted in one.query.casefold()


def _known_by(space: Space, level: Level, options: AudienceOptions) -> tuple[str, ...]:
    types = None if options.filter_by_external_ids is UNSET else options.filter_by_external_ids
    return known_by_of(space, level, types, field="options.filterByExternalIds")


def _history(options: AudienceOptions) -> tuple[bool, int]:
    wanted = None if options.include_historical_data is UNSET else options.include_historical_data
    days = None if options.backfill_event_data_days is UNSET else options.backfill_event_data_days
    return history_of(wanted, days, field="options.backfillEventDataDays")


def _changed(space: Space, before: Computation, options: AudienceOptions) -> dict[str, Any]:
    """The columns that these options change; history that is switched off has no days."""
    columns: dict[str, Any] = {}
    if options.filter_by_external_ids is not UNSET:
        columns["known_by"] = _known_by(space, before.level, options)
    if options.include_historical_data is not UNSET or options.backfill_event_data_days is not UNSET:
        history, days = _history(options)
        kept = before.history_days if options.backfill_event_data_days is UNSET and history else days
        columns |= {"history": history, "history_days": kept}
    return columns
