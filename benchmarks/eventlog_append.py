"""What the log on SQLite costs over plain files: appends a second, beside group commits into one file and fdatasync.

The baseline has the same callers, the same thread, the same encoding and the same answers; it only keeps nothing but
the bytes. So the ratio is the price of positions, cursors, several processes and retention.
"""

import asyncio
import os
import queue
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import uvloop

from benchmarks.report import quantile, report
from headwater.eventlog import Record
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.streams import COLLECTED

SECONDS = 2.0
ROUNDS = 3
Append = Callable[[Sequence[Record]], Awaitable[object]]
Waiting = tuple[Sequence[Record], asyncio.Future[None]]


class PlainFile:
    """The least that is durable: whatever waits is written at the end of a file and synced."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def append(self, records: Sequence[Record]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put((records, future))
        await future

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            while not self._waiting.empty() and (another := self._waiting.get()) is not None:
                group.append(another)
            os.write(self._file, msgspec.msgpack.encode([record for records, _ in group for record in records]))
            os.fdatasync(self._file)
            group[0][1].get_loop().call_soon_threadsafe(answer, group)

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()
        os.close(self._file)


def answer(group: list[Waiting]) -> None:
    for _, future in group:
        future.set_result(None)


async def saturate(append: Append, batch: Sequence[Record], callers: int) -> float:
    """Appends a second, with so many callers who each wait for their own."""
    count = 0
    end = time.perf_counter() + SECONDS

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await append(batch)
            count += 1

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - started)


async def latencies(append: Append, batch: Sequence[Record], rate: int) -> list[float]:
    """Milliseconds of each append, at an even rate."""
    taken: list[float] = []
    started = time.perf_counter()
    for number in range(int(rate * SECONDS)):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        before = time.perf_counter()
        await append(batch)
        taken.append((time.perf_counter() - before) * 1000)
    return taken


async def read_rate(log: SqliteLog) -> float:
    """Records a second, from the first to the last."""
    started, position = time.perf_counter(), 0
    while (chunk := await log.read(COLLECTED, 0, position)).records:
        position = chunk.next
    return position / (time.perf_counter() - started)


async def idle_cpu(log: SqliteLog) -> float:
    """Share of one core that a reader costs while nothing comes."""
    _, end = await log.bounds(COLLECTED, 0)
    await log.read(COLLECTED, 0, end, wait=0.5)
    before = time.process_time()
    await log.read(COLLECTED, 0, end, wait=SECONDS)
    return (time.process_time() - before) / SECONDS


async def compare(folder: Path, batch: Sequence[Record], callers: int) -> tuple[float, float, float]:
    """Medians of appends a second into a plain file and into the log, taking turns; and records read a second."""
    plain_rates: list[float] = []
    rates: list[float] = []
    reads: list[float] = []
    for number in range(ROUNDS):
        plain = PlainFile(folder / f"plain{number}")
        plain_rates.append(await saturate(plain.append, batch, callers))
        plain.close()
        log = SqliteLog(folder / f"log{number}", min_free_bytes=0)
        rates.append(await saturate(lambda records, log=log: log.append(COLLECTED, 0, records), batch, callers))
        reads.append(await read_rate(log))
        await log.close()
    return quantile(plain_rates, 0.5), quantile(rates, 0.5), quantile(reads, 0.5)


async def measure(folder: Path) -> dict[str, float]:
    batch = [Record(b"source/user-%d" % n, b"h" * 60, os.urandom(600)) for n in range(100)]
    plain, single, _ = await compare(folder / "single", batch[:1], 400)
    plain_hundred, hundred, read = await compare(folder / "hundred", batch, 64)
    file = PlainFile(folder / "paced")
    paced_plain = await latencies(file.append, batch[:1], 100)
    file.close()
    log = SqliteLog(folder / "log", min_free_bytes=0)
    paced = await latencies(lambda records: log.append(COLLECTED, 0, records), batch[:1], 100)
    idle = await idle_cpu(log)
    await log.close()
    return {
        "plain file, appends of one a second": plain,
        "log, appends of one a second": single,
        "ratio, one": single / plain,
        "plain file, records a second in hundreds": plain_hundred * 100,
        "log, records a second in hundreds": hundred * 100,
        "ratio, hundreds": hundred / plain_hundred,
        "log, records read a second": read,
        "plain file at 100 a second p50, ms": quantile(paced_plain, 0.5),
        "log at 100 a second p50, ms": quantile(paced, 0.5),
        "log at 100 a second p99, ms": quantile(paced, 0.99),
        "CPU of an idle reader": idle,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for part in ("single", "hundred"):
            (Path(folder) / part).mkdir()
        figures = uvloop.run(measure(Path(folder)))
    report("eventlog_append", figures, target="25k appends of one, 300k records in hundreds, 500k read, idle < 1 %")


if __name__ == "__main__":
    main()
