"""The newest events, to look at or to choose one from. Headwater's own; Segment's debugger is its page only."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from headwater.eventlog import EventLog
from headwater.eventlog.streams import PROCESSED
from headwater.manage.answers import Shape
from headwater.manage.backwards import backwards
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.events import source_named
from headwater.manage.tail import Seen, Wanted, pick_one
from headwater.spec.timestamps import format_moment

_SCAN: Final = 5_000


class ListRecentEvents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which events; what is empty does not matter."""

    source: Annotated[str, Meta(description="Only events of this source, by id or slug.")] = ""
    type: Annotated[str, Meta(description="Only this type: track, identify, ...")] = ""
    event: Annotated[str, Meta(description="Only track calls, pages or screens of this name.")] = ""
    user: Annotated[str, Meta(description="Only events of this userId or anonymousId.")] = ""
    filter: Annotated[str, Meta(description="Only events that hold this text, in any case.")] = ""
    count: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 50


class RecentEvent(Shape, frozen=True, kw_only=True):
    """One event as it was published. `id` is its place in the log, as the live tail has it."""

    id: str
    source_id: str
    type: str
    name: str
    message_id: str
    received_at: str
    destinations: tuple[str, ...]
    event: msgspec.Raw


class ListRecentEventsAnswer(Shape, frozen=True, kw_only=True):
    """Events, newest first. `scanned` is how many were looked at; older ones were not."""

    events: list[RecentEvent]
    scanned: int


@operation("GET", "/headwater/events/recent", scope="events:read", tag="Events")
async def list_recent_events(desk: Desk, request: ListRecentEvents) -> ListRecentEventsAnswer:
    """List the newest processed events, newest first."""
    wanted = Wanted(
        source_id=await source_named(desk, request.source),
        type=request.type,
        name=request.event,
        user=request.user,
        text=request.filter.lower().encode("utf-8", "replace"),
    )
    found: list[Seen] = []
    scanned = 0
    for partition in desk.log.partitions(PROCESSED):
        some, passed = await newest(desk.log, partition, wanted, request.count)
        found += some
        scanned += passed
    found.sort(key=lambda one: (one.header.received_at, one.position), reverse=True)
    return ListRecentEventsAnswer(events=[_show(one) for one in found[: request.count]], scanned=scanned)


async def newest(log: EventLog, partition: int, wanted: Wanted, count: int) -> tuple[list[Seen], int]:
    """The newest wanted events of a partition, newest first, and how many events were looked at for them."""
    found: list[Seen] = []
    scanned = 0
    async with aclosing(backwards(log, PROCESSED, partition)) as records:
        async for place, record in records:
            scanned += 1
            seen = pick_one(partition, place, record, wanted)
            if seen is not None:
                found.append(seen)
            if len(found) == count or scanned == _SCAN:
                break
    return found, scanned


def _show(seen: Seen) -> RecentEvent:
    header = seen.header
    return RecentEvent(
        id=f"{seen.partition}:{seen.position}",
        source_id=header.source_id,
        type=header.type,
        name=header.name,
        message_id=header.message_id,
        received_at=format_moment(header.received_at),
        destinations=header.destinations,
        event=msgspec.Raw(seen.body),
    )
