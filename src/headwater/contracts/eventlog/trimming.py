"""Promises about what is forgotten, and about the end."""

from __future__ import annotations

import contextlib
from pathlib import Path

from headwater.contracts.eventlog.promising import (
    Backend,
    SetClock,
    always,
    filled,
    now,
    opened,
    read_all,
    record,
    texts,
)
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.spec.errors import Unavailable


@always
async def trim_drops_what_everybody_has_passed(backend: Backend, folder: Path) -> None:
    clock = SetClock()
    async with opened(backend, folder, clock) as log:
        await filled(log, clock)
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
        await filled(log, clock)
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
        await filled(log, clock)
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
        await filled(log, clock)
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
