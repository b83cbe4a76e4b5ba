"""Deliveries that wait or have failed, and sending them again. Headwater's own."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.changing import note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.failures import meaning, payload
from headwater.manage.paging import Page
from headwater.manage.problems import invalid, missing
from headwater.manage.spans import moment
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import JSON
from headwater.store import audit, parked, redriving

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.spec.workspace import Destination

_HOUR = 3_600_000
_REDRIVEN_AT_ONCE = 250
"""Deliveries that one transaction moves: some ten milliseconds."""

_REDRIVING_SECONDS = 20.0


class ParkedPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page is wanted."""

    count: Annotated[int, Meta(ge=1, le=500, description="Entries a page holds at most.")] = 50
    cursor: Annotated[str | None, Meta(description="`next` of the page before.")] = None


class ListParkedDeliveries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which deliveries; what is absent does not matter."""

    destination_id: Annotated[str, Meta(description="Only those of this destination.")] = ""
    state: Annotated[Literal["", "waiting", "delivered", "failed"], Meta(description="Only those in this state.")] = ""
    reason: Annotated[str, Meta(description="Only those with this reason.")] = ""
    message_id: Annotated[str, Meta(description="Only those of this event.")] = ""
    subscription_id: Annotated[str, Meta(description="Only those of this subscription.")] = ""
    replay_id: Annotated[str, Meta(description="Only those of this replay.")] = ""
    pagination: Annotated[ParkedPage, Meta(description="Which page.")] = ParkedPage()


class ParkedShape(Shape, frozen=True, kw_only=True):
    """A parked delivery with the event and its attempts; a delivered one no longer holds the event.

    `replayId` is empty unless a replay sent the event again.
    """

    id: str
    destination_id: str
    source_id: str
    subscription_id: str
    replay_id: str
    message_id: str
    type: str
    name: str
    partition: int
    position: int
    state: str
    reason: str
    meaning: str
    detail: str
    attempts: int
    notes: list[dict[str, Any]]
    received_at: str
    parked_at: str
    due_at: str
    expires_at: str
    ended_at: str | None
    event: JSON


class ListParkedDeliveriesAnswer(Shape, frozen=True, kw_only=True):
    """Deliveries, newest parked first."""

    deliveries: list[ParkedShape]
    pagination: Page


@operation("GET", "/headwater/parked", scope="events:read", tag="Deliveries")
async def list_parked_deliveries(desk: Desk, request: ListParkedDeliveries) -> ListParkedDeliveriesAnswer:
    """List deliveries that wait or have failed, with their attempts."""
    chosen = redriving.Filter(
        destination_id=request.destination_id,
        state=request.state,
        reason=request.reason,
        message_id=request.message_id,
        subscription_id=request.subscription_id,
        replay_id=request.replay_id,
    )
    after = _read_cursor(request.pagination.cursor)
    count = request.pagination.count
    found = await desk.store.read(lambda connection: redriving.find(connection, chosen, limit=count + 1, after=after))
    shown = found[:count]
    following = _write_cursor(shown[-1]) if len(found) > count else None
    return ListParkedDeliveriesAnswer(
        deliveries=[show(one) for one in shown],
        pagination=Page(current=request.pagination.cursor or "", next=following),
    )


class RedriveDeliveries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which failed deliveries to try again."""

    destination_id: Annotated[str, Meta(min_length=1, description="The destination.")]
    subscription_id: Annotated[str, Meta(description="Only those of this subscription.")] = ""
    replay_id: Annotated[str, Meta(description="Only those of this replay.")] = ""
    reason: Annotated[str, Meta(description="Only those with this reason.")] = ""
    ids: Annotated[list[str], Meta(max_length=500, description="Only these deliveries.")] = []
    from_: Annotated[str | None, Meta(description="Only those parked at or after this moment (ISO 8601).")] = (
        msgspec.field(default=None, name="from")
    )
    to: Annotated[str | None, Meta(description="Only those parked before this moment.")] = None
    failed_until: Annotated[
        str | None, Meta(description="Only those that failed up to this moment; now, unless told.")
    ] = None
    dry_run: Annotated[bool, Meta(description="Only count them.")] = False


class RedriveDeliveriesAnswer(Shape, frozen=True, kw_only=True):
    """How many deliveries are tried again, or would be.

    So many that they take too long are left over as `remaining`: ask once more, with `failedUntil` as it is here.
    """

    deliveries: int
    dry_run: bool
    remaining: int
    failed_until: str


@operation("POST", "/headwater/redrive", scope="deliveries:write", tag="Deliveries")
async def redrive_deliveries(desk: Desk, request: RedriveDeliveries) -> RedriveDeliveriesAnswer:
    """Try failed deliveries of a destination again, with a new horizon."""
    destinations = (await desk.workspace()).destinations
    destination = next((one for one in destinations if one.id == request.destination_id), None)
    if destination is None:
        raise missing("destination")
    until = moment("failedUntil", request.failed_until, desk.now)
    chosen = redriving.Filter(
        destination_id=destination.id,
        subscription_id=request.subscription_id,
        replay_id=request.replay_id,
        reason=request.reason,
        ids=tuple(request.ids),
        since=moment("from", request.from_, 0),
        until=moment("to", request.to, 0),
        ended_until=until,
    )
    count = partial(redriving.redrive, chosen=chosen, now=desk.now, horizon_ms=0, dry_run=True)
    if request.dry_run:
        moved, remaining = await desk.store.read(count), 0
    else:
        moved, whole = await _redrive(desk, destination, chosen)
        remaining = 0 if whole else await desk.store.read(count)
    return RedriveDeliveriesAnswer(
        deliveries=moved, dry_run=request.dry_run, remaining=remaining, failed_until=format_moment(until)
    )


async def _redrive(desk: Desk, destination: Destination, chosen: redriving.Filter) -> tuple[int, bool]:
    """Redrive page by page, for as long as a request may take; between two, others have their turn at the store.

    Returns how many, and whether these are all. Each page stands for itself, so nothing is lost when this is cut short;
    there is always one, so whoever asks again and again comes to an end.
    """
    hours = destination.settings.get("horizon_hours") or desk.settings.deliver.horizon_hours
    page = partial(redriving.redrive_page, chosen=chosen, horizon_ms=int(float(hours) * _HOUR), limit=_REDRIVEN_AT_ONCE)
    line = note(desk, "Deliveries Redriven", "DESTINATION", destination.id, destination.name)
    started = time.monotonic()
    moved = 0
    after: redriving.Place | None = (-1, "")
    while after is not None:
        before = time.monotonic()

        def work(connection: Connection, after: redriving.Place = after, first: bool = not moved) -> Any:
            done = page(connection, now=desk.now, after=after)
            if first and done[0]:
                audit.add(connection, line)
            return done

        more, after = await desk.store.write(work)
        moved += more
        if after is not None:
            if time.monotonic() - started > _REDRIVING_SECONDS:
                return moved, False
            await asyncio.sleep(time.monotonic() - before)
    return moved, True


def show(one: parked.ParkedDelivery) -> ParkedShape:
    """A parked delivery as it is shown."""
    return ParkedShape(
        id=one.id,
        destination_id=one.destination_id,
        source_id=one.source_id,
        subscription_id=one.subscription_id,
        replay_id=one.replay_id,
        message_id=one.message_id,
        type=one.event_type,
        name=one.event_name,
        partition=one.partition,
        position=one.position,
        state=one.state,
        reason=one.reason,
        meaning=meaning(parked.STEPS[one.state], one.reason),
        detail=one.detail,
        attempts=one.attempts,
        notes=one.notes,
        received_at=format_moment(one.received_at),
        parked_at=format_moment(one.parked_at),
        due_at=format_moment(one.due_at),
        expires_at=format_moment(one.expires_at),
        ended_at=None if one.ended_at is None else format_moment(one.ended_at),
        event=payload(one.payload),
    )


def _write_cursor(last: parked.ParkedDelivery) -> str:
    return base64.b64encode(msgspec.json.encode((last.parked_at, last.id))).decode()


def _read_cursor(text: str | None) -> tuple[int, str] | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=tuple[int, str])
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise invalid("pagination.cursor", '"pagination.cursor" is not a cursor of this list') from None
