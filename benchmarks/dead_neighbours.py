"""What 100 dead destinations of 1,000 cost the 900 others: the age of their events, beside a run with those 100 well.

A third of the dead refuse connections, a third hang, a third answer 500, and all do so from the beginning. Each event
goes to one destination, in turn, at a steady rate. Turns with the 100 well and with the 100 dead alternate, each with a
store of its own; a dead turn is compared with the two well ones around it, so that what the machine does otherwise
cancels out, and the median over the rounds counts. A turn is told of in two halves: in the first the house learns who
is dead, in the second, if turns are long enough, circuit breakers are open. What is measured is deliver: the log is in
memory, filled in the same process, and the receiver, which notes how old events are on arrival, has a process of its
own.
"""

import argparse
import asyncio
import gc
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import uvloop

from benchmarks.report import quantile, report
from headwater.contracts.delivering import Bench, event_record
from headwater.contracts.doubles import refusing_port
from headwater.eventlog import Record
from headwater.eventlog.streams import PROCESSED
from headwater.spec.settings import DeliverSettings
from headwater.store import workspace as workspaces

DESTINATIONS, DEAD = 1_000, 100
EVENTS_PER_SECOND, SECONDS, ROUNDS = 800, 60.0, 2
TICK = 0.02
SETTINGS = DeliverSettings(allowed_addresses=("127.0.0.0/8",))
HALVES = ("at first", "later")
REFUSE, HANG, FAIL, GOOD, NOTED = "refuse", "hang", "fail", "good", "noted"


class Receiver(asyncio.Protocol):
    """Answers as the path says, and notes the ages of events that come to a path with NOTED in it."""

    ages: list[float] = []  # noqa: RUF012 - of all connections
    _LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
    _SENT = re.compile(rb'"sent":([\d.]+)')
    _ANSWER = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b"

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
            self._answer(waiting[: waiting.index(b"\r\n")].decode(), waiting[head:end])
            waiting = waiting[end:]
        self._waiting = waiting

    def _answer(self, line: str, body: bytes) -> None:
        if line.startswith("GET"):
            self._write(b"200 OK", json.dumps(self.ages).encode())
            self.ages.clear()
        elif FAIL in line:
            self._write(b"500 No")
        elif HANG not in line:
            if NOTED in line and (sent := self._SENT.search(body)):
                self.ages.append(time.time() - float(sent[1]))
            self._write(b"200 OK")

    def _write(self, status: bytes, body: bytes = b"") -> None:
        self._transport.write(self._ANSWER % (status, len(body), body))


async def receive() -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def receiving() -> Generator[str]:
    """The address of a receiver in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.dead_neighbours", "--receive"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def taken(url: str) -> list[float]:
    """The ages noted since the last look, in milliseconds."""
    with urllib.request.urlopen(url) as answer:
        return [age * 1_000 for age in json.load(answer)]


def connect_all(bench: Bench, urls: list[str]) -> list[str]:
    """Webhooks to these addresses, made in one transaction."""
    make = partial(workspaces.create_destination, source_id=bench.source_id, definition="webhook")

    def make_all(connection: Any) -> list[str]:
        return [make(connection, name=f"No. {n}", settings={"url": url}).id for n, url in enumerate(urls)]

    return bench.store.run(make_all)


def record(bench: Bench, number: int, destination_id: str) -> Record:
    """An event that says when it was sent."""
    made = event_record(f"m{number}", bench.source_id, (destination_id,))
    body = msgspec.json.decode(made.value)
    body["properties"]["sent"] = round(time.time(), 4)
    return msgspec.structs.replace(made, value=msgspec.json.encode(body))


class Turn(msgspec.Struct, frozen=True):
    """The ages of the 900's events on arrival, in milliseconds, and the CPU of the sender, in seconds: of each half."""

    ages: tuple[list[float], list[float]]
    cpu: tuple[float, float]


async def turn(folder: Path, sink: str, hundred: list[str], *, rate: int, seconds: float) -> Turn:
    """What the 900 get beside a hundred with these addresses."""
    bench = Bench(folder)
    ids = connect_all(bench, [*hundred, *(f"{sink}/{NOTED}/{n}" for n in range(DESTINATIONS - DEAD))])
    # So that those of the hundred have their turns all the time, and not one after the other.
    ids = [ids[number * 7 % DESTINATIONS] for number in range(DESTINATIONS)]
    async with bench.delivering(SETTINGS, fresh_every=1.0):
        await bench.put(1, *ids)
        await bench.until_committed(seconds=120)
        await asyncio.to_thread(taken, sink)
        gc.collect()  # what connecting a thousand leaves behind is not what the dead cost
        first = await _half(bench, sink, ids, 0, rate=rate, seconds=seconds / 2)
        second = await _half(bench, sink, ids, int(rate * seconds / 2), rate=rate, seconds=seconds / 2)
    bench.store.close()
    return Turn((first[0], second[0]), (first[1], second[1]))


async def _half(
    bench: Bench, sink: str, ids: list[str], number: int, *, rate: int, seconds: float
) -> tuple[list[float], float]:
    """Put events to one destination after the other, from a number on, and wait until all are dealt with."""
    begin, cpu, started = number, time.process_time(), time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        due = begin + int(passed * rate)
        records = [record(bench, each, ids[each % DESTINATIONS]) for each in range(number, due)]
        number = due
        if records:
            await bench.log.append(PROCESSED, 0, records)
        await asyncio.sleep(TICK)
    await bench.until_committed(seconds=120)
    cpu = time.process_time() - cpu
    return await asyncio.to_thread(taken, sink), cpu


async def measured(sink: str, port: int, *, rate: int, seconds: float, rounds: int) -> dict[str, float | str]:
    each = DEAD // 3
    well = [f"{sink}/{GOOD}/{number}" for number in range(DEAD)]
    dead = [f"http://127.0.0.1:{port}/{REFUSE}/{number}" for number in range(DEAD - 2 * each)]
    dead += [f"{sink}/{way}/{number}" for way in (HANG, FAIL) for number in range(each)]
    turns: list[Turn] = []
    for number in range(2 * rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            found = await turn(Path(folder), sink, dead if number % 2 else well, rate=rate, seconds=seconds)
        for half, ages, cpu in zip(HALVES, found.ages, found.cpu, strict=True):
            told = f"{len(ages)} events, p99 {quantile(ages, 0.99):.1f} ms, CPU {cpu:.2f} s"
            print(f"  (100 {'dead' if number % 2 else 'well'}, {half}: {told})", flush=True)
        turns.append(found)
    figures: dict[str, float | str] = {}
    for place, half in enumerate(HALVES):
        for name, share in {"p50": 0.5, "p99": 0.99}.items():
            figures |= compared(f"{half}, {name}, ms", [quantile(each.ages[place], share) for each in turns])
        figures |= compared(f"{half}, CPU, s", [each.cpu[place] for each in turns])
    return figures


def compared(name: str, values: list[float]) -> dict[str, float | str]:
    """The figures of turns that alternate, the first and the last with the 100 well."""
    ratios = [
        values[place] / statistics.mean((values[place - 1], values[place + 1])) for place in range(1, len(values), 2)
    ]
    return {
        f"100 well: {name}": statistics.median(values[::2]),
        f"100 dead: {name}": statistics.median(values[1::2]),
        f"100 dead / 100 well: {name.rpartition(',')[0]}": statistics.median(ratios),
        f"100 dead / 100 well: {name.rpartition(',')[0]}, least to most": f"{min(ratios):.2f} to {max(ratios):.2f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="dead_neighbours", description=str(__doc__).splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long a turn is")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many turns there are with the dead")
    parser.add_argument("--rate", type=int, default=EVENTS_PER_SECOND, help="events a second, over all destinations")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.receive:
        uvloop.run(receive())
        return
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    sys.setswitchinterval(0.001)
    with receiving() as sink, refusing_port() as port:
        figures = uvloop.run(measured(sink, port, rate=chosen.rate, seconds=chosen.seconds, rounds=chosen.rounds))
    report("dead_neighbours", figures, target="the 900 others' p99 moves by less than 10 %")


if __name__ == "__main__":
    main()
