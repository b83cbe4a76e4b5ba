"""The spill: what is acknowledged while the log is away is in the log in the end, in order."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from headwater.contracts.eventlog import record, texts
from headwater.eventlog import EventLog, Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.spilling import NOWHERE, SpillingLog
from headwater.eventlog.streams import COLLECTED, PROCESSED, Stream
from headwater.spec.errors import Unavailable

PATIENCE = 0.03
MOODS = ("well", "away", "hangs", "forgets to say", "says no")


class MoodyLog(MemoryLog):
    """A log that can be away, hang, or hold records without ever saying so; each partition has its mood."""

    def __init__(self, partitions: int = 1) -> None:
        super().__init__(partitions)
        self.moods = dict.fromkeys(range(partitions), "well")
        self.sizes: list[int] = []

    def be(self, mood: str) -> None:
        self.moods = dict.fromkeys(self.moods, mood)

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        mood = self.moods[partition]
        self.sizes.append(len(records))
        if mood == "hangs":
            await asyncio.Event().wait()
        if mood == "away":
            raise Unavailable("The log is away.")
        first = await super().append(stream, partition, records)
        if mood == "forgets to say":
            await asyncio.Event().wait()
        if mood == "says no":
            raise Unavailable("The log did not hear from its disk.")
        return first


async def spilling(log: EventLog, spill: EventLog, *, spill_bytes: int = 10_000_000) -> SpillingLog:
    return await SpillingLog.open(log, spill, spill_bytes=spill_bytes, patience=PATIENCE, probe_seconds=0.005)


async def kill() -> None:
    """Leave everything as it stands, as a process does that is killed."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("spill")]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until_drained(over: SpillingLog) -> None:
    async with asyncio.timeout(20):
        while over.spilling:
            await asyncio.sleep(0.002)


async def arrived(log: EventLog, partition: int = 0) -> list[str]:
    """What the log holds, without repeats."""
    found = await log.read(COLLECTED, partition, 0, max_records=1_000_000, max_bytes=1_000_000_000)
    return list(dict.fromkeys(texts(found.records)))


def test_while_the_log_is_well_appends_go_straight_to_it() -> None:
    async def run() -> None:
        log, spill = MoodyLog(), MemoryLog()
        over = await spilling(log, spill)
        assert [await over.append(COLLECTED, 0, [record(n), record(n)]) for n in range(3)] == [0, 2, 4]
        assert await over.append(PROCESSED, 0, [record("p")]) == 0
        assert await spill.bounds(COLLECTED, 0) == (0, 0)
        assert await over.bounds(COLLECTED, 0) == (0, 6)
        assert not over.spilling
        await over.close()

    asyncio.run(run())


def test_what_comes_while_the_log_is_away_follows_in_order_when_it_is_back() -> None:
    async def run() -> None:
        for mood in MOODS[1:]:
            log = MoodyLog()
            over = await spilling(log, MemoryLog())
            await over.append(COLLECTED, 0, [record("before")])
            log.be(mood)
            assert [await over.append(COLLECTED, 0, [record(n)]) for n in range(5)] == [NOWHERE] * 5
            assert over.spilling
            log.be("well")
            await over.append(COLLECTED, 0, [record("after")])
            await until_drained(over)
            assert await arrived(log) == ["before", *"01234", "after"], mood
            assert await over.append(COLLECTED, 0, [record("later")]) != NOWHERE
            await over.close()

    asyncio.run(run())


def test_only_the_first_append_waits_for_a_log_that_hangs() -> None:
    async def run() -> None:
        log = MoodyLog()
        over = await spilling(log, MemoryLog())
        log.be("hangs")
        await over.append(COLLECTED, 0, [record("first")])
        asked = len(log.sizes)
        await asyncio.gather(*(over.append(COLLECTED, 0, [record(n)]) for n in range(50)))
        assert len(log.sizes) <= asked + 1, "only the probe asks"
        assert set(log.sizes) == {1}, "a probe is one record"
        await over.let_go()

    asyncio.run(run())


def test_a_partition_that_is_away_leaves_the_others_in_peace() -> None:
    async def run() -> None:
        log = MoodyLog(partitions=3)
        over = await spilling(log, MemoryLog())
        log.moods[1] = "hangs"
        assert await over.append(COLLECTED, 1, [record("a")]) == NOWHERE
        log.moods[2] = "away"
        assert await over.append(COLLECTED, 2, [record("b")]) == NOWHERE
        log.moods[2] = "well"
        assert await over.append(COLLECTED, 0, [record("c")]) == 0
        async with asyncio.timeout(20):
            while await over.append(COLLECTED, 2, [record("d")]) == NOWHERE:
                await asyncio.sleep(0.002)
        assert over.spilling
        log.be("well")
        await until_drained(over)
        assert [await arrived(log, partition) for partition in range(3)] == [["c"], ["a"], ["b", "d"]]
        await over.let_go()

    asyncio.run(run())


def test_a_full_spill_refuses_at_once_and_takes_again_when_it_was_drained(tmp_path: Path) -> None:
    async def run() -> None:
        log = MoodyLog()
        spill = SqliteLog(tmp_path, segment_bytes=200_000, segment_seconds=0.05, min_free_bytes=0)
        over = await SpillingLog.open(
            log, spill, spill_bytes=3_000_000, patience=PATIENCE, probe_seconds=0.005, tidy_seconds=0.06
        )
        log.be("hangs")
        kept: list[str] = []
        refused = None
        while refused is None and len(kept) < 1_000:
            try:
                await over.append(COLLECTED, 0, [record(len(kept), size=20_000)])
                kept.append(str(len(kept)))
            except Unavailable as error:
                refused = error
        assert refused is not None
        assert refused.retry_after == 5.0
        assert 1_000_000 < await spill.size_bytes() < 3_500_000
        log.be("well")
        await until_drained(over)
        assert await arrived(log) == kept
        await over.append(COLLECTED, 0, [record("again")])
        async with asyncio.timeout(20):
            while await spill.size_bytes() > 1_000_000:
                await asyncio.sleep(0.01)
        await over.let_go()

    asyncio.run(run())


def test_what_an_earlier_process_left_comes_before_what_is_new(tmp_path: Path) -> None:
    async def run() -> None:
        log = MoodyLog(partitions=2)
        log.be("away")
        over = await spilling(log, SqliteLog(tmp_path, min_free_bytes=0))
        for number in range(6):
            await over.append(COLLECTED, number % 2, [record(number)])
        await over.let_go()
        over = await spilling(log, SqliteLog(tmp_path, min_free_bytes=0))
        assert over.spilling
        assert await over.append(COLLECTED, 0, [record("new")]) == NOWHERE
        log.be("well")
        await until_drained(over)
        assert await arrived(log) == ["0", "2", "4", "new"]
        assert await arrived(log, 1) == ["1", "3", "5"]
        await over.let_go()
        over = await spilling(log, SqliteLog(tmp_path, min_free_bytes=0))
        assert not over.spilling
        await over.let_go()

    asyncio.run(run())


def test_it_catches_up_although_more_comes_all_the_time() -> None:
    async def run() -> None:
        log = MoodyLog()
        over = await spilling(log, MemoryLog())
        log.be("away")
        await over.append(COLLECTED, 0, [record(n) for n in range(30_000)])
        log.be("well")
        sent = [str(n) for n in range(30_000)]
        async with asyncio.timeout(20):
            position = NOWHERE
            while position == NOWHERE:
                await asyncio.sleep(0)
                sent.append(f"live{len(sent)}")
                position = await over.append(COLLECTED, 0, [record(sent[-1])])
        assert not over.spilling
        assert await arrived(log) == sent
        await over.let_go()

    asyncio.run(run())


def test_records_of_a_log_that_had_more_partitions_find_their_place() -> None:
    async def run() -> None:
        wide, spill = MoodyLog(partitions=8), MemoryLog()
        wide.be("away")
        over = await spilling(wide, spill)
        for partition in range(8):
            await over.append(COLLECTED, partition, [record(partition)])
        await kill()
        narrow = MoodyLog(partitions=2)
        over = await spilling(narrow, spill)
        await until_drained(over)
        assert sorted([*await arrived(narrow, 0), *await arrived(narrow, 1)]) == list("01234567")
        await over.let_go()

    asyncio.run(run())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 1), st.integers(1, 3)),
        st.tuples(st.just("mood"), st.integers(0, 1), st.sampled_from(MOODS)),
        st.just(("kill", 0, 0)),
        st.just(("pause", 0, 0)),
    ),
    max_size=25,
)


@given(steps)
def test_whatever_happens_what_was_acknowledged_arrives_in_order(steps: list[tuple[str, int, object]]) -> None:
    async def run() -> None:
        log, spill = MoodyLog(partitions=2), MemoryLog()
        over = await SpillingLog.open(log, spill, spill_bytes=10**9, patience=0.002, probe_seconds=0.001)
        acknowledged: dict[int, list[str]] = {0: [], 1: []}
        for number, (what, partition, detail) in enumerate(steps):
            if what == "append":
                assert isinstance(detail, int)
                names = [f"{number}.{index}" for index in range(detail)]
                await over.append(COLLECTED, partition, [record(name) for name in names])
                acknowledged[partition] += names
            elif what == "mood":
                log.moods[partition] = str(detail)
            elif what == "kill":
                await kill()
                over = await SpillingLog.open(log, spill, spill_bytes=10**9, patience=0.002, probe_seconds=0.001)
            else:
                await asyncio.sleep(0.002)
        log.be("well")
        await until_drained(over)
        for partition, names in acknowledged.items():
            assert await arrived(log, partition) == names
        await over.let_go()

    asyncio.run(run())
