"""Reading a stream from its end, newest first."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import Stream

_STEP = 500
_BYTES = 16_000_000


async def backwards(
    log: EventLog, stream: Stream, partition: int, before: int | None = None
) -> AsyncGenerator[tuple[int, Record]]:
    """Records before a position (the end unless given) with their positions, newest first, down to the oldest kept."""
    oldest, end = await log.bounds(stream, partition)
    stop = end if before is None else min(end, before)
    while stop > oldest:
        start = max(oldest, stop - _STEP)
        for place, record in reversed(await span(log, stream, partition, start, stop)):
            yield place, record
        stop = start


async def span(log: EventLog, stream: Stream, partition: int, start: int, stop: int) -> list[tuple[int, Record]]:
    """The records from one position to before another, with their positions."""
    found: list[tuple[int, Record]] = []
    while start < stop:
        chunk = await log.read(stream, partition, start, max_records=stop - start, max_bytes=_BYTES)
        if not chunk.records:
            break
        found += [(place, record) for place, record in chunk.placed() if place < stop]
        start = chunk.next
    return found
