"""Promises about cursors, lag, transactions, refusals and times."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

from headwater.contracts.eventlog.promising import (
    PARTITIONS,
    PATIENCE_SECONDS,
    Backend,
    SetClock,
    always,
    opened,
    read_all,
    read_places,
    record,
    texts,
)
from headwater.eventlog import Append, Commit
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED


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
                chunk = await log.read(stream, 0, first, max_records=1, wait=PATIENCE_SECONDS)
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
