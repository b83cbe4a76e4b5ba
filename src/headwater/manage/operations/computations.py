"""What surrounds audiences and computed traits: checking a query, who moved, members, sizes. Headwater's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headwater.manage import computations
from headwater.manage.answers import Name, Shape
from headwater.manage.changing import change
from headwater.manage.connecting import find_connection, put
from headwater.manage.defining import (
    account_traits,
    cycle,
    find_computation,
    key_of,
    known_by_of,
    read_query,
    status_of,
)
from headwater.manage.desk import Desk
from headwater.manage.finding import states_of
from headwater.manage.operation import operation
from headwater.manage.operations.audiences import AudienceAnswer, AudienceId, show_audience
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.people import ProfileSummary, summarise
from headwater.manage.problems import Refused
from headwater.profiles.computing.standing import decode
from headwater.profiles.language import references, show
from headwater.spec.computation import KNOWN_BY, Computation, Level, holds
from headwater.spec.timestamps import format_moment
from headwater.spec.typed import converter
from headwater.store import audit, components, standing
from headwater.store import computations as kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

SEARCHED = 5_000
"""Of so many profiles a call looks whether they are members: there is no index of members."""

_HOUR = 3_600_000
ComputationId = Annotated[str, Meta(min_length=1, max_length=255, description="The audience's or computed trait's id.")]
Count = Annotated[int, Meta(ge=1, le=100, description="How many at most.")]


class CheckQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A query to check."""

    space_id: SpaceId
    query: Annotated[str, Meta(max_length=100_000, description="The query.")]
    kind: Annotated[Literal["audience", "trait"], Meta(description="A condition, or a value.")] = "audience"
    level: Annotated[Level, Meta(description="Of people or of companies.")] = "USERS"
    key: Annotated[str, Meta(max_length=255, description="The key that it is for, so that cycles are found.")] = ""


class QueryProblem(Shape, frozen=True, kw_only=True):
    """What is wrong, and where: `position` counts characters from 0, line and column from 1.

    `expected` says what should stand there, `excerpt` shows the place with a caret, and `message` is all of it.
    """

    message: str
    expected: str
    position: int
    line: int
    column: int
    excerpt: str


class CheckQueryAnswer(Shape, frozen=True, kw_only=True):
    """Whether a query can be saved; if so `canonical` is it in its one form, with the names that it refers to.

    `audiences` and `computedTraits` are the keys among them that exist in the space, `traits` all others.
    """

    ok: bool
    canonical: str
    events: list[str]
    traits: list[str]
    audiences: list[str]
    computed_traits: list[str]
    error: QueryProblem | None


class ListAudienceMoves(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which moves of an audience, newest first."""

    space_id: SpaceId
    id: AudienceId
    entered: Annotated[bool | None, Meta(description="Only those who entered, or only those who left.")] = None
    before: Annotated[int, Meta(ge=0, description="Only those before this one: `next`.")] = 0
    count: Count = 50


class MoveShape(Shape, frozen=True, kw_only=True):
    """Who entered or left an audience, and when. A profile that is gone is only its id."""

    id: int
    profile_id: str
    entered: bool
    at: str
    profile: ProfileSummary | None


class ListAudienceMovesAnswer(Shape, frozen=True, kw_only=True):
    """Moves, newest first, of which the newest 10,000 are kept; `next` is 0 at the end."""

    moves: list[MoveShape]
    next: int


class ListAudienceMembers(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which members of an audience, or which profiles with a value of a computed trait."""

    space_id: SpaceId
    id: ComputationId
    after: Annotated[str, Meta(max_length=200, description="Where to go on: `next` of the page before.")] = ""
    count: Count = 50


class MemberShape(Shape, frozen=True, kw_only=True):
    """A member since a moment, and its value: true, or that of the trait."""

    profile_id: str
    value: Any
    since: str
    profile: ProfileSummary | None


class ListAudienceMembersAnswer(Shape, frozen=True, kw_only=True):
    """Members by profile id. A page looks through so many profiles; `next` is empty at the end."""

    members: list[MemberShape]
    searched: int
    next: str


class GetAudienceSeries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience or computed trait, and how far back."""

    space_id: SpaceId
    id: ComputationId
    hours: Annotated[int, Meta(ge=1, le=24 * 90, description="How many hours back.")] = 168


class SizePoint(Shape, frozen=True, kw_only=True):
    """How many there were at the end of an hour, and how many came and went in it; `at` is its beginning."""

    at: str
    size: int
    entered: int
    exited: int


class GetAudienceSeriesAnswer(Shape, frozen=True, kw_only=True):
    """A point an hour, oldest first, from the first that is known on."""

    points: list[SizePoint]


class OneComputation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience or computed trait."""

    space_id: SpaceId
    id: ComputationId


class ToldShape(Shape, frozen=True, kw_only=True):
    """A connection, and whether it has been told everything that stood when it was made or told again."""

    connection_id: str
    destination_id: str
    up_to_date: bool


class GetComputationProgressAnswer(Shape, frozen=True, kw_only=True):
    """How far a computation has come: `done` of `total` in its phase, which is empty before it is begun.

    `size` counts the members, or the profiles with a value. `error` says why it failed.
    """

    status: str
    phase: str
    version: int
    done: int
    total: int
    size: int
    error: str
    started_at: str | None
    updated_at: str | None
    live_at: str | None
    connections: list[ToldShape]


class ResyncAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience or computed trait, and whom to tell again."""

    space_id: SpaceId
    id: ComputationId
    connection_id: Annotated[str, Meta(max_length=255, description="One connection, if not all.")] = ""


class ResyncAudienceAnswer(Shape, frozen=True, kw_only=True):
    """The connections that are told everything again."""

    connection_ids: list[str]


class CloneAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience to copy, without its connections. The copy is disabled, so that it can be changed first."""

    space_id: SpaceId
    id: AudienceId
    name: Name | None = None
    into: Annotated[str, Meta(max_length=255, description="Another space, by id or slug.")] = ""


_OWN = "/headwater/spaces/{spaceId}/computations/{id}"


@operation("POST", "/headwater/spaces/{spaceId}/check-query", scope="audiences:read", tag="Audiences", changes=False)
async def check_query(desk: Desk, request: CheckQuery) -> CheckQueryAnswer:
    """Check a query without saving it: whether it can be saved, what it refers to, or where it is wrong."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    nothing = CheckQueryAnswer(
        ok=False, canonical="", events=[], traits=[], audiences=[], computed_traits=[], error=None
    )
    try:
        beyond = account_traits(workspace.computations, space)
        query = read_query(request.query, request.kind, request.level, account_traits=beyond)
    except Refused as refused:
        (problem,) = refused.problems
        error = _as_problem({**(problem.data or {}), "message": problem.message})
        return msgspec.structs.replace(nothing, error=error)
    way = cycle(workspace.computations, space.id, request.key, query) if request.key else None
    if way is not None:
        said = f"it would create a cycle: {' refers to '.join(way)}"
        error = QueryProblem(message=f"{said.capitalize()}.", expected=said, position=0, line=1, column=1, excerpt="")
        return msgspec.structs.replace(nothing, error=error)
    theirs = [one for one in workspace.computations if one.space_id == space.id]
    found = references(query, {one.key for one in theirs if one.kind == "audience"})
    computed = found.traits & {one.key for one in theirs if one.kind == "trait"}
    return CheckQueryAnswer(
        ok=True,
        canonical=show(query),
        events=sorted(found.events),
        traits=sorted(found.traits - found.audiences - computed),
        audiences=sorted(found.audiences),
        computed_traits=sorted(computed),
        error=None,
    )


@operation("GET", "/headwater/spaces/{spaceId}/audiences/{id}/moves", scope="profiles:read", tag="Audiences")
async def list_audience_moves(desk: Desk, request: ListAudienceMoves) -> ListAudienceMovesAnswer:
    """List who entered and left an audience lately, newest first."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    audience = find_computation(workspace, space, request.id, "audience")

    def read(connection: Connection) -> ListAudienceMovesAnswer:
        found = standing.latest_moves(
            connection, audience.id, entered=request.entered, before=request.before, limit=request.count + 1
        )
        shown = found[: request.count]
        people = _people(connection, space.id, [one.profile_id for one in shown])
        moves = [
            MoveShape(
                id=one.id,
                profile_id=one.profile_id,
                entered=one.entered,
                at=format_moment(one.at),
                profile=people.get(one.profile_id),
            )
            for one in shown
        ]
        return ListAudienceMovesAnswer(moves=moves, next=shown[-1].id if len(found) > len(shown) else 0)

    return await desk.store.read(read)


@operation("GET", f"{_OWN}/members", scope="profiles:read", tag="Audiences")
async def list_audience_members(desk: Desk, request: ListAudienceMembers) -> ListAudienceMembersAnswer:
    """List the members of an audience, or the profiles with a value of a computed trait."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    wanted = find_computation(workspace, space, request.id)

    def read(connection: Connection) -> ListAudienceMembersAnswer:
        rows = standing.standings_after(connection, request.after, SEARCHED)
        found: list[tuple[str, Any, int]] = []
        searched, following = 0, ""
        for profile_id, told in rows:
            if len(found) == request.count:
                break
            searched, following = searched + 1, profile_id
            held = decode(told).values.get(wanted.id)
            if held is not None and holds(wanted.kind, held.value):
                found.append((profile_id, held.value, held.at))
        more = searched < len(rows) or len(rows) == SEARCHED
        people = _people(connection, space.id, [one[0] for one in found])
        members = [
            MemberShape(profile_id=id, value=value, since=format_moment(at), profile=people.get(id))
            for id, value, at in found
        ]
        return ListAudienceMembersAnswer(members=members, searched=searched, next=following if more else "")

    return await desk.store.read(read)


@operation("GET", f"{_OWN}/series", scope="audiences:read", tag="Audiences")
async def get_audience_series(desk: Desk, request: GetAudienceSeries) -> GetAudienceSeriesAnswer:
    """Tell how large an audience was hour by hour, or how many profiles had a value of a computed trait."""
    workspace = await desk.workspace()
    found = find_computation(workspace, find(workspace, request.space_id), request.id)
    sizes = await desk.store.read(lambda connection: standing.size_series(connection, found.id, 0))
    return GetAudienceSeriesAnswer(points=series(sizes, desk.now // _HOUR, request.hours))


@operation("GET", f"{_OWN}/progress", scope="audiences:read", tag="Audiences")
async def get_computation_progress(desk: Desk, request: OneComputation) -> GetComputationProgressAnswer:
    """Tell how far an audience or computed trait has come, and which connections know everything."""
    space = find(await desk.workspace(), request.space_id)
    found, run = await computations.with_run(desk, space, request.id)
    here = run if run is not None and run.version == found.version else None
    return GetComputationProgressAnswer(
        status=status_of(found, run),
        phase=here.phase if here else "",
        version=found.version,
        done=here.done if here else 0,
        total=here.total if here else 0,
        size=run.size if run else 0,
        error=here.error if here else "",
        started_at=_moment(here.started_at) if here else None,
        updated_at=_moment(here.updated_at) if here else None,
        live_at=_moment(here.live_at) if here else None,
        connections=[
            ToldShape(
                connection_id=one.id,
                destination_id=one.destination_id,
                up_to_date=here is not None and here.told.get(one.id, -1) >= one.resync,
            )
            for one in found.connections
        ],
    )


@operation("POST", f"{_OWN}/resync", scope="audiences:write", tag="Audiences")
async def resync_audience(desk: Desk, request: ResyncAudience) -> ResyncAudienceAnswer:
    """Tell one or all connections of an audience or computed trait everything that stands, once more."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[list[str], list[audit.Entry]]:
        found = before = computations.hold(connection, space, request.id)
        wanted = [find_connection(found, request.connection_id)] if request.connection_id else list(found.connections)
        for one in wanted:
            again = msgspec.structs.replace(one, resync=one.resync + 1)
            found = msgspec.structs.replace(found, connections=put(found, again))
        if not wanted:
            return [], []
        after = kept.update(connection, before.id, connections=found.connections, updated_by=desk.caller.actor)
        return [one.id for one in wanted], [computations.told(desk, after, "Modified")]

    return ResyncAudienceAnswer(connection_ids=await change(desk, work))


@operation(
    "POST", "/headwater/spaces/{spaceId}/audiences/{id}/clone", scope="audiences:write", status=201, tag="Audiences"
)
async def clone_audience(desk: Desk, request: CloneAudience) -> AudienceAnswer:
    """Copy an audience within its space or into another, disabled and without connections."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    into = find(workspace, request.into) if request.into else space
    before = find_computation(workspace, space, request.id, "audience")
    name = request.name or f"{before.name} copy"
    known_by = before.known_by
    if known_by != KNOWN_BY:
        known_by = known_by_of(into, before.level, known_by, field="into")
    made = Computation(
        id="",
        space_id=into.id,
        kind="audience",
        key=key_of(name),
        name=name,
        description=before.description,
        enabled=False,
        level=before.level,
        query=before.query,
        known_by=known_by,
        history=before.history,
        history_days=before.history_days,
        created_by=desk.caller.actor,
        updated_by=desk.caller.actor,
    )
    beyond = account_traits(workspace.computations, into)
    query = read_query(made.query, "audience", made.level, account_traits=beyond)
    saved = await computations.create(desk, made, query)
    return AudienceAnswer(audience=show_audience(saved, None))


def series(sizes: Iterable[standing.Size], now: int, hours: int) -> list[SizePoint]:
    """A point for each of the last hours, from the first of which something is known; hours count since 1970."""
    known = {one.hour: one for one in sizes}
    first = now - hours + 1
    earlier = [one for one in known.values() if one.hour < first]
    last = max(earlier, key=lambda one: one.hour).size if earlier else None
    points: list[SizePoint] = []
    for hour in range(first, now + 1):
        one = known.get(hour)
        last = one.size if one else last
        if last is not None:
            points.append(
                SizePoint(
                    at=format_moment(hour * _HOUR),
                    size=last,
                    entered=one.entered if one else 0,
                    exited=one.exited if one else 0,
                )
            )
    return points


def _people(connection: Connection, space_id: str, ids: list[str]) -> dict[str, ProfileSummary]:
    """The profiles as they are now, by the ids that they had; those that are gone are left out."""
    now = {id: found for id in dict.fromkeys(ids) if (found := components.canonical(connection, space_id, id))}
    states = states_of(connection, now.values())
    shown = {id: summarise(components.component(connection, id), states.get(id)) for id in dict.fromkeys(now.values())}
    return {id: shown[canonical] for id, canonical in now.items()}


def _moment(at: int) -> str | None:
    return format_moment(at) if at else None


_as_problem = converter(QueryProblem)
