"""Webhook deliveries a second with 10 and with 1,000 destinations, beside a bare client that makes the same requests.

The log is in memory and filled at once, and every lane has delivered one event before, so that what is measured is
deliver: reading, fanning out, sending, committing. The receiver runs in a process of its own. Each event goes to one
destination, in turn; singles are measured in rounds that alternate, and their medians compared.
"""

import asyncio
import gc
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import aiohttp
import msgspec
import uvloop

from benchmarks.report import quantile, report
from headwater.contracts.delivering import QUICK, Bench, event_record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED

SINGLES, BATCHED, BATCH = 12_000, 200_000, 100
FLYING = 80
ROUNDS = 3
SETTINGS = msgspec.structs.replace(QUICK, grace_seconds=0.5)


class Receiver(asyncio.Protocol):
    """Answers 200 to whatever arrives, at the least cost and with any number of connections."""

    _LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
    _ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        waiting = self._waiting + data
        while (head := waiting.find(b"\r\n\r\n")) >= 0:
            found = self._LENGTH.search(waiting, 0, head + 2)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(waiting) < end:
                break
            waiting = waiting[end:]
            self._transport.write(self._ANSWER)
        self._waiting = waiting


async def receive() -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def receiving() -> Generator[str]:
    """The address of a receiver in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.deliver_rate", "receive"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


async def bare(url: str, requests: int) -> float:
    """Requests a second of the client library alone, with as many under way."""
    body = event_record("m", "s", ()).value
    left = iter(range(requests))

    async def work(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()

    started = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(work(session) for _ in range(FLYING)))
    return requests / (time.perf_counter() - started)


async def rate(folder: Path, url: str, *, destinations: int, events: int, batch: int = 0) -> float:
    """Events a second from the first read to the last commit."""
    bench = Bench(folder, MemoryLog())
    ids = [bench.connect(url=f"{url}/{number}", batch_size=batch) for number in range(destinations)]
    async with bench.delivering(SETTINGS):
        await bench.put(1, *ids)
        await bench.until_committed(seconds=120)
        for first in range(0, events, 10_000):
            records = [
                event_record(f"m{number}", bench.source_id, (ids[number % destinations],))
                for number in range(first, min(first + 10_000, events))
            ]
            await bench.log.append(PROCESSED, 0, records)
        started = time.perf_counter()
        await bench.until_committed(seconds=120)
        taken = time.perf_counter() - started
    parked = len(bench.rows())
    if parked:
        print(f"  ({parked} of {events} events were parked on the way)")
    bench.store.close()
    return events / taken


async def measure(folder: Path, url: str) -> dict[str, float]:
    baseline = await bare(url, SINGLES)
    tens: list[float] = []
    thousands: list[float] = []
    for number in range(ROUNDS):
        tens.append(await rate(folder / f"ten {number}", url, destinations=10, events=SINGLES))
        thousands.append(await rate(folder / f"thousand {number}", url, destinations=1_000, events=SINGLES))
    ten, thousand = quantile(tens, 0.5), quantile(thousands, 0.5)
    batched_ten = await rate(folder / "batched ten", url, destinations=10, events=BATCHED, batch=BATCH)
    batched = await rate(folder / "batched", url, destinations=1_000, events=BATCHED, batch=BATCH)
    return {
        "bare client, requests a second": baseline,
        "10 destinations, singles, events a second": ten,
        "1,000 destinations, singles, events a second": thousand,
        "ratio to the bare client, 10": ten / baseline,
        "ratio 1,000 to 10, singles": thousand / ten,
        "10 destinations, batches, events a second": batched_ten,
        "1,000 destinations, batches, events a second": batched,
        "ratio 1,000 to 10, batches": batched / batched_ten,
    }


def main() -> None:
    if sys.argv[1:] == ["receive"]:
        uvloop.run(receive())
        return
    gc.set_threshold(50_000, 50, 50)
    sys.setswitchinterval(0.001)
    with tempfile.TemporaryDirectory() as folder, receiving() as url:
        figures = uvloop.run(measure(Path(folder), url))
    report("deliver_rate", figures, target="1,000 destinations reach 80 % of 10")


if __name__ == "__main__":
    main()
