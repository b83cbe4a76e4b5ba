"""Other processes that work on a log, and are killed at it."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from headwater.contracts.eventlog.promising import (
    PATIENCE_SECONDS,
    Backend,
    Clock,
    now,
    record,
)
from headwater.eventlog import Append, Commit, EventLog
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED

Work = Callable[[EventLog, Callable[[int], None], str], Coroutine[Any, Any, None]]


async def append_for_ever(log: EventLog, acknowledge: Callable[[int], None], _name: str) -> None:
    count = 0
    while True:
        size = 1 + count % 3
        await log.append(COLLECTED, 0, [record(count + n, size=700) for n in range(size)])
        for _ in range(size):
            acknowledge(count)
            count += 1


async def transact_for_ever(log: EventLog, acknowledge: Callable[[int], None], _name: str) -> None:
    turn = 0
    while True:
        appends = [Append(PROCESSED, [record(turn, size=700)] * 3), Append(OUTCOMES, [record(turn)])]
        await log.transact(0, appends, [Commit("g", COLLECTED, turn + 1)])
        acknowledge(turn)
        turn += 1


async def append_some(log: EventLog, _acknowledge: Callable[[int], None], name: str) -> None:
    for turn in range(40):
        append = Append(PROCESSED, [record(f"{name}{turn}", size=4_000)])
        await log.transact(0, [append], [Commit(name, COLLECTED, turn + 1)])


async def kill_at_work(work: Work, backend: Backend, folder: Path, *, acknowledgements: int) -> list[int]:
    """Let another process work, and kill it after so many acknowledgements. Returns all that it gave."""
    process, answers = start(work, backend, folder, "")
    given: list[int] = []
    try:
        while len(given) < acknowledgements:
            assert await asyncio.to_thread(answers.poll, PATIENCE_SECONDS), "the other process came to nothing"
            given.append(answers.recv())
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
    with contextlib.suppress(EOFError, OSError):
        while True:
            given.append(answers.recv())
    return given


def start(work: Work, backend: Backend, folder: Path, name: str) -> tuple[Any, Any]:
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
