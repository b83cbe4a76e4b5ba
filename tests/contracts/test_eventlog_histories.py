"""Whatever is asked of it in whatever order, the log on SQLite answers as the one in memory does."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.contracts.eventlog import SetClock, read_all, record
from headwater.eventlog import Append, Commit, EventLog
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED, STREAMS, Stream

groups = st.sampled_from(["a", "b"])
streams = st.sampled_from([COLLECTED, PROCESSED, OUTCOMES])
sizes = st.lists(st.integers(0, 20_000), max_size=5)
commits = st.builds(Commit, groups, streams, st.integers(0, 40))
steps = st.one_of(
    st.tuples(st.just("append"), streams, sizes),
    st.tuples(st.just("transact"), st.tuples(sizes, sizes), st.lists(commits, max_size=3)),
    st.tuples(st.just("commit"), commits),
    st.tuples(st.just("read"), streams, st.integers(0, 60), st.integers(1, 12)),
    st.tuples(st.just("position_at"), streams, st.integers(0, 60_000)),
    st.tuples(st.just("trim"), st.integers(0, 60_000)),
    st.tuples(st.just("wait"), st.integers(-1_000, 5_000)),
    st.tuples(st.just("reopen")),
)


class Pair:
    """The two logs, asked the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SetClock()
        self.number = 0
        self.model = MemoryLog(clock=self.clock)
        self.log = self.open()

    def open(self) -> SqliteLog:
        return SqliteLog(self.folder, segment_bytes=120_000, segment_seconds=10.0, min_free_bytes=0, clock=self.clock)

    def records(self, lengths: list[int]) -> list:
        self.number += len(lengths)
        return [record(self.number - n, size=length) for n, length in enumerate(lengths)]

    async def take(self, step: tuple) -> None:
        await getattr(self, step[0])(*step[1:])

    async def append(self, stream: Stream, lengths: list[int]) -> None:
        batch = self.records(lengths)
        assert await self.log.append(stream, 0, batch) == await self.model.append(stream, 0, batch)

    async def transact(self, lengths: tuple[list[int], list[int]], commits: list[Commit]) -> None:
        appends = [Append(PROCESSED, self.records(lengths[0])), Append(OUTCOMES, self.records(lengths[1]))]
        assert await self.log.transact(0, appends, commits) == await self.model.transact(0, appends, commits)

    async def commit(self, commit: Commit) -> None:
        for log in (self.log, self.model):
            await log.commit(commit.group, commit.stream, 0, commit.position)

    async def read(self, stream: Stream, position: int, most: int) -> None:
        position = max(position, (await self.model.bounds(stream, 0))[0])
        found, expected = [await log.read(stream, 0, position, max_records=most) for log in (self.log, self.model)]
        first, records = found.first, found.records
        while found.records and len(records) < len(expected.records):  # a read may end where a segment does
            found = await self.log.read(stream, 0, position + len(records), max_records=most - len(records))
            assert found.first == position + len(records)
            records = [*records, *found.records]
        assert (first, records) == (expected.first, expected.records)

    async def position_at(self, stream: Stream, at: int) -> None:
        oldest = (await self.model.bounds(stream, 0))[0]
        found, expected = [await log.position_at(stream, 0, at) for log in (self.log, self.model)]
        assert max(found, oldest) == expected

    async def trim(self, before: int) -> None:
        for log in (self.log, self.model):
            await log.trim(before)

    async def wait(self, milliseconds: int) -> None:
        self.clock.at += milliseconds

    async def reopen(self) -> None:
        await self.log.close()
        self.log = self.open()

    async def compare(self) -> None:
        for stream in STREAMS.values():
            (kept_from, end), (oldest, expected_end) = [await log.bounds(stream, 0) for log in (self.log, self.model)]
            assert end == expected_end
            assert kept_from <= oldest, "the log on SQLite drops whole segments, so it keeps at least as much"
            kept = await read_all(self.log, stream, position=oldest)
            assert kept == await read_all(self.model, stream)
            await self.compare_cursors(stream)

    async def compare_cursors(self, stream: Stream) -> None:
        pair: tuple[EventLog, EventLog] = (self.log, self.model)
        for group in ("a", "b", "nobody"):
            found, expected = [await log.committed(group, stream, 0) for log in pair]
            assert found == expected
        await self.commit(Commit("late", stream, (await self.model.bounds(stream, 0))[1]))
        assert [await log.lag("late", stream, 0) for log in pair] == [0, 0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=5, max_size=40))
def test_both_logs_tell_the_same_history(history: list[tuple]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            pair = Pair(Path(folder))
            try:
                for step in history:
                    await pair.take(step)
                await pair.compare()
            finally:
                await pair.log.close()

    asyncio.run(run())
