"""What people who watch events cost the house: the rate at which it takes events in, with 0 and 20 live views open.

The views follow the newest events as the console does, over server-sent events with a sample of 50 a second, from a
process of their own. Turns without and with views alternate, so that both meet the same machine, and the median of the
turns counts. Batches carry 100 events, and their rate is once until they are acknowledged and once until all are
processed; singles are requests of one event. The CPU time is of all processes of the house over a turn; it tells more
than rates do on a machine that others use too.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.load import event, send_all
from benchmarks.report import report
from headwater.contracts.house import RunningHouse, running_house, until

VIEWS, SAMPLE, BATCH, ROUNDS = 20, 50, 100, 5
EVENTS = 60_000
SINGLES = 6_000


@contextmanager
def views(house: RunningHouse, number: int) -> Generator[None]:
    """So many live views, open while the block runs."""
    if not number:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.live_views", "watch", house.manage_url, house.token, str(number)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()


async def watch(url: str, token: str, number: int) -> None:
    """Open the views, say so, and read what comes until killed."""
    address = urlsplit(url)

    async def view() -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        path = f"/headwater/events/stream?sample={SAMPLE}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        return reader

    async def read(reader: asyncio.StreamReader) -> None:
        while await reader.read(65_536):
            pass

    readers = [await view() for _ in range(number)]
    print("open", flush=True)
    await asyncio.gather(*(read(reader) for reader in readers))


class Turn(msgspec.Struct):
    """Events a second of one turn, and the house's CPU time for all its events, in microseconds an event."""

    accepted: float
    processed: float
    singles: float
    cpu: float


def turn(house: RunningHouse, first: int, events: int, singles: int) -> Turn:
    numbers = range(first, first + events, BATCH)
    bodies = [msgspec.json.encode({"batch": [event(place + index) for index in range(BATCH)]}) for place in numbers]
    bodies = [body[:-1] + b',"writeKey":"' + house.write_key.encode() + b'"}' for body in bodies]
    headers = {"Content-Type": "application/json"}
    before = _cpu_seconds(house)
    started = time.perf_counter()
    accepted = send_all(house.collect_url, "/v1/batch", bodies, headers)
    until(lambda: _behind(house) == 0, seconds=300, what="for the pipeline")
    processed = time.perf_counter() - started
    ones = [
        msgspec.json.encode({**event(first + events + number), "writeKey": house.write_key})
        for number in range(singles)
    ]
    took = send_all(house.collect_url, "/v1/track", ones, headers, connections=8)
    until(lambda: _behind(house) == 0, seconds=300, what="for the pipeline")
    cpu = (_cpu_seconds(house) - before) / (events + singles) * 1e6
    return Turn(events / accepted, events / processed, singles / took, cpu)


def _cpu_seconds(house: RunningHouse) -> float:
    assert house.process is not None
    total = 0
    for pid in (house.process.pid, *house.children()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _behind(house: RunningHouse) -> int:
    readers = house.ask("GET", "/headwater/overview")["readers"]
    return next(one["records"] for one in readers if one["reader"] == "pipeline")


def main(events: int = EVENTS, singles: int = SINGLES, rounds: int = ROUNDS) -> None:
    found: dict[int, list[Turn]] = {0: [], VIEWS: []}
    with tempfile.TemporaryDirectory() as folder, running_house(Path(folder)) as house:
        first = 0
        turn(house, first, events, singles)
        for _ in range(rounds):
            for number, turns in found.items():
                first += 2 * (events + singles)
                with views(house, number):
                    turns.append(turn(house, first, events, singles))
    figures: dict[str, float] = {"views": VIEWS, "sample, events/s a view": SAMPLE}
    for what in ("accepted", "processed", "singles"):
        rates = {number: statistics.median(getattr(one, what) for one in turns) for number, turns in found.items()}
        figures |= {
            f"{what}: without views, events/s": rates[0],
            f"{what}: with {VIEWS} views, events/s": rates[VIEWS],
            f"{what}: ratio": rates[VIEWS] / rates[0],
        }
    cpu = {number: statistics.median(one.cpu for one in turns) for number, turns in found.items()}
    figures |= {
        "CPU: without views, us/event": cpu[0],
        f"CPU: with {VIEWS} views, us/event": cpu[VIEWS],
        "CPU: ratio": cpu[VIEWS] / cpu[0],
    }
    report("live_views", figures, target="20 views cost the ingest less than 5 %")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["watch", url, token, number]:
            asyncio.run(watch(url, token, int(number)))
        case [events, *_]:
            main(int(events), int(events) // 10, 2)
        case _:
            main()
