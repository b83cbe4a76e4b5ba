"""Claim: durable ingest on Kafka, on one broker and on three of which two must have a record, beside the log on SQLite.

Each time one collect process as `headwater serve collect` runs it, with no other role. Events of 600 bytes of 100
people, one a request and a hundred, and how long a single event waits for its 200 at 100 requests a second. Kafka has
four partitions, which batches are split among, SQLite one, as it is by default. Without a spill, so that what is
acknowledged is in Kafka. On few cores rates are bound by load, collect and brokers together; the processor time of each
tells more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.acknowledgement import latencies
from benchmarks.collect_single import event_of
from benchmarks.collecting.load import drive
from benchmarks.distributed.hosts import hosts
from benchmarks.distributed.processor import Meter
from benchmarks.report import quantile, report
from headwater.app.settings import child_environment
from headwater.contracts.cluster import PARTITIONS, Node
from headwater.contracts.house import free_port, healthy, until

SECONDS, ROUNDS, PEOPLE = 4.0, 1, 100
KEY = "benchmark"
SQLITE, ONE, THREE = "SQLite", "one broker", "three brokers"

Running = tuple[int, dict[str, int]]
"""The port of collect, and the processes by what they are."""


@contextmanager
def on_sqlite(folder: Path) -> Generator[Running]:
    port = free_port()
    known = {"DATA": str(folder / "data"), "COLLECT_PORT": str(port), "WRITE_KEY": KEY}
    command = [sys.executable, "-m", "headwater", "serve", "collect"]
    process = subprocess.Popen(
        command,
        env=child_environment(**{f"HEADWATER_{name}": value for name, value in known.items()}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port, {"collect": process.pid}
    finally:
        process.kill()
        process.wait()


@contextmanager
def on_kafka(folder: Path, brokers: int) -> Generator[Running]:
    port = free_port()
    settings: dict[str, Any] = {
        "COLLECT_HOST": "127.0.0.1",
        "COLLECT_PORT": str(port),
        "WRITE_KEY": KEY,
        "LOG_SPILL_BYTES": "0",
    }
    with hosts(folder, brokers=brokers, **settings) as found:
        collect = Node("collect", 1)
        found.start(collect)
        processes = {"collect": found.hosts[collect].pid}
        yield port, processes | {f"broker {n}": found.brokers.pid(n) for n in range(1, brokers + 1)}


def running(shape: str, folder: Path) -> AbstractContextManager[Running]:
    if shape == SQLITE:
        return on_sqlite(folder)
    return on_kafka(folder, 1 if shape == ONE else 3)


def bodies() -> tuple[list[bytes], list[bytes]]:
    """Of single events, and of batches."""
    people = [{**event_of(600), "type": "track", "userId": f"user-{n:04}"} for n in range(PEOPLE)]
    singles = [json.dumps(each).encode() for each in people]
    batches = []
    for batch in range(4):
        items = [each | {"messageId": f"message-{batch}-{number}"} for number, each in enumerate(people)]
        batches.append(json.dumps({"batch": items, "sentAt": "2026-01-01T00:00:01.000Z"}).encode())
    return singles, batches


def measured(shape: str, seconds: float) -> dict[str, float]:
    """Events a second, processor time of an event in microseconds, and milliseconds of the acknowledgement."""
    singles, batches = bodies()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder, running(shape, Path(folder)) as (port, pids):
        url = f"http://127.0.0.1:{port}"
        until(lambda: healthy(url), seconds=60, what="for collect")
        meter = Meter(pids, idle_looks=0)
        for name, path, sent, size in (("singles", "/v1/track", singles, 1), ("batches", "/v1/batch", batches, PEOPLE)):
            drive(port, pids["collect"], path, sent, 1.0)
            meter.again()
            rate = drive(port, pids["collect"], path, sent, seconds)["rate"] * size
            spent = meter.spent()
            figures[f"{name}, events/s"] = rate
            # wrk runs for whole seconds.
            events = max(rate, 1.0) * max(round(seconds), 1)
            figures[f"{name}, collect, CPU us/event"] = spent.pop("collect") / events * 1e6
            if spent:
                figures[f"{name}, brokers, CPU us/event"] = sum(spent.values()) / events * 1e6
        waits = latencies(url, "/v1/track", KEY, seconds)
        figures |= {"acknowledged p50, ms": quantile(waits, 0.5), "acknowledged p99, ms": quantile(waits, 0.99)}
    return figures


def best(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The highest rates, the lowest of what is spent and waited."""
    return {name: (max if name.endswith("/s") else min)(each[name] for each in rounds) for name in rounds[0]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="kafka_ingest", description=str(__doc__).splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each of three loads lasts, by shape")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often; the best counts")
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {SQLITE: [], ONE: [], THREE: []}
    for _ in range(chosen.rounds):
        for shape, rounds in found.items():
            rounds.append(measured(shape, chosen.seconds))
            print(
                f"  ({shape}: {json.dumps({name: round(value, 2) for name, value in rounds[-1].items()})})", flush=True
            )
    figures: dict[str, float | int] = {"partitions on Kafka": PARTITIONS, "load of each kind, seconds": chosen.seconds}
    base = best(found[SQLITE])
    for shape, rounds in found.items():
        best_of = best(rounds)
        figures |= {f"{shape}: {name}": value for name, value in best_of.items()}
        if shape != SQLITE:
            figures |= {f"{shape} / {SQLITE}: {name}": best_of[name] / base[name] for name in base}
    report("kafka_ingest", figures, target="none was set; what leaving one machine costs")


if __name__ == "__main__":
    main()
