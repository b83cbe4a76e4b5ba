"""Promises of logs that outlive their process: after a kill, beside other processes, with a torn tail."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headwater.contracts.eventlog.killing import append_for_ever, append_some, kill_at_work, start, transact_for_ever
from headwater.contracts.eventlog.promising import (
    PATIENCE_SECONDS,
    Backend,
    SetClock,
    durable,
    filled,
    now,
    opened,
    read_all,
    record,
    texts,
    torn,
)
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED


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
        acknowledged = await kill_at_work(append_for_ever, backend, folder, acknowledgements=60)
        async with opened(backend, folder) as log:
            found = texts(await read_all(log, COLLECTED, gaps=backend.gaps))[before:]
            assert found[: len(acknowledged)] == [str(n) for n in range(len(acknowledged))]
            assert found == [str(n) for n in range(len(found))], "what was not acknowledged came twice or out of order"
            assert await log.append(COLLECTED, 0, [record("later")]) == before + len(found)


@durable
async def a_killed_process_leaves_whole_transactions(backend: Backend, folder: Path) -> None:
    acknowledged = await kill_at_work(transact_for_ever, backend, folder, acknowledgements=60)
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
        writers = [start(append_some, backend, folder, name) for name in names]
        found: list[str] = []
        position = 0
        while len(found) < 40 * len(names):
            chunk = await log.read(PROCESSED, 0, position, wait=PATIENCE_SECONDS)
            assert chunk.first == position or backend.gaps
            assert chunk.records, f"after {len(found)} records nothing came any more"
            found += texts(chunk.records)
            position = chunk.next
            await log.commit("reader", PROCESSED, 0, position)
            await log.trim(now() + 60_000)
        for process, _ in writers:
            await asyncio.to_thread(process.join, PATIENCE_SECONDS)
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
        await filled(log, clock)
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


@torn
async def a_torn_tail_costs_only_what_was_never_acknowledged(backend: Backend, folder: Path) -> None:
    assert backend.tear is not None
    acknowledged = await kill_at_work(append_for_ever, backend, folder, acknowledgements=60)
    await asyncio.to_thread(backend.tear, folder)
    async with opened(backend, folder) as log:
        found = texts(await read_all(log, COLLECTED, gaps=backend.gaps))
        assert found == [str(n) for n in range(len(found))]
        assert len(found) >= len(acknowledged)
        assert await log.append(COLLECTED, 0, [record("later")]) == len(found)
    async with opened(backend, folder) as log:
        assert texts(await read_all(log, COLLECTED, gaps=backend.gaps)) == [*found, "later"]
