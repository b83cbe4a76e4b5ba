"""A disk that is full or fails refuses appends while it lasts, leaves nothing half done, and recovers by itself."""

import asyncio
import contextlib
import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headwater.contracts.eventlog import read_all, record, texts
from headwater.eventlog import Append, Commit
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.segments import connect, segment_path
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.spec.errors import SetupError, Unavailable


class Disk:
    """How much room the test says there is."""

    def __init__(self) -> None:
        self.free = 1_000

    def __call__(self, _folder: Path) -> int:
        return self.free


@contextmanager
def writes_fail_beyond(size: int) -> Generator[None]:
    """The kernel refuses to let any file grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [1, 40_000, 100_000])
def test_a_failing_write_is_refused_and_the_next_one_succeeds(tmp_path: Path, limit: int) -> None:
    async def run() -> None:
        log = SqliteLog(tmp_path, min_free_bytes=0)
        await log.append(COLLECTED, 0, [record("before")])
        with writes_fail_beyond(limit), pytest.raises(Unavailable):
            for _ in range(20):
                await log.append(COLLECTED, 0, [record("during", size=20_000)])
        taken = texts(await read_all(log, COLLECTED))
        assert await log.append(COLLECTED, 0, [record("after")]) == len(taken)
        await log.close()
        log = SqliteLog(tmp_path, min_free_bytes=0)
        assert texts(await read_all(log, COLLECTED)) == [*taken, "after"]
        await log.close()

    asyncio.run(run())


def test_a_roll_that_fails_is_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        log = SqliteLog(tmp_path, segment_bytes=150_000, min_free_bytes=0)
        accepted = 0
        with writes_fail_beyond(60_000):
            for _ in range(10):
                try:
                    await log.append(COLLECTED, 0, [record(accepted, size=8_000)])
                    accepted += 1
                except Unavailable:
                    continue
        for _ in range(40):
            assert await log.append(COLLECTED, 0, [record(accepted, size=8_000)]) == accepted
            accepted += 1
        assert texts(await read_all(log, COLLECTED)) == [str(number) for number in range(accepted)]
        await log.close()

    asyncio.run(run())


def test_a_full_disk_takes_nothing_in_but_lets_work_move_on(tmp_path: Path) -> None:
    disk = Disk()
    work = [Append(PROCESSED, [record("a")])], [Commit("g", COLLECTED, 1)]

    async def run() -> None:
        log = SqliteLog(tmp_path, min_free_bytes=1_000, free_bytes=disk)
        await log.append(COLLECTED, 0, [record("a")])
        disk.free = 999
        with pytest.raises(Unavailable, match="999 bytes left and must keep 1000"):
            await log.append(COLLECTED, 0, [record("b")])
        assert await log.transact(0, *work) == [0]
        disk.free = 499
        with pytest.raises(Unavailable):
            await log.transact(0, *work)
        await log.commit("g", COLLECTED, 0, 7)
        disk.free = 1_000
        assert await log.append(COLLECTED, 0, [record("c")]) == 1
        assert await log.committed("g", COLLECTED, 0) == 7
        await log.close()

    asyncio.run(run())


def test_a_refused_append_does_not_hold_up_a_cursor_of_the_same_moment(tmp_path: Path) -> None:
    disk = Disk()

    async def run() -> None:
        log = SqliteLog(tmp_path, min_free_bytes=2_000, free_bytes=disk)
        refused, committed = await asyncio.gather(
            log.append(PROCESSED, 0, [record("a")]), log.commit("g", PROCESSED, 0, 3), return_exceptions=True
        )
        assert isinstance(refused, Unavailable)
        assert committed is None
        assert await log.committed("g", PROCESSED, 0) == 3
        await log.close()

    asyncio.run(run())


def test_a_commit_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    """No test can pull the plug; SQLite keeps this promise of a connection that is set so."""

    async def run() -> None:
        await SqliteLog(tmp_path).close()

    asyncio.run(run())
    with contextlib.closing(connect(segment_path(tmp_path / "collected-0000", 0))) as connection:
        told = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "fullfsync")}
        assert told == {"synchronous": 2, "fullfsync": 1}
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_write_ahead_log_is_used_over_again(tmp_path: Path) -> None:
    """A small commit writes a whole page; were the log not used again, these would leave 65 MB."""

    async def run() -> int:
        log = SqliteLog(tmp_path, min_free_bytes=0)
        for number in range(4_000):
            await log.commit("g", COLLECTED, 0, number)
        size = await log.size_bytes()
        await log.close()
        return size

    assert asyncio.run(run()) < 50_000_000


def test_a_log_is_not_opened_with_another_number_of_partitions(tmp_path: Path) -> None:
    async def run() -> None:
        await SqliteLog(tmp_path, partitions=2).close()
        with pytest.raises(SetupError, match="has 2 partitions"):
            SqliteLog(tmp_path, partitions=3)
        await SqliteLog(tmp_path, partitions=2).close()

    asyncio.run(run())
