"""What every backend of the event log must keep: the promises of `headwater.eventlog`, one function each.

For authors of backends: describe yours in a `Backend` and call every function of `promises(backend)` with it and an
empty folder of its own. Each raises AssertionError when the promise is broken. Nothing here needs a test framework.

    @pytest.mark.parametrize("promise", promises(MINE), ids=lambda promise: promise.__name__)
    def test_my_log_keeps(promise, tmp_path):
        promise(MINE, tmp_path)
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from headwater.eventlog import Append, Commit, EventLog, Moved, Record
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED, Stream
from headwater.spec.errors import Unavailable

Clock = Callable[[], int]
PARTITIONS = 2
_PATIENCE_SECONDS = 60.0


class Backend(msgspec.Struct, frozen=True):
    """How the promises open a backend, and which of them it makes.

    `open` is a function of a module that other processes can import. It opens the log that belongs to a folder, with
    two partitions, segments as small as they get, and a clock in milliseconds for when records are appended.
    `durable` logs outlive their process and may be opened by several; in `shared` ones these share the partitions of a
    group. Logs with `gaps` do not number their records without one. `tear` does to the folder what a machine does
    that dies while it writes.
    """

    open: Callable[[Path, Clock], EventLog]
    durable: bool
    shared: bool = False
    gaps: bool = False
    tear: Callable[[Path], None] | None = None


Promise = Callable[[Backend, Path], None]
_always: list[Promise] = []
_durable: list[Promise] = []
_shared: list[Promise] = []
_torn: list[Promise] = []


def promises(backend: Backend) -> list[Promise]:
    """The promises that a backend makes."""
    return [
        *_always,
        *(_durable if backend.durable else ()),
        *(_shared if backend.shared else ()),
        *(_torn if backend.tear else ()),
    ]


def _promise(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    def run(backend: Backend, folder: Path) -> None:
        asyncio.run(asyncio.wait_for(check(backend, folder), 2 * _PATIENCE_SECONDS))

    run.__name__ = check.__name__
    run.__doc__ = check.__doc__
    return run


def always(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of every backend."""
    _always.append(promise := _promise(check))
    return promise


def durable(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of backends that outlive their process."""
    _durable.append(promise := _promise(check))
    return promise


def shared(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of backends whose partitions several processes share."""
    _shared.append(promise := _promise(check))
    return promise


def torn(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of backends that say how they are torn."""
    _torn.append(promise := _promise(check))
    return promise


class SetClock:
    """A clock that stands where it is put, in milliseconds."""

    def __init__(self, at: int = 1_000) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def now() -> int:
    """The real time in milliseconds since 1970; a clock that other processes can import."""
    return time.time_ns() // 1_000_000


def record(text: object, size: int = 0) -> Record:
    """A record that can be told apart by a text, of at least so many bytes."""
    return Record(b"key", b"header", str(text).encode().ljust(size, b"."))


def texts(records: Sequence[Record]) -> list[str]:
    """The texts that records were made of."""
    return [one.value.decode().rstrip(".") for one in records]


@contextlib.asynccontextmanager
async def opened(backend: Backend, folder: Path, clock: Clock = now) -> AsyncGenerator[EventLog]:
    """The log of a folder, closed afterwards."""
    log = backend.open(folder, clock)
    try:
        yield log
    finally:
        await log.close()


async def read_all(
    log: EventLog, stream: Stream, partition: int = 0, *, position: int = 0, count: int = 0, gaps: bool = False
) -> list[Record]:
    """Everything from a position on, checking that the positions rise, and have no gap where there may be none.

    `count` records at least are waited for: what a transaction wrote may be read a moment after it returned.
    """
    return list((await read_places(log, stream, partition, position=position, count=count, gaps=gaps)).values())


async def read_places(
    log: EventLog, stream: Stream, partition: int = 0, *, position: int = 0, count: int = 0, gaps: bool = False
) -> dict[int, Record]:
    """The same, with where each record stands."""
    found: dict[int, Record] = {}

    def wait() -> float:
        return _PATIENCE_SECONDS if len(found) < count else 0.0

    while (chunk := await log.read(stream, partition, position, wait=wait())).records:
        places = list(chunk.positions)
        assert len(places) == len(chunk.records)
        assert chunk.first == places[0] >= position
        assert places == sorted(set(places)), f"positions do not rise: {places}"
        if found and not gaps:
            assert chunk.first == position, f"read from {position} and got {chunk.first}"
        if not gaps:
            assert places == list(range(places[0], places[-1] + 1))
        found.update(chunk.placed())
        position = chunk.next
    return found


@always
async def positions_count_from_zero_without_a_gap(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        assert await log.bounds(COLLECTED, 0) == (0, 0)
        firsts = [await log.append(COLLECTED, 0, [record(n)] * count) for n, count in enumerate((1, 3, 1, 200, 1))]
        assert firsts == [0, 1, 4, 5, 205]
        assert await log.bounds(COLLECTED, 0) == (0, 206)


@always
async def records_come_back_as_they_were_appended(backend: Backend, folder: Path) -> None:
    kept = [
        Record(b"", b"", b""),
        Record(bytes(range(256)), b"\x00\xff", bytes(range(256)) * 4),
        Record("schlüssel".encode(), b"{}", b"x" * 3_000_000),
        Record(b"k", b"h", b"after a large one"),
    ]
    async with opened(backend, folder) as log:
        await log.append(PROCESSED, 1, kept)
        found = await read_all(log, PROCESSED, 1, count=len(kept), gaps=backend.gaps)
        assert found == kept, f"found values of {[len(one.value) for one in found]} bytes"


@always
async def records_of_one_append_stay_together_in_the_order_of_appends(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:

        async def caller(name: int) -> None:
            for turn in range(10):
                batch = [record(f"{name}/{turn}/{n}") for n in range(1 + (name + turn) % 4)]
                first = await log.append(COLLECTED, 0, batch)
                mine[name] += [(first + n, f"{name}/{turn}/{n}") for n in range(len(batch))]

        mine: list[list[tuple[int, str]]] = [[] for _ in range(20)]
        await asyncio.gather(*(caller(name) for name in range(20)))
        found = texts(await read_all(log, COLLECTED, gaps=backend.gaps))
        assert len(found) == sum(map(len, mine))
        for places in mine:
            assert places == sorted(places, key=lambda place: place[0])
            assert [found[position] for position, _ in places] == [text for _, text in places]


@always
async def streams_and_partitions_do_not_mix(backend: Backend, folder: Path) -> None:
    lanes = [(stream, partition) for stream in (COLLECTED, PROCESSED, OUTCOMES) for partition in range(PARTITIONS)]
    async with opened(backend, folder) as log:
        assert log.partitions(COLLECTED) == range(PARTITIONS)
        for stream, partition in lanes:
            assert await log.append(stream, partition, [record(f"{stream.name}{partition}")]) == 0
        for stream, partition in lanes:
            assert texts(await read_all(log, stream, partition, gaps=backend.gaps)) == [f"{stream.name}{partition}"]


@always
async def reading_keeps_to_its_maxima(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        await log.append(COLLECTED, 0, [record(n, size=1_000) for n in range(500)])
        chunk = await log.read(COLLECTED, 0, 123, max_records=10)
        assert (chunk.first, texts(chunk.records), chunk.next) == (123, [str(n) for n in range(123, 133)], 133)
        assert len((await log.read(COLLECTED, 0, 0, max_records=1_000)).records) == 500
        few = await log.read(COLLECTED, 0, 100, max_bytes=20_000)
        assert 1 <= len(few.records) <= 40, f"{len(few.records)} records of 1,000 bytes for 20,000 bytes"
        assert len((await log.read(COLLECTED, 0, 100, max_bytes=1)).records) == 1


@always
async def reading_at_the_end_finds_nothing(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for position in (0, 7):
            chunk = await log.read(COLLECTED, 0, position)
            assert (chunk.first, chunk.records, chunk.next) == (position, [], position)
        await log.append(COLLECTED, 0, [record("a")])
        chunk = await log.read(COLLECTED, 0, 1, wait=0.01)
        assert (chunk.first, chunk.records) == (1, [])


@always
async def a_waiting_read_wakes_up_for_a_record(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for turn in range(20):
            waiting = asyncio.create_task(log.read(PROCESSED, 0, turn, wait=_PATIENCE_SECONDS))
            await asyncio.sleep(0.001 * (turn % 5))
            await log.append(PROCESSED, 0, [record(turn)])
            assert texts((await waiting).records) == [str(turn)]


@always
async def a_cursor_belongs_to_a_group_stream_and_partition(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        await log.append(COLLECTED, 0, [record(n) for n in range(9)])
        assert await log.committed("g", COLLECTED, 0) == 0
        await log.commit("g", COLLECTED, 0, 7)
        await log.commit("h", COLLECTED, 0, 2)
        assert await log.committed("g", COLLECTED, 0) == 7
        assert await log.committed("h", COLLECTED, 0) == 2
        assert await log.committed("g", COLLECTED, 1) == 0
        assert await log.committed("g", PROCESSED, 0) == 0
        await log.commit("g", COLLECTED, 0, 3)
        assert await log.committed("g", COLLECTED, 0) == 3


@always
async def lag_counts_what_a_group_has_not_dealt_with(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        await log.append(OUTCOMES, 1, [record(n) for n in range(9)])
        assert await log.lag("g", OUTCOMES, 1) == 9
        await log.commit("g", OUTCOMES, 1, 4)
        assert await log.lag("g", OUTCOMES, 1) == 5
        assert await log.lag("g", OUTCOMES, 0) == 0


@always
async def a_transaction_appends_to_several_streams_and_sets_cursors(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        await log.append(COLLECTED, 0, [record(n) for n in range(5)])
        for turn in range(3):
            appends = [Append(PROCESSED, [record(turn)] * 2), Append(OUTCOMES, [record(turn)])]
            firsts = await log.transact(0, appends, [Commit("p", COLLECTED, turn + 1)])
            assert backend.gaps or firsts == [2 * turn, turn]
            for stream, first in zip((PROCESSED, OUTCOMES), firsts, strict=True):
                chunk = await log.read(stream, 0, first, max_records=1, wait=_PATIENCE_SECONDS)
                assert texts(chunk.records) == [str(turn)]
        assert await log.committed("p", COLLECTED, 0) == 3
        assert texts(await read_all(log, PROCESSED, count=6, gaps=backend.gaps)) == ["0", "0", "1", "1", "2", "2"]
        assert texts(await read_all(log, OUTCOMES, count=3, gaps=backend.gaps)) == ["0", "1", "2"]
        assert await log.transact(0, [], []) == []


@always
async def transactions_at_the_same_time_do_not_mix(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:

        async def work(name: int) -> None:
            for turn in range(5):
                batch = [record(f"{name}/{turn}")] * 3
                appends = [Append(PROCESSED, batch), Append(OUTCOMES, batch[:1]), Append(PROCESSED, batch[:1])]
                places[name, turn] = await log.transact(0, appends, [Commit(f"g{name}", COLLECTED, turn + 1)])

        places: dict[tuple[int, int], list[int]] = {}
        await asyncio.gather(*(work(name) for name in range(20)))
        processed, outcomes = [
            await read_places(log, stream, count=count, gaps=backend.gaps)
            for stream, count in ((PROCESSED, 400), (OUTCOMES, 100))
        ]
        assert Counter(texts(list(processed.values()))) == {f"{name}/{turn}": 4 for name, turn in places}
        assert Counter(texts(list(outcomes.values()))) == {f"{name}/{turn}": 1 for name, turn in places}
        for (name, turn), (first, outcome, second) in places.items():
            assert texts([processed[first], outcomes[outcome], processed[second]]) == [f"{name}/{turn}"] * 3
            if not backend.gaps:
                assert texts([processed[first + 1], processed[first + 2]]) == [f"{name}/{turn}"] * 2
        assert {await log.committed(f"g{name}", COLLECTED, 0) for name in range(20)} == {5}


@always
async def what_is_refused_changes_nothing(backend: Backend, folder: Path) -> None:
    mixed = [Append(PROCESSED, [record("a")]), Append(COLLECTED, [record("a")])]
    async with opened(backend, folder) as log:
        with contextlib.suppress(ValueError):
            await log.transact(0, mixed, [Commit("g", COLLECTED, 1)])
            raise AssertionError("a transaction over two volumes was accepted")
        with contextlib.suppress(ValueError):
            await log.transact(0, [Append(PROCESSED, [record("a")])], [Commit("g", COLLECTED, -1)])
            raise AssertionError("a cursor before the first record was accepted")
        for partition in (-1, PARTITIONS):
            with contextlib.suppress(ValueError):
                await log.append(COLLECTED, partition, [record("a")])
                raise AssertionError(f"an append to partition {partition} of {PARTITIONS} was accepted")
        assert await log.bounds(PROCESSED, 0) == await log.bounds(COLLECTED, 0) == (0, 0)
        assert await log.committed("g", COLLECTED, 0) == 0


@always
async def position_at_finds_the_first_record_of_a_time(backend: Backend, folder: Path) -> None:
    clock = SetClock()
    async with opened(backend, folder, clock) as log:
        assert await log.position_at(COLLECTED, 0, 5) == 0
        for at in (10_000, 20_000, 20_000, 15_000, 30_000):  # a clock that is put back does not undo the order
            clock.at = at
            await log.append(COLLECTED, 0, [record(at, size=2_000)] * 10)
        for at, position in ((0, 0), (10_000, 0), (10_001, 10), (20_000, 10), (20_001, 40), (30_000, 40), (30_001, 50)):
            assert await log.position_at(COLLECTED, 0, at) == position


async def _filled(log: EventLog, clock: SetClock) -> None:
    """Ten times ten records, each time an hour later, in `collected` and `processed`."""
    for turn in range(10):
        clock.at += 3_600_000
        batch = [record(turn, size=4_000) for _ in range(10)]
        await log.append(COLLECTED, 0, batch)
        await log.append(PROCESSED, 0, batch)
    clock.at += 3_600_000


@always
async def trim_drops_what_everybody_has_passed(backend: Backend, folder: Path) -> None:
    clock = SetClock()
    async with opened(backend, folder, clock) as log:
        await _filled(log, clock)
        before = await log.size_bytes()
        for group in ("a", "b"):
            await log.commit(group, COLLECTED, 0, 100)
            await log.commit(group, PROCESSED, 0, 100)
        freed = await log.trim(clock.at)
        oldest, following = await log.bounds(COLLECTED, 0)
        assert 0 < oldest <= following == 100
        assert freed > 0
        assert await log.size_bytes() < before
        chunk = await log.read(COLLECTED, 0, 0)
        assert chunk.first == oldest
        assert await log.lag("nobody", COLLECTED, 0) == following - oldest
        assert await log.append(COLLECTED, 0, [record("next")]) == 100


@always
async def trim_keeps_what_one_group_has_not_passed(backend: Backend, folder: Path) -> None:
    clock = SetClock()
    async with opened(backend, folder, clock) as log:
        await _filled(log, clock)
        await log.commit("quick", COLLECTED, 0, 100)
        await log.commit("slow", COLLECTED, 0, 35)
        await log.trim(clock.at)
        oldest, _ = await log.bounds(COLLECTED, 0)
        assert oldest <= 35
        assert texts(await read_all(log, COLLECTED, position=35, gaps=backend.gaps))[:6] == [
            "3",
            "3",
            "3",
            "3",
            "3",
            "4",
        ]
        assert await log.bounds(PROCESSED, 0) == (0, 100), "nobody has read this stream, and somebody may yet"


@always
async def a_group_that_is_forgotten_holds_nothing_back(backend: Backend, folder: Path) -> None:
    clock = SetClock()
    async with opened(backend, folder, clock) as log:
        await _filled(log, clock)
        await log.commit("quick", COLLECTED, 0, 100)
        await log.commit("gone", COLLECTED, 0, 0)
        assert await log.groups(COLLECTED, 0) == {"quick", "gone"}
        await log.trim(clock.at)
        assert (await log.bounds(COLLECTED, 0))[0] == 0
        await log.forget("gone", COLLECTED, 0)
        assert await log.groups(COLLECTED, 0) == {"quick"}
        assert await log.committed("gone", COLLECTED, 0) == 0
        await log.trim(clock.at)
        assert (await log.bounds(COLLECTED, 0))[0] > 0


@always
async def trim_keeps_what_is_younger(backend: Backend, folder: Path) -> None:
    clock = SetClock()
    async with opened(backend, folder, clock) as log:
        await _filled(log, clock)
        await log.commit("g", COLLECTED, 0, 100)
        await log.trim(clock.at - 5 * 3_600_000 - 1_800_000)
        assert (await log.bounds(COLLECTED, 0))[0] <= 50
        assert texts(await read_all(log, COLLECTED, position=50, gaps=backend.gaps)) == [
            str(n) for n in range(5, 10) for _ in range(10)
        ]


@always
async def a_closed_log_says_so(backend: Backend, folder: Path) -> None:
    log = backend.open(folder, now)
    await log.append(COLLECTED, 0, [record("a")])
    await log.close()
    with contextlib.suppress(Unavailable):
        await log.append(COLLECTED, 0, [record("b")])
        raise AssertionError("a closed log took a record")


@durable
async def what_was_appended_outlives_a_closed_log(backend: Backend, folder: Path) -> None:
    for turn in range(3):
        async with opened(backend, folder) as log:
            assert await log.committed("g", COLLECTED, 0) == turn
            assert await log.append(COLLECTED, 0, [record(turn, size=500)] * 30) == 30 * turn
            await log.commit("g", COLLECTED, 0, turn + 1)
    async with opened(backend, folder) as log:
        assert texts(await read_all(log, COLLECTED, gaps=backend.gaps)) == [
            str(turn) for turn in range(3) for _ in range(30)
        ]


@durable
async def what_was_acknowledged_outlives_a_killed_process(backend: Backend, folder: Path) -> None:
    for _ in range(2):
        async with opened(backend, folder) as log:
            before = (await log.bounds(COLLECTED, 0))[1]
        acknowledged = await _kill(_append_for_ever, backend, folder, acknowledgements=60)
        async with opened(backend, folder) as log:
            found = texts(await read_all(log, COLLECTED, gaps=backend.gaps))[before:]
            assert found[: len(acknowledged)] == [str(n) for n in range(len(acknowledged))]
            assert found == [str(n) for n in range(len(found))], "what was not acknowledged came twice or out of order"
            assert await log.append(COLLECTED, 0, [record("later")]) == before + len(found)


@durable
async def a_killed_process_leaves_whole_transactions(backend: Backend, folder: Path) -> None:
    acknowledged = await _kill(_transact_for_ever, backend, folder, acknowledgements=60)
    async with opened(backend, folder) as log:
        await log.fence("g", 0)
        turns = len(await read_all(log, OUTCOMES, gaps=backend.gaps))
        assert turns >= len(acknowledged)
        assert texts(await read_all(log, PROCESSED, gaps=backend.gaps)) == [
            str(turn) for turn in range(turns) for _ in range(3)
        ]
        assert await log.committed("g", COLLECTED, 0) == turns


@durable
async def several_processes_write_read_and_trim_at_once(backend: Backend, folder: Path) -> None:
    names = ["a", "b", "c"]
    async with opened(backend, folder) as log:
        writers = [_start(_append_some, backend, folder, name) for name in names]
        found: list[str] = []
        position = 0
        while len(found) < 40 * len(names):
            chunk = await log.read(PROCESSED, 0, position, wait=_PATIENCE_SECONDS)
            assert chunk.first == position or backend.gaps
            assert chunk.records, f"after {len(found)} records nothing came any more"
            found += texts(chunk.records)
            position = chunk.next
            await log.commit("reader", PROCESSED, 0, position)
            await log.trim(now() + 60_000)
        for process, _ in writers:
            await asyncio.to_thread(process.join, _PATIENCE_SECONDS)
            assert process.exitcode == 0
        for name in names:
            assert [text for text in found if text.startswith(name)] == [f"{name}{n}" for n in range(40)]
            assert await log.committed(name, COLLECTED, 0) == 40
        assert await log.bounds(PROCESSED, 0) == (await log.position_at(PROCESSED, 0, 0), position)


@durable
async def a_reader_carries_on_when_another_process_trims(backend: Backend, folder: Path) -> None:
    """The one that trims is only another opening of the same folder: what a reader holds is its own in any case."""
    clock = SetClock()
    async with opened(backend, folder, clock) as log, opened(backend, folder, clock) as reader:
        await _filled(log, clock)
        chunk = await reader.read(COLLECTED, 0, 0, max_records=3)
        await log.commit("g", COLLECTED, 0, 100)
        await log.commit("g", PROCESSED, 0, 100)
        assert await log.trim(clock.at) > 0
        found, position = chunk.records, chunk.next
        while position < 100:
            chunk = await reader.read(COLLECTED, 0, position)
            assert chunk.next > position, "the reader does not get any further"
            found, position = [*found, *chunk.records], chunk.next
        assert texts(found) == sorted(texts(found))
        assert await reader.append(COLLECTED, 0, [record("next")]) == 100
        assert texts((await log.read(COLLECTED, 0, 100)).records) == ["next"]
        assert await reader.bounds(COLLECTED, 0) == await log.bounds(COLLECTED, 0)


class Kept(msgspec.Struct):
    """A holder that writes down what falls to it."""

    partitions: set[int] = msgspec.field(default_factory=set)

    async def take(self, partitions: Sequence[int]) -> None:
        """See Holder."""
        assert not self.partitions & set(partitions), "a partition came twice"
        self.partitions |= set(partitions)

    async def give_back(self, partitions: Sequence[int]) -> None:
        """See Holder."""
        assert self.partitions >= set(partitions), "a partition went that was not there"
        self.partitions -= set(partitions)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - two logs, whose events are their own
            await asyncio.sleep(0.01)


@always
async def every_partition_falls_to_the_only_worker(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for _ in range(2):
            kept = Kept()
            membership = await log.join("g", COLLECTED, kept)
            await _until(lambda kept=kept: kept.partitions == set(range(PARTITIONS)))
            await membership.leave()
            assert not kept.partitions


@always
async def a_group_goes_on_committing_after_it_fenced(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for turn in range(3):
            await log.fence("g", 0)
            await log.transact(0, [Append(OUTCOMES, [record(turn)])], [Commit("g", COLLECTED, turn + 1)])
        assert await log.committed("g", COLLECTED, 0) == 3
        assert texts(await read_all(log, OUTCOMES, count=3, gaps=backend.gaps)) == ["0", "1", "2"]


@shared
async def whoever_was_fenced_commits_no_more(backend: Backend, folder: Path) -> None:
    def chunk(text: str, position: int) -> tuple[list[Append], list[Commit]]:
        return [Append(OUTCOMES, [record(text)])], [Commit("g", COLLECTED, position)]

    async with opened(backend, folder) as one, opened(backend, folder) as other:
        await one.fence("g", 0)
        await one.transact(0, *chunk("one", 1))
        await other.fence("g", 0)
        for _ in range(2):
            try:
                await one.transact(0, *chunk("stale", 9))
                raise AssertionError("a worker that was shut out committed")
            except Moved:
                pass
        await other.transact(0, *chunk("other", 2))
        await one.transact(1, *chunk("elsewhere", 1))
        await one.fence("g", 0)
        await one.transact(0, *chunk("again", 3))
        assert texts(await read_all(one, OUTCOMES, count=3, gaps=backend.gaps)) == ["one", "other", "again"]
        assert await other.committed("g", COLLECTED, 0) == 3


@shared
async def workers_share_the_partitions_and_take_over_from_each_other(backend: Backend, folder: Path) -> None:
    everything = set(range(PARTITIONS))
    async with opened(backend, folder) as log, opened(backend, folder) as elsewhere:
        one, other = Kept(), Kept()
        staying = await log.join("g", COLLECTED, one)
        await _until(lambda: one.partitions == everything)
        leaving = await elsewhere.join("g", COLLECTED, other)
        await _until(lambda: bool(other.partitions) and one.partitions | other.partitions == everything)
        assert not one.partitions & other.partitions
        await leaving.leave()
        await _until(lambda: one.partitions == everything)
        await staying.leave()


@shared
async def what_a_killed_worker_left_half_done_is_never_read(backend: Backend, folder: Path) -> None:
    """The next worker gets on at once, and finds either all of the last transaction or nothing."""
    await _kill(_transact_for_ever, backend, folder, acknowledgements=5)
    async with opened(backend, folder) as log:
        await log.fence("g", 0)
        turns = await log.committed("g", COLLECTED, 0)
        await log.transact(0, [Append(PROCESSED, [record("mine")])], [Commit("g", COLLECTED, turns + 1)])
        found = texts(await read_all(log, PROCESSED, count=3 * turns + 1, gaps=backend.gaps))
        assert found == [*(str(turn) for turn in range(turns) for _ in range(3)), "mine"]


@torn
async def a_torn_tail_costs_only_what_was_never_acknowledged(backend: Backend, folder: Path) -> None:
    assert backend.tear is not None
    acknowledged = await _kill(_append_for_ever, backend, folder, acknowledgements=60)
    await asyncio.to_thread(backend.tear, folder)
    async with opened(backend, folder) as log:
        found = texts(await read_all(log, COLLECTED, gaps=backend.gaps))
        assert found == [str(n) for n in range(len(found))]
        assert len(found) >= len(acknowledged)
        assert await log.append(COLLECTED, 0, [record("later")]) == len(found)
    async with opened(backend, folder) as log:
        assert texts(await read_all(log, COLLECTED, gaps=backend.gaps)) == [*found, "later"]


Work = Callable[[EventLog, Callable[[int], None], str], Coroutine[Any, Any, None]]


async def _append_for_ever(log: EventLog, acknowledge: Callable[[int], None], _name: str) -> None:
    count = 0
    while True:
        size = 1 + count % 3
        await log.append(COLLECTED, 0, [record(count + n, size=700) for n in range(size)])
        for _ in range(size):
            acknowledge(count)
            count += 1


async def _transact_for_ever(log: EventLog, acknowledge: Callable[[int], None], _name: str) -> None:
    turn = 0
    while True:
        appends = [Append(PROCESSED, [record(turn, size=700)] * 3), Append(OUTCOMES, [record(turn)])]
        await log.transact(0, appends, [Commit("g", COLLECTED, turn + 1)])
        acknowledge(turn)
        turn += 1


async def _append_some(log: EventLog, _acknowledge: Callable[[int], None], name: str) -> None:
    for turn in range(40):
        append = Append(PROCESSED, [record(f"{name}{turn}", size=4_000)])
        await log.transact(0, [append], [Commit(name, COLLECTED, turn + 1)])


async def _kill(work: Work, backend: Backend, folder: Path, *, acknowledgements: int) -> list[int]:
    """Let another process work, and kill it after so many acknowledgements. Returns all that it gave."""
    process, answers = _start(work, backend, folder, "")
    given: list[int] = []
    try:
        while len(given) < acknowledgements:
            assert await asyncio.to_thread(answers.poll, _PATIENCE_SECONDS), "the other process came to nothing"
            given.append(answers.recv())
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
    with contextlib.suppress(EOFError, OSError):
        while True:
            given.append(answers.recv())
    return given


def _start(work: Work, backend: Backend, folder: Path, name: str) -> tuple[Any, Any]:
    context = multiprocessing.get_context("spawn")
    answers, ours = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, backend.open, folder, ours, name))
    process.start()
    ours.close()
    return process, answers


def _work(work: Work, open_log: Callable[[Path, Clock], EventLog], folder: Path, ours: Connection, name: str) -> None:
    """In another process."""

    async def run() -> None:
        log = open_log(folder, now)
        await work(log, ours.send, name)
        await log.close()

    asyncio.run(run())
