"""The live tail: processed events as they come. Headwater's own; Segment's debugger is its page only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.eventlog.streams import PROCESSED
from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.problems import invalid
from headwater.manage.tail import Missed, Seen, Wanted, tail
from headwater.spec.errors import Unavailable
from headwater.spec.timestamps import format_moment

MAX_READERS = 64
_readers: set[object] = set()


class StreamEvents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which events, and from where on."""

    source: Annotated[str, Meta(description="Only events of this source, by id or slug.")] = ""
    type: Annotated[str, Meta(description="Only this type: track, identify, ...")] = ""
    event: Annotated[str, Meta(description="Only track calls, pages or screens of this name.")] = ""
    user: Annotated[str, Meta(description="Only events of this userId or anonymousId.")] = ""
    filter: Annotated[str, Meta(description="Only events that hold this text, in any case.")] = ""
    from_: Annotated[
        str, Meta(description="`now`, or `position` for the oldest kept, or partition:position for a place.")
    ] = msgspec.field(default="now", name="from")
    last_event_id: Annotated[
        str, Meta(description="The id of the last event had; the header Last-Event-ID does the same.")
    ] = ""
    sample: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="At most so many events a second, of the newest; 0 is all. What is passed over is missed.",
        ),
    ] = 0


class TailedEvent(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One event; or, for a reader that was too slow, how many were `missed`; or a sign of life (`idle`)."""

    kind: Literal["event", "missed", "idle"]
    id: str | None = None
    source_id: str | None = None
    type: str | None = None
    name: str | None = None
    message_id: str | None = None
    received_at: str | None = None
    destinations: tuple[str, ...] = ()
    missed: int = 0
    event: msgspec.Raw | UnsetType = UNSET


_IDLE = TailedEvent(kind="idle")


@operation("GET", "/headwater/events/stream", scope="events:read", tag="Events")
async def stream_events(desk: Desk, request: StreamEvents) -> AsyncGenerator[TailedEvent]:
    """Follow processed events as they come, as server-sent events or over the WebSocket beside it."""
    wanted = await _wanted(desk, request)
    starts, newest = await _starts(desk, request)
    if len(_readers) >= MAX_READERS:
        raise Unavailable(f"{MAX_READERS} readers follow the events already; close one.", retry_after=10)
    reader = object()
    _readers.add(reader)
    had = {partition: start - 1 for partition, start in starts.items()}
    try:
        yield _IDLE
        if newest or request.sample:
            coming = desk.feeds.follow(desk.log, wanted, starts, desk.stopping, sample=request.sample)
        else:
            coming = tail(desk.log, wanted, starts, desk.stopping)
        async with aclosing(coming) as events:
            async for found in events:
                match found:
                    case Seen():
                        yield _show(found, had)
                    case Missed():
                        yield TailedEvent(kind="missed", missed=found.events)
                    case None:
                        yield _IDLE
    finally:
        _readers.discard(reader)


async def source_named(desk: Desk, text: str) -> str:
    """The id of the source that a request names by id or slug; empty for no text. Raises Refused when there is none."""
    if not text:
        return ""
    sources = (await desk.workspace()).sources
    source_id = next((one.id for one in sources if text in (one.id, one.slug)), "")
    if not source_id:
        raise invalid("source", f'"source" names no source: {text}')
    return source_id


async def _wanted(desk: Desk, request: StreamEvents) -> Wanted:
    return Wanted(
        source_id=await source_named(desk, request.source),
        type=request.type,
        name=request.event,
        user=request.user,
        text=request.filter.lower().encode("utf-8", "replace"),
    )


async def _starts(desk: Desk, request: StreamEvents) -> tuple[dict[int, int], bool]:
    """Where to begin in each partition, and whether the newest is what matters."""
    bounds = {partition: await desk.log.bounds(PROCESSED, partition) for partition in desk.log.partitions(PROCESSED)}
    if request.last_event_id:
        had = _places("lastEventId", request.last_event_id)
        return {partition: had.get(partition, end - 1) + 1 for partition, (_, end) in bounds.items()}, False
    match request.from_:
        case "" | "now":
            return {partition: end for partition, (_, end) in bounds.items()}, True
        case "position":
            return {partition: oldest for partition, (oldest, _) in bounds.items()}, False
        case text:
            wanted = _places("from", text)
            return {partition: wanted.get(partition, end) for partition, (_, end) in bounds.items()}, False


def _places(field: str, text: str) -> dict[int, int]:
    try:
        pairs = [part.split(":") for part in text.split(",")]
        return {int(partition): max(0, min(int(position), 2**62)) for partition, position in pairs}
    except ValueError:
        raise invalid(field, f'"{field}" is not a place of the form partition:position') from None


def _show(seen: Seen, had: dict[int, int]) -> TailedEvent:
    had.pop(seen.partition, None)
    had[seen.partition] = seen.position
    header = seen.header
    return TailedEvent(
        kind="event",
        id=",".join(f"{partition}:{position}" for partition, position in reversed(had.items())),
        source_id=header.source_id,
        type=header.type,
        name=header.name,
        message_id=header.message_id,
        received_at=format_moment(header.received_at),
        destinations=header.destinations,
        event=msgspec.Raw(seen.body),
    )
