"""A log that goes on where another ended."""

import asyncio

from headwater.eventlog import Append, Commit, Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.shifted import Shifted, shifted
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED

STARTS = {("collected", 0): 100, ("processed", 0): 1_000}


def _records(*values: str) -> list[Record]:
    return [Record(b"k", b"h", value.encode()) for value in values]


def test_positions_go_on_where_the_old_log_ended_and_a_partition_that_is_new_counts_from_0() -> None:
    async def scenario() -> None:
        inner = MemoryLog(partitions=2)
        log = Shifted(inner, STARTS)
        assert await log.bounds(COLLECTED, 0) == (100, 100)
        assert await log.append(COLLECTED, 0, _records("a", "b", "c")) == 100
        assert await log.append(COLLECTED, 1, _records("d")) == 0
        chunk = await log.read(COLLECTED, 0, 0)
        assert (chunk.first, list(chunk.positions), chunk.next) == (100, [100, 101, 102], 103)
        assert [record.value for record in (await log.read(COLLECTED, 0, 101)).records] == [b"b", b"c"]
        assert (await log.read(COLLECTED, 0, 103)).first == 103
        firsts = await log.transact(
            0, [Append(PROCESSED, _records("x", "y")), Append(OUTCOMES, _records("z"))], [Commit("g", PROCESSED, 1_001)]
        )
        assert firsts == [1_000, 0]
        assert await log.committed("g", PROCESSED, 0) == 1_001
        assert await inner.committed("g", PROCESSED, 0) == 1
        assert await log.lag("g", PROCESSED, 0) == 1
        assert await log.position_at(COLLECTED, 0, 0) == 100

    asyncio.run(scenario())


def test_a_group_that_is_new_stands_at_0_until_it_is_made_known() -> None:
    async def scenario() -> None:
        log = Shifted(MemoryLog(), STARTS)
        assert await log.committed("new", PROCESSED, 0) == 0
        await log.commit("new", PROCESSED, 0, 0)
        assert await log.groups(PROCESSED, 0) == {"new"}
        await log.forget("new", PROCESSED, 0)
        assert await log.groups(PROCESSED, 0) == set()

    asyncio.run(scenario())


def test_a_house_that_was_never_moved_has_its_log_as_it_is() -> None:
    log = MemoryLog()
    assert shifted(log, {}) is log
