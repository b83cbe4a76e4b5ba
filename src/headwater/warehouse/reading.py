"""A reader's place in `processed`, and when to work: what everything that keeps up with the log shares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

from headwater import telemetry
from headwater.eventlog import Chunk, EventLog
from headwater.eventlog.streams import PROCESSED

ARCHIVE_GROUP: Final = "archive"
"""The group of readers that writes the archive."""

LOOK_SECONDS: Final = 1.0
_CHUNK_RECORDS: Final = 20_000
_CHUNK_BYTES: Final = 24_000_000
_LONGEST_BACKOFF_SECONDS: Final = 300.0


class Reader:
    """A group's place in every partition of `processed`."""

    def __init__(self, log: EventLog, group: str) -> None:
        self._log = log
        self._group = group
        self._cursors: dict[int, int] = {}

    @property
    def partitions(self) -> range:
        """The numbers of the partitions."""
        return self._log.partitions(PROCESSED)

    async def cursor(self, partition: int) -> int:
        """The position to read next. A group that is new is made known, so that the log keeps what it has not read."""
        if partition not in self._cursors:
            position = await self._log.committed(self._group, PROCESSED, partition)
            if position == 0:
                await self._log.commit(self._group, PROCESSED, partition, 0)
            self._cursors[partition] = position
        return self._cursors[partition]

    async def read(self, partition: int, *, last: int | None = None) -> Chunk:
        """The next records: about a load's worth, or exactly those up to position `last`."""
        start = await self.cursor(partition)
        chunks: list[Chunk] = []
        while True:
            most = _CHUNK_RECORDS if last is None else last + 1 - start
            chunk = await self._log.read(PROCESSED, partition, start, max_records=most, max_bytes=_CHUNK_BYTES)
            if last is not None:
                chunk = chunk.before(last + 1)
            chunks.append(chunk)
            start = chunk.next
            if last is None or start > last or not chunk.records:
                return _joined([each for each in chunks if each.records] or chunks)

    async def end(self, partition: int) -> int:
        """The position that the next record will get."""
        return (await self._log.bounds(PROCESSED, partition))[1]

    async def commit(self, partition: int, position: int) -> None:
        """Move the cursor."""
        await self._log.commit(self._group, PROCESSED, partition, position)
        self._cursors[partition] = position

    def moved(self, partition: int, position: int) -> None:
        """The cursor was moved in a transaction."""
        self._cursors[partition] = position

    async def tell_lag(self, partitions: Iterable[int] | None = None) -> None:
        """Show how far the group is behind, in some partitions or in all."""
        for partition in self.partitions if partitions is None else partitions:
            lag = await self._log.lag(self._group, PROCESSED, partition)
            telemetry.LOG_LAG.labels(self._group, PROCESSED.name, str(partition)).set(lag)


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    records = [record for chunk in chunks for record in chunk.records]
    return Chunk(chunks[0].first, records, [place for chunk in chunks for place in chunk.positions])


class Pace:
    """When to work: soon when there was nothing to do, else every so many seconds, and ever more rarely in failure."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._failures = 0
        self.due = 0.0

    def done(self, started: float, *, busy: bool) -> None:
        """A round ended that began at that time of the monotonic clock; `busy` says whether there was work."""
        self._failures = 0
        self.due = started + (self._every if busy else min(LOOK_SECONDS, self._every))

    def failed(self, now: float) -> float:
        """Something is away. Returns the seconds until the next try."""
        self._failures += 1
        wait = min(_LONGEST_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10) / 2)
        self.due = now + wait
        return wait


def now_ms() -> int:
    """This instant, in milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    try:
        await asyncio.wait_for(stopping.wait(), max(0.0, seconds))
    except TimeoutError:
        return
