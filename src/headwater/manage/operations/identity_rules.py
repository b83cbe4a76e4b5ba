"""The identity rules of a space: which identifiers count, how many of each, and which are stronger. Headwater's own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import PROCESSED
from headwater.manage.answers import Shape
from headwater.manage.backwards import backwards
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import KIND, SpaceId, find
from headwater.manage.people import ViolationShape, show_violation
from headwater.manage.problems import invalid
from headwater.profiles.identity.simulate import Comparison, Difference, Trial, simulate
from headwater.spec.errors import SetupError
from headwater.spec.event import Event, decode_processed
from headwater.spec.space import Blocked, IdentifierType, Space, check, rank
from headwater.spec.wire import decode
from headwater.store import audit
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

AliasRule = Literal["merge", "record"]


class BlockedShape(Shape, frozen=True, kw_only=True):
    """A value that is no identifier, or a pattern of such values."""

    value: Annotated[str, Meta(max_length=500, description="The value, or a regular expression without groups.")]
    kind: Annotated[Literal["exact", "pattern"], Meta(description="Whether it is a value or a pattern.")] = "exact"


class IdentifierTypeShape(Shape, frozen=True, kw_only=True):
    """A kind of identifier, and how many values of it one profile may have in which time."""

    name: Annotated[str, Meta(description="In lower case, such as user_id.")]
    collection: Annotated[Literal["users", "accounts"], Meta(description="Whose identifier it is.")] = "users"
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Values that a profile may have.")] = 5
    frequency: Annotated[
        Literal["DAILY", "WEEKLY", "MONTHLY", "ANNUALLY", "EVER"], Meta(description="The time in which they count.")
    ] = "EVER"
    blocked: Annotated[tuple[BlockedShape, ...], Meta(max_length=100, description="Values that are none.")] = ()
    priority: (
        Annotated[int, Meta(ge=1, le=999_999, description="1 is the strongest; without one, types follow by name.")]
        | None
    ) = None


Identifiers = Annotated[
    list[IdentifierTypeShape], Meta(min_length=1, max_length=100, description="All identifier types of the space.")
]
Alias = Annotated[AliasRule, Meta(description="Whether an alias call merges two profiles, or is recorded only.")]


class GetIdentityRules(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space."""

    space_id: SpaceId


class UpdateIdentityRules(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The rules to put in the place of those in force; what is absent stays."""

    space_id: SpaceId
    identifiers: Identifiers | UnsetType = UNSET
    alias: Alias | UnsetType = UNSET


class IdentityRulesAnswer(Shape, frozen=True, kw_only=True):
    """The rules of a space, the strongest type first."""

    identifiers: list[IdentifierTypeShape]
    alias: AliasRule


class SimulateIdentityRules(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Rules to try, and on how many of the newest events; what is absent is as it is in force."""

    space_id: SpaceId
    identifiers: Identifiers | UnsetType = UNSET
    alias: Alias | UnsetType = UNSET
    events: Annotated[int, Meta(ge=1, le=20_000, description="How many of the newest events to replay.")] = 5_000


class TrialShape(Shape, frozen=True, kw_only=True):
    """What one set of rules makes of the events: profiles, merges, and violations by kind with some examples."""

    profiles: int
    merges: int
    violations: dict[str, int]
    examples: list[ViolationShape]


class SimulateIdentityRulesAnswer(Shape, frozen=True, kw_only=True):
    """What would change: how many profiles several of today would become, how many would fall apart, with examples.

    An example lists the identifiers of one profile by the profiles that they are of under the other rules.
    """

    events: int
    now: TrialShape
    then: TrialShape
    would_merge: int
    would_split: int
    merged: list[list[list[str]]]
    split: list[list[list[str]]]


@operation("GET", "/headwater/spaces/{spaceId}/identity-rules", scope="spaces:read", tag="Identity")
async def get_identity_rules(desk: Desk, request: GetIdentityRules) -> IdentityRulesAnswer:
    """Show the identity rules of a space, the strongest identifier type first."""
    return _show(find(await desk.workspace(), request.space_id))


@operation("PATCH", "/headwater/spaces/{spaceId}/identity-rules", scope="spaces:write", tag="Identity")
async def update_identity_rules(desk: Desk, request: UpdateIdentityRules) -> IdentityRulesAnswer:
    """Change the identity rules of a space for the events that come from now on; profiles stay as they are."""
    before = find(await desk.workspace(), request.space_id)
    after = _changed(before, request.identifiers, request.alias)

    def work(connection: Connection) -> tuple[Space, list[audit.Entry]]:
        saved = workspaces.update_space(connection, before.id, identifiers=after.identifiers, alias=after.alias)
        return saved, [note(desk, "Identity Rules Modified", KIND, saved.id, saved.name)]

    return _show(await change(desk, work))


@operation(
    "POST", "/headwater/spaces/{spaceId}/identity-rules/simulate", scope="profiles:read", tag="Identity", changes=False
)
async def simulate_identity_rules(desk: Desk, request: SimulateIdentityRules) -> SimulateIdentityRulesAnswer:
    """Replay the newest events under other rules, in memory only, and tell which profiles would merge or split."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    takes = workspace.takes(space)
    changed = _changed(space, request.identifiers, request.alias)
    records: list[tuple[int, Record]] = []
    partitions = desk.log.partitions(PROCESSED)
    for partition in partitions:
        records += await _newest(desk.log, partition, max(1, request.events // len(partitions)))

    def compare() -> Comparison:
        events = [event for event in map(_event, records) if event is not None and takes(event.source_id)]
        return simulate(space, changed, sorted(events, key=lambda event: event.received_at))

    found = await asyncio.to_thread(compare)
    return SimulateIdentityRulesAnswer(
        events=found.events,
        now=_trial(found.now),
        then=_trial(found.then),
        would_merge=found.together,
        would_split=found.asunder,
        merged=_examples(found.merged),
        split=_examples(found.split),
    )


async def _newest(log: EventLog, partition: int, most: int) -> list[tuple[int, Record]]:
    """The newest records of a partition, oldest first."""
    found: list[tuple[int, Record]] = []
    async with aclosing(backwards(log, PROCESSED, partition)) as records:
        async for place, record in records:
            found.append((place, record))
            if len(found) == most:
                break
    return found[::-1]


def _event(entry: tuple[int, Record]) -> Event | None:
    """An event as the pipeline had it; None for a record that is not one."""
    place, record = entry
    header, body = decode_processed(record.header), decode(record.value)
    if not isinstance(body, dict):
        return None
    for field in ("context", "integrations"):
        if not isinstance(body.setdefault(field, {}), dict):
            return None
    return Event(body, header.source_id, header.received_at, place, header.type, header.message_id)


def _changed(space: Space, identifiers: list[IdentifierTypeShape] | UnsetType, alias: AliasRule | UnsetType) -> Space:
    """The space under other rules. Raises Refused for rules that cannot be."""
    columns: dict[str, Any] = {} if alias is UNSET else {"alias": alias}
    if not isinstance(identifiers, UnsetType):
        kinds = tuple(_kind(shape) for shape in identifiers)
        try:
            check(kinds)
        except SetupError as error:
            raise invalid("identifiers", str(error)) from error
        before = {kind.name: kind.collection for kind in space.identifiers}
        for kind in kinds:
            if before.get(kind.name, kind.collection) != kind.collection:
                raise invalid("identifiers", f"The type {kind.name} is of {before[kind.name]}; that cannot be changed.")
        columns["identifiers"] = kinds
    return msgspec.structs.replace(space, **columns)


def _kind(shape: IdentifierTypeShape) -> IdentifierType:
    return IdentifierType(
        name=shape.name,
        collection=shape.collection,
        limit=shape.limit,
        frequency=shape.frequency,
        blocked=tuple(Blocked(one.value, one.kind) for one in shape.blocked),
        priority=shape.priority,
    )


def _show(space: Space) -> IdentityRulesAnswer:
    return IdentityRulesAnswer(
        identifiers=[
            IdentifierTypeShape(
                name=kind.name,
                collection=kind.collection,
                limit=kind.limit,
                frequency=kind.frequency,
                blocked=tuple(BlockedShape(value=one.value, kind=one.kind) for one in kind.blocked),
                priority=kind.priority,
            )
            for kind in sorted(space.identifiers, key=rank)
        ],
        alias=space.alias,
    )


def _trial(trial: Trial) -> TrialShape:
    return TrialShape(
        profiles=trial.profiles,
        merges=trial.merges,
        violations=trial.violations,
        examples=[show_violation(one) for one in trial.examples],
    )


def _examples(differences: tuple[Difference, ...]) -> list[list[list[str]]]:
    return [[list(part) for part in one.parts] for one in differences]
