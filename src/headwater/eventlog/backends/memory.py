"""The log in memory, for tests and trials: every promise but to outlive its process. For one thread."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections.abc import Callable, Sequence

from headwater.eventlog import FORGOTTEN, Append, Chunk, Commit, Holder, Membership, Record
from headwater.eventlog.refusals import check_partition, volume_of
from headwater.eventlog.retention import Place, passed_by_all
from headwater.eventlog.sharing import join_alone
from headwater.eventlog.streams import STREAMS, Stream
from headwater.eventlog.waiting import Sleepers
from headwater.spec.errors import Unavailable


class _Lane:
    """The records of one stream and partition; `records[i]` stands at `base + i`."""

    def __init__(self) -> None:
        self.base = 0
        self.records: list[Record] = []
        self.appended_at: list[int] = []

    @property
    def end(self) -> int:
        return self.base + len(self.records)

    def add(self, records: Sequence[Record], now: int) -> int:
        first = self.end
        at = max(now, self.appended_at[-1]) if self.appended_at else now
        self.records += records
        self.appended_at += [at] * len(records)
        return first

    def forget(self, before: int) -> int:
        """Drop what stands before a position. Returns the bytes."""
        count = max(0, before - self.base)
        freed = _size(self.records[:count])
        del self.records[:count], self.appended_at[:count]
        self.base += count
        return freed


class MemoryLog:
    """A log that is forgotten with its process; an `EventLog`."""

    def __init__(self, partitions: int = 1, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """`clock` tells milliseconds since 1970."""
        self._partitions = range(partitions)
        self._clock = clock
        self._lanes = {(name, number): _Lane() for name in STREAMS for number in self._partitions}
        self._cursors: dict[tuple[str, str, int], int] = {}
        self._sleepers = Sleepers()
        self._closed = False

    def partitions(self, stream: Stream) -> range:
        return self._partitions

    def _lane(self, stream: Stream, partition: int) -> _Lane:
        check_partition(partition, self._partitions)
        if self._closed:
            raise Unavailable("The log is closed.")
        return self._lanes[stream.name, partition]

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        return (await self.transact(partition, (Append(stream, records),), ()))[0]

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        volume_of(appends, commits)
        lanes = [self._lane(append.stream, partition) for append in appends]
        for commit in commits:
            self._lane(commit.stream, partition)
            self._cursors[commit.group, commit.stream.name, partition] = commit.position
            if commit.position == FORGOTTEN:
                del self._cursors[commit.group, commit.stream.name, partition]
        now = self._clock()
        firsts = [lane.add(append.records, now) for lane, append in zip(lanes, appends, strict=True)]
        self._sleepers.wake(partition, {append.stream.name for append in appends})
        return firsts

    async def join(self, group: str, stream: Stream, holder: Holder) -> Membership:
        """Every partition falls to whoever joins: one process at a time works for a group."""
        return await join_alone(holder, self._partitions)

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        await self.transact(partition, (), (Commit(group, stream, position),))

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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            lane = self._lane(stream, partition)
            position = max(position, lane.base)
            start = position - lane.base
            found = lane.records[start : start + max_records]
            left = deadline - loop.time()
            if found or left <= 0:
                return Chunk(position, _cut(found, max_bytes))
            await self._sleepers.sleep((stream.name, partition), left)

    async def committed(self, group: str, stream: Stream, partition: int) -> int:
        self._lane(stream, partition)
        return self._cursors.get((group, stream.name, partition), 0)

    async def groups(self, stream: Stream, partition: int) -> set[str]:
        return {group for group, name, number in self._cursors if (name, number) == (stream.name, partition)}

    async def forget(self, group: str, stream: Stream, partition: int) -> None:
        await self.commit(group, stream, partition, FORGOTTEN)

    async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        lane = self._lane(stream, partition)
        return lane.base, lane.end

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        lane = self._lane(stream, partition)
        return max(0, lane.end - max(lane.base, await self.committed(group, stream, partition)))

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        lane = self._lane(stream, partition)
        return lane.base + bisect.bisect_left(lane.appended_at, at)

    async def trim(self, before: int) -> int:
        freed = 0
        for (stream, partition), lane in self._lanes.items():
            places = [
                Place(group, name, at) for (group, name, number), at in self._cursors.items() if number == partition
            ]
            old = lane.base + bisect.bisect_left(lane.appended_at, before)
            freed += lane.forget(passed_by_all(stream, old, places))
        return freed

    async def size_bytes(self) -> int:
        return sum(_size(lane.records) for lane in self._lanes.values())

    async def close(self) -> None:
        """Later calls raise Unavailable."""
        self._closed = True


def _size(records: Sequence[Record]) -> int:
    return sum(len(record.key) + len(record.header) + len(record.value) for record in records)


def _cut(records: list[Record], max_bytes: int) -> list[Record]:
    """The first records that fit, and at least one."""
    for count, record in enumerate(records):
        max_bytes -= len(record.value)
        if max_bytes < 0:
            return records[: max(1, count)]
    return records
