"""Writers are killed at random instants while segments roll as often as they can; nothing acknowledged is lost.

30 rounds by default; HEADWATER_FAULT_ROUNDS asks for more, HEADWATER_FAULT_SEED for other instants.
"""

import asyncio
import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from headwater.contracts.eventlog import read_all, record, texts
from headwater.eventlog import Append, Commit, segments
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.retention import Head
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED

ROUNDS = int(os.environ.get("HEADWATER_FAULT_ROUNDS", "30"))
SEED = int(os.environ.get("HEADWATER_FAULT_SEED", "1"))
WRITERS = ("a", "b")


def open_log(folder: Path) -> SqliteLog:
    """Segments so small that almost every second transaction rolls to a new one."""
    return SqliteLog(folder, segment_bytes=130_000, min_free_bytes=0)


def write_for_ever(folder: Path, name: str, start: int, acknowledged: Connection) -> None:
    """In another process: numbered transactions as fast as they go, each told once it is acknowledged."""

    async def run() -> None:
        log = open_log(folder)
        acknowledged.send(-1)
        for turn in itertools.count(start):
            appends = [Append(PROCESSED, [record(f"{name}{turn}", size=9_000)] * 2), Append(OUTCOMES, [record(name)])]
            await log.transact(0, appends, [Commit(name, COLLECTED, turn + 1)])
            acknowledged.send(turn)

    asyncio.run(run())


class Round:
    """Both writers at work, until they are killed at the same instant."""

    def __init__(self, folder: Path, starts: dict[str, int]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["headwater.eventlog.backends.sqlite", "headwater.contracts.eventlog"])
        self.last = {name: start - 1 for name, start in starts.items()}
        self.writers: dict[str, tuple[Any, Connection]] = {}
        for name, start in starts.items():
            answers, ours = context.Pipe(duplex=False)
            process = context.Process(target=write_for_ever, args=(folder, name, start, ours))
            process.start()
            ours.close()
            self.writers[name] = (process, answers)
        for _, answers in self.writers.values():
            assert answers.poll(30), "a writer did not come up"

    def kill(self) -> dict[str, int]:
        """Kill both. Returns the last turn that each was told is durable."""
        for process, _ in self.writers.values():
            process.kill()
        for name, (process, answers) in self.writers.items():
            process.join()
            self.last[name] = max(self.last[name], last_of(answers))
        return self.last


def last_of(answers: Connection) -> int:
    last = -1
    try:
        while True:
            last = answers.recv()
    except (EOFError, OSError):
        return last


async def check(folder: Path, acknowledged: dict[str, int]) -> dict[str, int]:
    """Everything acknowledged is there, once, in order, whole. Returns where each writer goes on."""
    log = open_log(folder)
    processed, outcomes = texts(await read_all(log, PROCESSED)), texts(await read_all(log, OUTCOMES))
    following: dict[str, int] = {}
    for name, last in acknowledged.items():
        turns = outcomes.count(name)
        assert turns > last, f"{last - turns + 1} acknowledged transactions of {name} are lost"
        assert [text for text in processed if text[0] == name] == [f"{name}{turn // 2}" for turn in range(2 * turns)]
        assert await log.committed(name, COLLECTED, 0) == turns
        following[name] = turns
    assert processed[::2] == processed[1::2], "the records of one append do not stay together"
    await log.close()
    return following


@pytest.mark.timeout(60 + 6 * ROUNDS)
def test_rolling_survives_being_killed_at_any_instant(tmp_path: Path) -> None:
    instants = random.Random(SEED)
    starts: dict[str, int] = {}
    for number in range(ROUNDS):
        folder = tmp_path / str(number // 10)
        starts = starts if folder.exists() else dict.fromkeys(WRITERS, 0)
        work = Round(folder, starts)
        time.sleep(instants.uniform(0, 0.12))
        starts = asyncio.run(check(folder, work.kill()))
    written = sum(len(segments.segment_numbers(folder)) for folder in tmp_path.glob("*/processed-0000"))
    assert written > ROUNDS, "the log hardly rolled"


def test_a_segment_that_never_became_valid_is_made_again(tmp_path: Path) -> None:
    """Death between making the next segment and sealing this one: the next holds positions that no longer hold."""

    async def run() -> None:
        log = open_log(tmp_path)
        await log.append(COLLECTED, 0, [record("a")])
        folder = tmp_path / "collected-0000"
        segments.make_segment(segments.segment_path(folder, 1), {"collected": Head(1, 0)}, [], created_at=0)
        (folder / "0000000002.new").write_bytes(b"the beginning of a file")
        assert await log.append(COLLECTED, 0, [record("b")] * 5) == 1
        await log.close()
        log = open_log(tmp_path)
        for turn in range(20):
            assert await log.append(COLLECTED, 0, [record(turn, size=20_000)]) == 6 + turn
        assert texts(await read_all(log, COLLECTED)) == ["a", *"bbbbb", *map(str, range(20))]
        assert len(segments.segment_numbers(folder)) > 2
        await log.close()

    asyncio.run(run())


@pytest.mark.parametrize("damage", ["cut", "garble"])
def test_a_write_ahead_log_that_ends_badly_costs_the_last_commit_alone(tmp_path: Path, damage: str) -> None:
    """The machine died while the third append was on its way to the disk: any part of it may have arrived."""

    async def run() -> None:
        pages = await written_by_three_appends(tmp_path / "whole")
        for number, place in enumerate(range(pages[1], pages[2], 3_001)):
            folder = tmp_path / f"{damage}{number}"
            copy(tmp_path / "whole", folder, DAMAGES[damage], place)
            log = SqliteLog(folder, min_free_bytes=0)
            found = texts(await read_all(log, COLLECTED))
            assert found == ["1"] * 3 + ["2"] * 3
            assert await log.append(COLLECTED, 0, [record("later")]) == 6
            await log.close()
            log = SqliteLog(folder, min_free_bytes=0)
            assert texts(await read_all(log, COLLECTED)) == [*found, "later"]
            await log.close()

    asyncio.run(run())


def cut(content: bytes, place: int) -> bytes:
    return content[:place]


def garble(content: bytes, place: int) -> bytes:
    """One bit fell, and what comes after has not arrived."""
    return content[:place] + bytes([content[place] ^ 1]) + bytes(len(content) - place - 1)


DAMAGES: dict[str, Callable[[bytes, int], bytes]] = {"cut": cut, "garble": garble}
WAL = Path("collected-0000", "0000000000.sqlite-wal")


async def written_by_three_appends(folder: Path) -> list[int]:
    """How long the write-ahead log was after each, with a copy of the files as the last one left them."""
    log = SqliteLog(folder / "live", min_free_bytes=0)
    lengths: list[int] = []
    for turn in "123":
        await log.append(COLLECTED, 0, [record(turn, size=9_000)] * 3)
        lengths.append((folder / "live" / WAL).stat().st_size)
    copy(folder / "live", folder, cut, lengths[-1])
    await log.close()
    return lengths


def copy(source: Path, target: Path, damage: Callable[[bytes, int], bytes], place: int) -> None:
    for file in sorted(source.rglob("*.sqlite*")):
        if "live" in file.relative_to(source).parts or file.name.endswith("-shm"):
            continue
        there = target / file.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        there.write_bytes(damage(content, place) if file.relative_to(source) == WAL else content)
