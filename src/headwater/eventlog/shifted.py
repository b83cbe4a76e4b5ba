"""A log whose positions go on where those of another ended: what a house has that was moved to a new log.

Everything that names a position (parked deliveries, files of the archive, what is known of profiles) stays true,
because each record keeps its partition and its position: the first record of the new log got the position of the oldest
that the old one kept. Only here is it known that the backend counts from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from headwater.eventlog import FORGOTTEN, Append, Chunk, Commit, EventLog, Record
from headwater.eventlog.over import Over
from headwater.eventlog.streams import Stream

Starts = Mapping[tuple[str, int], int]
"""The position of the backend's position 0, by the name of the stream and the partition; 0 for what is not there."""


def shifted(log: EventLog, starts: Starts) -> EventLog:
    """The log with these starts; the log itself where there are none."""
    return Shifted(log, starts) if any(starts.values()) else log


class Shifted(Over):
    """The log with these starts."""

    def __init__(self, log: EventLog, starts: Starts) -> None:
        self._log = log
        self._starts = starts

    @property
    def log(self) -> EventLog:
        return self._log

    def _start(self, stream: Stream, partition: int) -> int:
        return self._starts.get((stream.name, partition), 0)

    def _inner(self, stream: Stream, partition: int, position: int) -> int:
        return position if position == FORGOTTEN else max(0, position - self._start(stream, partition))

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        return await self._log.append(stream, partition, records) + self._start(stream, partition)

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        inner = [
            msgspec.structs.replace(each, position=self._inner(each.stream, partition, each.position))
            for each in commits
        ]
        firsts = await self._log.transact(partition, appends, inner)
        return [first + self._start(each.stream, partition) for first, each in zip(firsts, appends, strict=True)]

    async def read(
        self,
        stream: Stream,
        partition: int,
        position: int,
        *,
        max_records: int = 1_000,
        max_bytes: int = 8_000_000,
        wait: float = 0.0,
    ) -> Chunk:
        start = self._start(stream, partition)
        inner = self._inner(stream, partition, position)
        chunk = await self._log.read(stream, partition, inner, max_records=max_records, max_bytes=max_bytes, wait=wait)
        if not start:
            return chunk
        standing = None if chunk.standing is None else [place + start for place in chunk.standing]
        return Chunk(chunk.first + start, chunk.records, standing)

    async def committed(self, group: str, stream: Stream, partition: int) -> int:
        position = await self._log.committed(group, stream, partition)
        # 0 is that of a group that is not known yet, which readers ask for.
        return position + self._start(stream, partition) if position else 0

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        await self._log.commit(group, stream, partition, self._inner(stream, partition, position))

    async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        first, end = await self._log.bounds(stream, partition)
        start = self._start(stream, partition)
        return first + start, end + start

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        return await self._log.position_at(stream, partition, at) + self._start(stream, partition)
