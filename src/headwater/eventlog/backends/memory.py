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
    """The records of one stream and partition; `records[i]` stands at `places[i]`.

    `end` is the position after the newest record, and after an append `gap` positions stay unused.
    """

    def __init__(self, gap: int) -> None:
        self._gap = gap
        self._next = 0
        self.end = 0
        self.records: list[Record] = []
        self.places: list[int] = []
        self.appended_at: list[int] = []

    @property
    def oldest(self) -> int:
        return self.places[0] if self.places else self.end

    def add(self, records: Sequence[Record], now: int) -> int:
        first = self._next
        if records:
            at = max(now, self.appended_at[-1]) if self.appended_at else now
            self.end = first + len(records)
            self._next = self.end + self._gap
            self.records += records
            self.places += range(first, self.end)
            self.appended_at += [at] * len(records)
        return first

    def chunk(self, position: int, max_records: int, max_bytes: int) -> Chunk:
        start = bisect.bisect_left(self.places, position)
        found = _cut(self.records[start : start + max_records], max_bytes)
        if not found:
            return Chunk(max(position, self.oldest), found)
        places = self.places[start : start + len(found)]
        return Chunk(places[0], found, places if self._gap else None)

    def appended(self, at: int) -> int:
        """The position of the first record appended at or after an instant."""
        index = bisect.bisect_left(self.appended_at, at)
        return self.places[index] if index < len(self.places) else self.end

    def forget(self, before: int) -> int:
        """Drop what stands before a position. Returns the bytes."""
        count = bisect.bisect_left(self.places, before)
        freed = _size(self.records[:count])
        del self.records[:count], self.places[:count], self.appended_at[:count]
        return freed


class MemoryLog:
    """A log that is forgotten with its process; an `EventLog`."""

    def __init__(
        self,
        partitions: int = 1,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        gaps: bool = False,
    ) -> None:
        """`clock` tells milliseconds since 1970. With `gaps` a position stays unused after each append."""
        self._partitions = range(partitions)
        self._clock = clock
        self._lanes = {(name, number): _Lane(int(gaps)) for name in STREAMS for number in self._partitions}
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

    async def fence(self, group: str, partition: int) -> None:
        """Nothing to do: one process at a time works for a group."""

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
            found = self._lane(stream, partition).chunk(position, max_records, max_bytes)
            left = deadline - loop.time()
            if found.records or left <= 0:
                return found
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
        return lane.oldest, lane.end

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        lane = self._lane(stream, partition)
        return max(0, lane.end - max(lane.oldest, await self.committed(group, stream, partition)))

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        return self._lane(stream, partition).appended(at)

    async def trim(self, before: int) -> int:
        freed = 0
        for (stream, partition), lane in self._lanes.items():
            places = [
                Place(group, name, at) for (group, name, number), at in self._cursors.items() if number == partition
            ]
            freed += lane.forget(passed_by_all(stream, lane.appended(before), places))
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
