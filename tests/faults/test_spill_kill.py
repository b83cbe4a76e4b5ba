"""A process that appends to a log which comes and goes is killed at random instants; nothing acknowledged is lost.

6 rounds by default; HEADWATER_FAULT_ROUNDS asks for more, HEADWATER_FAULT_SEED for other instants.
"""

import asyncio
import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from headwater.contracts.eventlog import record, texts
from headwater.eventlog import Record
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.spilling import NOWHERE, SpillingLog
from headwater.eventlog.streams import COLLECTED, Stream
from headwater.spec.errors import Unavailable

ROUNDS = int(os.environ.get("HEADWATER_FAULT_ROUNDS", "6"))
SEED = int(os.environ.get("HEADWATER_FAULT_SEED", "1"))
PARTITIONS = 2


class ComingAndGoing(SqliteLog):
    """A durable log that is away now and then, and sometimes writes without saying so."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, partitions=PARTITIONS, min_free_bytes=0)
        self._chance = random.Random(seed)
        self._mood = "well"
        self._until = 0.0

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        if time.monotonic() > self._until:
            self._mood = self._chance.choice(["well", "well", "away", "silent"])
            self._until = time.monotonic() + self._chance.uniform(0.005, 0.04)
        if self._mood == "away":
            raise Unavailable("The log is away.")
        first = await super().append(stream, partition, records)
        if self._mood == "silent":
            await asyncio.Event().wait()
        return first


async def open_over(log: SqliteLog, folder: Path, *, patience: float = 0.01) -> SpillingLog:
    spill = SqliteLog(folder / "spill", segment_bytes=130_000, segment_seconds=0.05, min_free_bytes=0)
    return await SpillingLog.open(log, spill, spill_bytes=20_000_000, patience=patience, probe_seconds=0.005)


def append_for_ever(folder: Path, seed: int, starts: list[int], acknowledged: Connection) -> None:
    """In another process: each partition gets numbered records one after the other, each told once it is durable."""

    async def write(log: SpillingLog, partition: int) -> None:
        for turn in itertools.count(starts[partition]):
            position = await log.append(COLLECTED, partition, [record(turn, size=3_000)])
            acknowledged.send((partition, turn, position == NOWHERE))

    async def run() -> None:
        log = await open_over(ComingAndGoing(folder / "log", seed), folder)
        acknowledged.send((0, -1, False))
        await asyncio.gather(*(write(log, partition) for partition in range(PARTITIONS)))

    asyncio.run(run())


def one_round(folder: Path, seed: int, starts: list[int], seconds: float) -> tuple[list[int], int]:
    """Let a process append, and kill it. Returns where each partition goes on, and how many records were spilled."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["headwater.eventlog.backends.sqlite", "headwater.contracts.eventlog"])
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=append_for_ever, args=(folder, seed, starts, theirs))
    process.start()
    theirs.close()
    assert answers.poll(30), "the process did not come up"
    time.sleep(seconds)
    process.kill()
    process.join()
    following, spilled = list(starts), 0
    try:
        while True:
            partition, turn, was_spilled = answers.recv()
            following[partition] = max(following[partition], turn + 1)
            spilled += was_spilled
    except (EOFError, OSError):
        return following, spilled


async def arrived(folder: Path) -> list[list[str]]:
    """What the log holds, without repeats, once the spill is drained."""
    log = SqliteLog(folder / "log", partitions=PARTITIONS, min_free_bytes=0)
    over = await open_over(log, folder, patience=2.0)
    async with asyncio.timeout(60):
        while over.spilling:
            await asyncio.sleep(0.01)
    chunks = [await log.read(COLLECTED, number, 0, max_records=10**6, max_bytes=10**9) for number in range(PARTITIONS)]
    await over.close()
    return [list(dict.fromkeys(texts(chunk.records))) for chunk in chunks]


@pytest.mark.timeout(60 + 6 * ROUNDS)
def test_what_was_spilled_outlives_a_kill_at_any_instant(tmp_path: Path) -> None:
    instants = random.Random(SEED)
    starts, spilled = [0] * PARTITIONS, 0
    for number in range(ROUNDS):
        starts, more = one_round(tmp_path, SEED + number, starts, instants.uniform(0.05, 0.4))
        spilled += more
    assert spilled, "nothing was spilled"
    for found, following in zip(asyncio.run(arrived(tmp_path)), starts, strict=True):
        turns = [int(text) for text in found]
        assert turns == list(range(len(turns))), "records are missing or out of order"
        assert len(turns) >= following, f"{following - len(turns)} acknowledged records are lost"
