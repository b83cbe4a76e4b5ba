"""Replays: events of the archive once more to destinations, as these are set up today. Headwater's own.

(contract: connections 9.13)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.failures import meaning
from headwater.manage.operations.preview import PreviewRequest, show_requests
from headwater.manage.operations.query import among_few
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import Problem, Refused, invalid, missing
from headwater.manage.rehearsing import Rehearsed, Sample, plan_of, rehearse
from headwater.manage.spans import moment
from headwater.spec.fql import FqlError, parse
from headwater.spec.outcome import Step
from headwater.spec.replay import MOST_DESTINATIONS, MOST_PER_SECOND, PER_SECOND, State, Wanted
from headwater.spec.timestamps import format_moment
from headwater.store import audit, parked, replays
from headwater.store.replays import OPEN, Replay

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.spec.workspace import Destination

_KIND: Final = "REPLAY"
_Name = Annotated[str, Meta(min_length=1, max_length=300)]
_Type = Literal["identify", "track", "page", "screen", "group", "alias"]
ReplayId = Annotated[str, Meta(min_length=1, max_length=255, description="The replay's id.")]


class ReplayForm(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which events, and where to. What is absent does not narrow."""

    source_id: Annotated[str, Meta(min_length=1, max_length=255, description="The source whose events are meant.")]
    destination_ids: Annotated[
        list[str],
        Meta(
            min_length=1,
            max_length=MOST_DESTINATIONS,
            description="Destinations of the source; one that is switched off gets them too.",
        ),
    ]
    from_: Annotated[str | None, Meta(description="Only events received at or after this moment (ISO 8601).")] = (
        msgspec.field(default=None, name="from")
    )
    to: Annotated[str | None, Meta(description="Only events received before this moment; now, unless told.")] = None
    types: Annotated[list[_Type], Meta(max_length=6, description="Only these types of calls.")] = []
    names: Annotated[
        list[_Name], Meta(max_length=100, description="Only track calls, pages and screens of these names.")
    ] = []
    user: Annotated[
        str, Meta(max_length=500, description="Only events of this user, by user id, anonymous id or profile id.")
    ] = ""
    condition: Annotated[str, Meta(max_length=5_120, description="Only events for which this query holds, in FQL.")] = (
        msgspec.field(default="", name="if")
    )


class CreateReplay(ReplayForm, frozen=True, kw_only=True, rename="camel"):
    """A replay to start."""

    name: Annotated[str, Meta(max_length=255, description="A name for people.")] = ""
    per_second: Annotated[int, Meta(ge=1, le=MOST_PER_SECOND, description="Events sent again a second, at most.")] = (
        PER_SECOND
    )


class ReplayShape(Shape, frozen=True, kw_only=True):
    """A replay. `state` is waiting (for its turn), running, paused, ended, cancelled or failed.

    `found` events are meant, null until they are counted, and `read` of them have been sent on. That made `sent`
    deliveries; `filtered` counts events that a destination does not get. `detail` says what holds it up, or failed it.
    """

    id: str
    name: str
    source_id: str
    destination_ids: list[str]
    from_: str = msgspec.field(name="from")
    to: str
    types: list[str]
    names: list[str]
    user: str
    condition: str = msgspec.field(name="if")
    per_second: int
    state: State
    detail: str
    found: int | None
    read: int
    sent: int
    filtered: int
    created_by: str
    created_at: str
    updated_at: str
    ended_at: str | None


class ReplayAnswer(Shape, frozen=True, kw_only=True):
    """A replay."""

    replay: ReplayShape


@operation("POST", "/headwater/replays", scope="deliveries:write", status=201, tag="Deliveries")
async def create_replay(desk: Desk, request: CreateReplay) -> ReplayAnswer:
    """Send events of the archive to destinations once more, as these are set up today."""
    wanted, destinations = await _read_form(desk, request)
    make = partial(
        replays.create,
        name=request.name or f"Replay to {', '.join(each.name for each in destinations)}"[:255],
        wanted=wanted,
        destination_ids=[each.id for each in destinations],
        per_second=request.per_second,
        created_by=desk.caller.actor,
        at=desk.now,
    )

    def work(connection: Connection) -> tuple[Replay, list[audit.Entry]]:
        made = make(connection)
        return made, [note(desk, "Replay Created", _KIND, made.id, made.name)]

    return ReplayAnswer(replay=_show(await change(desk, work)))


async def _read_form(desk: Desk, form: ReplayForm) -> tuple[Wanted, list[Destination]]:
    """What is wanted, and where to. Raises Refused for what cannot be."""
    workspace = await desk.workspace()
    if form.source_id not in {source.id for source in workspace.sources}:
        raise missing("source")
    known = {each.id: each for each in workspace.destinations if each.source_id == form.source_id}
    if unknown := [each for each in form.destination_ids if each not in known]:
        raise invalid("destinationIds", f"The source has no destination {', '.join(unknown)}")
    destinations = [known[each] for each in dict.fromkeys(form.destination_ids)]
    for each in destinations:
        plan = plan_of(desk, each)
        if plan is None or plan.broken:
            why = plan.broken if plan else "The catalogue has no such destination any more."
            raise invalid("destinationIds", f"{each.name} cannot be sent anything. {why}")
    _check_condition(form.condition)
    since, until = moment("from", form.from_, 0), min(moment("to", form.to, desk.now), desk.now)
    if since >= until:
        raise invalid("from", '"from" must be before "to", and before now')
    return Wanted(
        source_id=form.source_id,
        since_ms=since,
        until_ms=until,
        types=tuple(form.types),
        names=tuple(form.names),
        user=form.user,
        condition=form.condition,
    ), destinations


def _check_condition(condition: str) -> None:
    if condition:
        try:
            parse(condition)
        except FqlError as error:
            message = f'"if" cannot be used. {error}'
            raise Refused([Problem("input-validation", message, "if", {"position": error.position})]) from None


class ListReplays(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of replays."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListReplaysAnswer(Shape, frozen=True, kw_only=True):
    """Replays, newest first."""

    replays: list[ReplayShape]
    pagination: Page


@operation("GET", "/headwater/replays", scope="deliveries:read", tag="Deliveries")
async def list_replays(desk: Desk, request: ListReplays) -> ListReplaysAnswer:
    """List replays with how far each has come."""
    found, place = page(await desk.store.read(replays.list_replays), request.pagination)
    return ListReplaysAnswer(replays=[_show(one) for one in found], pagination=place)


class OneReplay(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A replay."""

    replay_id: ReplayId


class ReplayOutcome(Shape, frozen=True, kw_only=True):
    """How many deliveries to a destination are waiting, delivered or failed, and why."""

    destination_id: str
    state: str
    reason: str
    meaning: str
    deliveries: int


class GetReplayAnswer(Shape, frozen=True, kw_only=True):
    """A replay, and what became of its deliveries. Of those that ended long ago only their number is known."""

    replay: ReplayShape
    outcomes: list[ReplayOutcome]
    forgotten: int


@operation("GET", "/headwater/replays/{replayId}", scope="deliveries:read", tag="Deliveries")
async def get_replay(desk: Desk, request: OneReplay) -> GetReplayAnswer:
    """Show how far a replay has come, and what became of its deliveries."""

    def look(connection: Connection) -> tuple[Replay, list[tuple[str, str, str, int]]]:
        return replays.find(connection, request.replay_id), replays.outcomes(connection, request.replay_id)

    replay, found = await desk.store.read(look)
    outcomes = [
        ReplayOutcome(
            destination_id=destination_id,
            state=state,
            reason=reason,
            meaning=meaning(parked.STEPS[state], reason) if reason else "",
            deliveries=deliveries,
        )
        for destination_id, state, reason, deliveries in found
    ]
    kept = sum(one.deliveries for one in outcomes)
    return GetReplayAnswer(replay=_show(replay), outcomes=outcomes, forgotten=max(0, replay.sent - kept))


@operation("POST", "/headwater/replays/{replayId}/pause", scope="deliveries:write", tag="Deliveries")
async def pause_replay(desk: Desk, request: OneReplay) -> ReplayAnswer:
    """Have a replay send no more for now; deliveries that wait already are still sent."""
    return await _move(desk, request, "paused", "Replay Paused", only=("waiting", "running"))


@operation("POST", "/headwater/replays/{replayId}/resume", scope="deliveries:write", tag="Deliveries")
async def resume_replay(desk: Desk, request: OneReplay) -> ReplayAnswer:
    """Have a paused replay go on where it stood."""
    return await _move(desk, request, "waiting", "Replay Resumed", only=("paused",))


@operation("POST", "/headwater/replays/{replayId}/cancel", scope="deliveries:write", tag="Deliveries")
async def cancel_replay(desk: Desk, request: OneReplay) -> ReplayAnswer:
    """End a replay for good; deliveries that wait fail, but for those on their way to the destination."""
    return await _move(desk, request, "cancelled", "Replay Cancelled", only=OPEN)


async def _move(desk: Desk, request: OneReplay, state: State, type: str, *, only: Sequence[str]) -> ReplayAnswer:
    def work(connection: Connection) -> tuple[Replay, list[audit.Entry]]:
        moved = replays.change_state(connection, request.replay_id, state, at=desk.now, only=only)
        return moved, [note(desk, type, _KIND, moved.id, moved.name)]

    return ReplayAnswer(replay=_show(await change(desk, work)))


class PreviewReplay(ReplayForm, frozen=True, kw_only=True, rename="camel"):
    """A replay to try without sending anything."""

    samples: Annotated[int, Meta(ge=0, le=10, description="Events of each destination whose requests are shown.")] = 3


class ReplayReason(Shape, frozen=True, kw_only=True):
    """How many events a destination does not get, and why."""

    reason: str
    meaning: str
    events: int


class ReplaySample(Shape, frozen=True, kw_only=True):
    """What would be sent for one event, its secrets redacted; `problem` says why nothing can be shown."""

    message_id: str
    subscription_id: str
    requests: list[PreviewRequest]
    problem: str


class ReplayReceiver(Shape, frozen=True, kw_only=True):
    """What one destination would get: deliveries by subscription, if it has those, and what it would not."""

    destination_id: str
    deliveries: int
    subscriptions: dict[str, int]
    filtered: list[ReplayReason]
    samples: list[ReplaySample]


class PreviewReplayAnswer(Shape, frozen=True, kw_only=True):
    """What a replay would do. `found` events are meant, null if counting takes too long.

    The counts of destinations are of the first `read` of them, which are all if it is `complete`. With `archived`
    false, the newest events are not in the archive yet and not in these counts; a replay would wait for them.
    """

    found: int | None
    read: int
    complete: bool
    archived: bool
    destinations: list[ReplayReceiver]


@operation("POST", "/headwater/replays/preview", scope="events:read", tag="Deliveries", changes=False)
async def preview_replay(desk: Desk, request: PreviewReplay) -> PreviewReplayAnswer:
    """Count what a replay would send and what not, and show a few of the requests; nothing is sent."""
    wanted, destinations = await _read_form(desk, request)
    with among_few():
        found = await rehearse(desk, wanted, destinations, samples=request.samples)
    return PreviewReplayAnswer(
        found=found.found,
        read=found.read,
        complete=found.whole,
        archived=found.archived,
        destinations=[_receiver(each.id, found) for each in destinations],
    )


def _receiver(destination_id: str, found: Rehearsed) -> ReplayReceiver:
    by_way = {way: count for (each, way), count in found.deliveries.items() if each == destination_id}
    return ReplayReceiver(
        destination_id=destination_id,
        deliveries=sum(by_way.values()),
        subscriptions={way: count for way, count in by_way.items() if way},
        filtered=[
            ReplayReason(reason=reason, meaning=meaning(Step.FILTERED_AT_DESTINATION, reason), events=events)
            for (each, reason), events in sorted(found.kept.items())
            if each == destination_id
        ],
        samples=[_sample(one) for one in found.samples.get(destination_id, ())],
    )


def _sample(one: Sample) -> ReplaySample:
    return ReplaySample(
        message_id=one.message_id,
        subscription_id=one.way_id,
        requests=show_requests(one.tried),
        problem=one.problem,
    )


def _show(one: Replay) -> ReplayShape:
    wanted = one.wanted
    return ReplayShape(
        id=one.id,
        name=one.name,
        source_id=wanted.source_id,
        destination_ids=list(one.destination_ids),
        from_=format_moment(wanted.since_ms),
        to=format_moment(wanted.until_ms),
        types=list(wanted.types),
        names=list(wanted.names),
        user=wanted.user,
        condition=wanted.condition,
        per_second=one.per_second,
        state=one.state,
        detail=one.detail,
        found=None if one.found < 0 else one.found,
        read=one.read,
        sent=one.sent,
        filtered=one.filtered,
        created_by=one.created_by,
        created_at=format_moment(one.created_at),
        updated_at=format_moment(one.updated_at),
        ended_at=None if one.ended_at is None else format_moment(one.ended_at),
    )
