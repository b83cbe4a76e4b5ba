"""Audiences and computed traits, asked and shown alike: their operations differ, their pages hardly do."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from headwater.console.person import Person
from headwater.manage.operations.audiences import (
    AudienceDefinition,
    AudienceOptions,
    AudienceSearch,
    AudienceShape,
    CreateAudience,
    GetAudience,
    ListAudiences,
    OneAudience,
    UpdateAudience,
    create_audience,
    get_audience,
    list_audiences,
    remove_audience_from_space,
    update_audience_for_space,
)
from headwater.manage.operations.computed_traits import (
    ComputedTraitShape,
    CreateComputedTrait,
    ListComputedTraits,
    OneComputedTrait,
    TraitDefinition,
    TraitOptions,
    UpdateComputedTrait,
    create_computed_trait,
    get_computed_trait,
    list_computed_traits,
    remove_computed_trait_from_space,
    update_computed_trait_for_space,
)
from headwater.manage.paging import Pagination

Kind = Literal["audience", "trait"]
Level = Literal["USERS", "ACCOUNTS"]
MOST = 200
"""So many are listed."""

PATHS: dict[Kind, str] = {"audience": "/audiences", "trait": "/computed-traits"}
NOUNS: dict[Kind, str] = {"audience": "audience", "trait": "computed trait"}
TITLES: dict[Kind, str] = {"audience": "Audiences", "trait": "Computed traits"}
PROCESSED = ("Preparing", "Backfilling", "Computing")
"""What is worked out, and cannot be changed."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An audience or computed trait, as its pages need it. `days` is how far back events count, 0 is all.

    `known_by` is of audiences, `anonymous` of traits: whether identifiers of anonymous people are told.
    """

    kind: Kind
    id: str
    key: str
    name: str
    description: str
    enabled: bool
    level: Level
    query: str
    status: str
    size: int
    version: int
    history: bool
    days: int
    known_by: tuple[str, ...]
    anonymous: bool
    created_at: str
    updated_at: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the editor asks for."""

    name: str
    description: str
    query: str
    level: Level
    enabled: bool = True
    history: bool = True
    days: int = 0
    known_by: tuple[str, ...] = ()
    anonymous: bool = False


def path_of(kind: Kind, space: str, id: str = "", part: str = "") -> str:
    """The page of one, as a path of the console."""
    return "/".join(
        [PATHS[kind], quote(space, safe=""), *([quote(id, safe="")] if id else []), *([part] if part else [])]
    )


async def find_all(person: Person, kind: Kind, space_id: str, search: str = "") -> tuple[list[Shown], int]:
    """Those of a space whose name (or query) holds a text, and how many there are; at most the first `MOST`."""
    page = Pagination(count=MOST)
    if kind == "trait":
        traits = await person.ask(list_computed_traits, ListComputedTraits(space_id=space_id, pagination=page))
        found = [_trait(one) for one in traits.computed_traits]
        wanted = search.casefold()
        fitting = [one for one in found if any(wanted in text.casefold() for text in (one.name, one.key, one.query))]
        return fitting, traits.pagination.total_entries or len(found)
    wanted_search = AudienceSearch(type="NAME", query=search) if search else None
    answer = await person.ask(list_audiences, ListAudiences(space_id=space_id, search=wanted_search, pagination=page))
    return [_audience(one) for one in answer.audiences], answer.pagination.total_entries or len(answer.audiences)


async def find_one(person: Person, kind: Kind, space_id: str, id: str) -> Shown:
    """One of them. Raises SenderError 404."""
    if kind == "audience":
        return _audience((await person.ask(get_audience, GetAudience(space_id=space_id, id=id))).audience)
    found = await person.ask(get_computed_trait, OneComputedTrait(space_id=space_id, id=id))
    return _trait(found.computed_trait)


async def make(person: Person, kind: Kind, space_id: str, wanted: Wanted) -> Shown:
    """Create one."""
    days: int | UnsetType = wanted.days or UNSET
    if kind == "audience":
        options = AudienceOptions(
            filter_by_external_ids=list(wanted.known_by) or UNSET,
            include_historical_data=wanted.history,
            backfill_event_data_days=days,
        )
        request = CreateAudience(
            space_id=space_id,
            name=wanted.name,
            audience_type=wanted.level,
            definition=AudienceDefinition(query=wanted.query),
            enabled=wanted.enabled,
            description=wanted.description,
            options=options,
        )
        return _audience((await person.ask(create_audience, request)).audience)
    trait = CreateComputedTrait(
        space_id=space_id,
        name=wanted.name,
        definition=TraitDefinition(query=wanted.query, type=wanted.level),
        enabled=wanted.enabled,
        description=wanted.description,
        options=TraitOptions(
            include_historical_data=wanted.history,
            include_anonymous_users=wanted.anonymous,
            backfill_duration_days=days,
        ),
    )
    return _trait((await person.ask(create_computed_trait, trait)).computed_trait)


async def change(person: Person, before: Shown, space_id: str, wanted: Wanted) -> None:
    """Change what differs: another query is worked out anew, so it is sent only when it is another."""
    query = wanted.query != before.query
    if before.kind == "trait":
        definition = TraitDefinition(query=wanted.query, type=before.level) if query else UNSET
        trait = UpdateComputedTrait(
            space_id=space_id,
            id=before.id,
            name=wanted.name,
            description=wanted.description,
            definition=definition,
        )
        await person.ask(update_computed_trait_for_space, trait)
        return
    request = UpdateAudience(
        space_id=space_id,
        id=before.id,
        name=wanted.name,
        description=wanted.description,
        definition=AudienceDefinition(query=wanted.query) if query else UNSET,
        options=_options(before, wanted),
    )
    await person.ask(update_audience_for_space, request)


async def enable(person: Person, shown: Shown, space_id: str, *, enabled: bool) -> None:
    """Switch one on or off."""
    if shown.kind == "audience":
        await person.ask(update_audience_for_space, UpdateAudience(space_id=space_id, id=shown.id, enabled=enabled))
    else:
        trait = UpdateComputedTrait(space_id=space_id, id=shown.id, enabled=enabled)
        await person.ask(update_computed_trait_for_space, trait)


async def remove(person: Person, shown: Shown, space_id: str) -> None:
    """Remove one that is disabled."""
    if shown.kind == "audience":
        await person.ask(remove_audience_from_space, OneAudience(space_id=space_id, id=shown.id))
    else:
        await person.ask(remove_computed_trait_from_space, OneComputedTrait(space_id=space_id, id=shown.id))


def _options(before: Shown, wanted: Wanted) -> AudienceOptions | UnsetType:
    columns: dict[str, Any] = {}
    if set(wanted.known_by) != set(before.known_by) and wanted.known_by:
        columns["filter_by_external_ids"] = list(wanted.known_by)
    if (wanted.history, wanted.days) != (before.history, before.days):
        columns["include_historical_data"] = wanted.history
        columns["backfill_event_data_days"] = wanted.days or UNSET
    return AudienceOptions(**columns) if columns else UNSET


def _audience(one: AudienceShape) -> Shown:
    options = one.options
    return Shown(
        kind="audience",
        id=one.id,
        key=one.key,
        name=one.name,
        description=one.description,
        enabled=one.enabled,
        level=one.audience_type,
        query=one.definition.query,
        status=one.status,
        size=0 if one.size is UNSET else one.size.count,
        version=one.version,
        history=options.include_historical_data is not False,
        days=0 if options.backfill_event_data_days is UNSET else options.backfill_event_data_days,
        known_by=() if options.filter_by_external_ids is UNSET else tuple(options.filter_by_external_ids),
        anonymous=False,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _trait(one: ComputedTraitShape) -> Shown:
    options = one.options
    return Shown(
        kind="trait",
        id=one.id,
        key=one.key,
        name=one.name,
        description=one.description,
        enabled=one.enabled,
        level="ACCOUNTS" if one.definition.type.upper() == "ACCOUNTS" else "USERS",
        query=one.definition.query,
        status=one.status,
        size=one.size,
        version=one.version,
        history=options.include_historical_data is not False,
        days=0 if options.backfill_duration_days is UNSET else options.backfill_duration_days,
        known_by=(),
        anonymous=options.include_anonymous_users is True,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )
