"""What became of one event, from the request to each destination. Headwater's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.failures import meaning, payload
from headwater.manage.operations.parked import ParkedShape, show
from headwater.manage.problems import missing
from headwater.manage.spans import moment
from headwater.manage.trail import Kept, Trail, follow
from headwater.spec.outcome import AttemptNote, Step
from headwater.spec.timestamps import format_moment
from headwater.spec.typed import converter
from headwater.spec.wire import JSON
from headwater.spec.workspace import Workspace
from headwater.store import parked, redriving

_DAY = 24 * 3_600_000


class TraceEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which event."""

    message_id: Annotated[str, Meta(min_length=1, max_length=1_000, description="The event's messageId.")]
    since: Annotated[
        str | None,
        Meta(description="Where to begin looking for an event that failed (ISO 8601); a day ago unless given."),
    ] = None


class ReceivedShape(Shape, frozen=True, kw_only=True):
    """The request that the event came in: its place in the log, and what collect knew of it."""

    partition: int
    position: int
    received_at: str
    source_id: str
    kind: str


class ProcessedShape(Shape, frozen=True, kw_only=True):
    """The event as it was published, its place in the log, and the destinations that were chosen for it."""

    partition: int
    position: int
    received_at: str
    source_id: str
    destinations: list[str]
    without_warehouses: list[str]
    event: JSON


class OutcomeShape(Shape, frozen=True, kw_only=True):
    """An outcome that was not success, with what was received."""

    room: str
    at: str
    step: str
    reason: str
    meaning: str
    detail: str
    destination_id: str
    payload: JSON


class AttemptShape(Shape, frozen=True, kw_only=True):
    """One try of a delivery, with samples of request and response. `took` is in milliseconds."""

    at: str
    took: int
    attempt: int
    step: str
    reason: str
    meaning: str
    status: int
    detail: str
    request: str
    response: str
    events: int


class DestinationTrace(Shape, frozen=True, kw_only=True):
    """What one destination did with the event. `state` is a step, or `unknown` where nothing was kept."""

    destination_id: str
    name: str
    definition: str
    state: str
    reason: str
    meaning: str
    attempts: list[AttemptShape]
    parked: list[ParkedShape]


class TraceEventAnswer(Shape, frozen=True, kw_only=True):
    """The event's trail; what is not known is null or empty."""

    message_id: str
    received: ReceivedShape | None
    processed: ProcessedShape | None
    outcomes: list[OutcomeShape]
    destinations: list[DestinationTrace]


@operation("GET", "/headwater/trace/{messageId}", scope="events:read", tag="Events")
async def trace_event(desk: Desk, request: TraceEvent) -> TraceEventAnswer:
    """Show what became of an event: how it came in, how it was published, and every attempt to deliver it."""
    since = moment("since", request.since, desk.now - _DAY)
    trail = await follow(desk.log, desk.indexes, request.message_id, since)
    chosen = redriving.Filter(message_id=request.message_id)
    rows = await desk.store.read(lambda connection: redriving.find(connection, chosen, limit=500))
    if trail.processed is None and not trail.kept and trail.received is None and not rows:
        raise missing("event in what the log still holds")
    workspace = await desk.workspace()
    return TraceEventAnswer(
        message_id=request.message_id,
        received=_received(trail),
        processed=_processed(trail),
        outcomes=[_outcome(one) for one in trail.kept],
        destinations=_destinations(trail, rows, workspace),
    )


def _received(trail: Trail) -> ReceivedShape | None:
    if trail.received is None:
        return None
    header = trail.received.header
    return ReceivedShape(
        partition=trail.received.partition,
        position=trail.received.position,
        received_at=format_moment(header.received_at),
        source_id=header.source_id,
        kind=header.kind,
    )


def _processed(trail: Trail) -> ProcessedShape | None:
    if trail.processed is None:
        return None
    header = trail.processed.header
    return ProcessedShape(
        partition=trail.processed.partition,
        position=trail.processed.position,
        received_at=format_moment(header.received_at),
        source_id=header.source_id,
        destinations=list(header.destinations),
        without_warehouses=list(header.without_warehouses),
        event=payload(trail.processed.body),
    )


def _outcome(kept: Kept) -> OutcomeShape:
    event = kept.event
    return OutcomeShape(
        room=kept.room,
        at=format_moment(kept.at),
        step=event.step,
        reason=event.reason,
        meaning=meaning(event.step, event.reason),
        detail=event.detail,
        destination_id=event.destination_id,
        payload=payload(event.payload),
    )


def _destinations(trail: Trail, rows: Sequence[parked.ParkedDelivery], workspace: Workspace) -> list[DestinationTrace]:
    ids = dict.fromkeys(trail.processed.header.destinations if trail.processed is not None else ())
    ids |= dict.fromkeys(one.event.destination_id for one in trail.kept if one.event.destination_id)
    ids |= dict.fromkeys(one.destination_id for one in rows)
    known = {one.id: one for one in workspace.destinations}
    found: list[DestinationTrace] = []
    for destination_id in ids:
        attempts = _attempts(trail, rows, destination_id)
        theirs = [one for one in rows if one.destination_id == destination_id]
        state, reason = _fate(trail, attempts, theirs, destination_id)
        destination = known.get(destination_id)
        found.append(
            DestinationTrace(
                destination_id=destination_id,
                name=destination.name if destination else "",
                definition=destination.definition if destination else "",
                state=state,
                reason=reason,
                meaning=meaning(state, reason),
                attempts=[_attempt(one) for one in attempts],
                parked=[show(one) for one in theirs],
            )
        )
    return found


def _attempts(trail: Trail, rows: Sequence[parked.ParkedDelivery], destination_id: str) -> list[AttemptNote]:
    """The attempts that outcomes and parked rows tell of, in order; the first of a parked one stands in both."""
    notes = [one for one in trail.attempts if one.destination_id == destination_id]
    notes += [
        _as_note({"positions": [row.position], **note, "destination_id": destination_id})
        for row in rows
        if row.destination_id == destination_id
        for note in row.notes
    ]
    return sorted({(one.at, one.attempt): one for one in notes}.values(), key=lambda one: (one.at, one.attempt))


def _fate(
    trail: Trail, attempts: Sequence[AttemptNote], rows: Sequence[parked.ParkedDelivery], destination_id: str
) -> tuple[str, str]:
    """The step at which the event stands there, and the reason: the parked row knows best, then the last attempt."""
    if rows:
        return parked.STEPS[rows[0].state], rows[0].reason
    if attempts:
        return attempts[-1].step, attempts[-1].reason
    for one in trail.kept:
        if one.event.destination_id == destination_id:
            return one.event.step, one.event.reason
    return "unknown", ""


def _attempt(note: AttemptNote) -> AttemptShape:
    return AttemptShape(
        at=format_moment(note.at),
        took=note.took,
        attempt=note.attempt,
        step=note.step,
        reason=note.reason,
        meaning=meaning(note.step, note.reason) if note.step != Step.DELIVERED else "",
        status=note.status,
        detail=note.detail,
        request=note.request,
        response=note.response,
        events=len(note.positions),
    )


_as_note = converter(AttemptNote)
