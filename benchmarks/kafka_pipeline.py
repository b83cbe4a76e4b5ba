"""Claim: the whole pipeline on Kafka and PostgreSQL, beside the embedded house.

Both take batches of 100, deliver every event to three webhooks, fold it into profiles and write it to the archive; no
warehouse is loaded. Embedded that is four processes; distributed one process a role, one broker, four partitions, and
a database, all on this machine. Each person is known before the clock starts. Processor time of an event is counted
until nothing is left to do, less what idle processes take, and holds on a machine that others use too; rates do not.
Then the time from the sender's clock to one webhook's, at a steady rate.
"""

import argparse
import base64
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.distributed.hosts import hosts
from benchmarks.distributed.processor import Meter
from benchmarks.event_to_webhook import ages
from benchmarks.load import batches, send_all
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.app.shapes import ROLE_NAMES
from headwater.contracts.cluster import Node
from headwater.contracts.house import RunningHouse, running_house, until

EVENTS, SECONDS, RATES = 50_000, 5.0, (200, 1_000)
PEOPLE = 10_000
"""Of benchmarks.load.event."""

WEBHOOKS = 3
PATIENCE = 600.0
EMBEDDED, DISTRIBUTED = "embedded", "Kafka and PostgreSQL"
NO_WAREHOUSE: dict[str, Any] = {
    "WAREHOUSE_DUCKDB": "false",
    "WAREHOUSE_DEFAULT_DUCKDB": "false",
    "WAREHOUSE_LOAD_EVERY_SECONDS": "3",
    "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "3",
}

Processes = Callable[[], dict[str, int]]
"""The processes of a house, by what they are."""

Running = AbstractContextManager[tuple[RunningHouse, Processes]]


@contextmanager
def embedded(folder: Path) -> Generator[tuple[RunningHouse, Processes]]:
    with running_house(folder, **NO_WAREHOUSE) as house:
        yield house, lambda: {roles: pid for pid, roles in house.children().items()}


@contextmanager
def distributed(folder: Path) -> Generator[tuple[RunningHouse, Processes]]:
    with hosts(folder, brokers=1, **NO_WAREHOUSE, STORE_POOL_SIZE="5") as found:
        found.start(*(Node(role, 1) for role in ROLE_NAMES))
        found.ready()
        yield found.house(), lambda: found.processes(1)


SHAPES: dict[str, Callable[[Path], Running]] = {EMBEDDED: embedded, DISTRIBUTED: distributed}


def count(sink: str) -> int:
    """The events that came to a sink."""
    with urllib.request.urlopen(sink) as answer:
        return json.load(answer)["events"]


def send(house: RunningHouse, bodies: list[bytes]) -> float:
    """Send batches; returns the seconds until all were acknowledged."""
    key = base64.b64encode(f"{house.write_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {key}", "Content-Type": "application/json"}
    return send_all(house.collect_url, "/v1/batch", bodies, headers)


def acquaint(house: RunningHouse, sink: str) -> None:
    """Have every person known, and all that begins at the first event behind us."""
    before, number = count(sink), 0

    def all_answer() -> bool:
        nonlocal number
        house.send("/v1/track", {"userId": "first", "event": "First", "messageId": f"first-{number}"})
        number += 1
        time.sleep(0.3)
        return count(sink) - before >= WEBHOOKS * 3

    until(all_answer, seconds=60, what="for the webhooks to be known")
    time.sleep(3.0)
    before = count(sink)
    send(house, batches(PEOPLE, start=10**9))
    until(lambda: count(sink) - before >= WEBHOOKS * PEOPLE, seconds=PATIENCE, what="for the webhooks")


def throughput(house: RunningHouse, processes: Processes, sink: str, events: int) -> dict[str, float]:
    """Events a second until the webhooks have all, and microseconds of processor time an event."""
    for number in range(WEBHOOKS):
        house.connect("webhook", {"url": f"{sink}/{number}", "batch_size": 1000}, name=f"W{number}")
    acquaint(house, sink)
    bodies = batches(events)
    time.sleep(5.0)
    meter, before = Meter(processes()), count(sink)
    meter.until_rest(limit=PATIENCE)
    meter.again()
    started = time.perf_counter()
    accepted = send(house, bodies)
    until(lambda: count(sink) - before >= WEBHOOKS * events, seconds=PATIENCE, what="for the webhooks")
    delivered = time.perf_counter() - started
    time.sleep(4.0)  # for the archive's next turn
    meter.until_rest(limit=PATIENCE)
    spent = {name: seconds / events * 1e6 for name, seconds in meter.spent().items()}
    archived = house.query("select count(*) from events where message_id like 'bench-%'")[0][0]
    assert archived >= events + PEOPLE, f"{archived} events of {events + PEOPLE} are in the archive"
    return {
        "accepted, events/s": events / accepted,
        "delivered, events/s": events / delivered,
        **{f"CPU us/event, {name}": value for name, value in spent.items()},
        "CPU us/event, all roles": sum(value for name, value in spent.items() if not _is_engine(name)),
        "CPU us/event, all": sum(spent.values()),
    }


def _is_engine(name: str) -> bool:
    return name.startswith(("broker", "postgres"))


def delays(house: RunningHouse, sink: str, seconds: float) -> dict[str, float]:
    """Milliseconds from sender to webhook; the webhooks of before are switched off."""
    for destination in house.ask("GET", "/destinations")["destinations"]:
        house.ask("PATCH", f"/destinations/{destination['id']}", {"enabled": False})
    house.connect("webhook", {"url": f"{sink}/?age=1"}, name="Aged")
    time.sleep(3.0)
    found: dict[str, float] = {}
    for rate in RATES:
        ages(house, sink, rate=rate, seconds=1.0)
        took = ages(house, sink, rate=rate, seconds=seconds)
        found[f"event to webhook at {rate}/s, p50, ms"] = quantile(took, 0.5)
        found[f"event to webhook at {rate}/s, p99, ms"] = quantile(took, 0.99)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="kafka_pipeline", description=str(__doc__).splitlines()[0])
    parser.add_argument("--events", type=int, default=EVENTS, help="sent at once, to each shape")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each steady rate lasts")
    parser.add_argument("--shape", choices=[*SHAPES], help="only this one, and nothing is kept")
    chosen = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name, shape in SHAPES.items():
        if chosen.shape not in (None, name):
            continue
        with (
            tempfile.TemporaryDirectory(prefix="headwater-") as folder,
            running_sink() as sink,
            shape(Path(folder)) as (house, processes),
        ):
            found[name] = throughput(house, processes, sink, chosen.events) | delays(house, sink, chosen.seconds)
        for label, value in found[name].items():
            print(f"  ({name}: {label} {value:,.1f})", flush=True)
    if chosen.shape is not None:
        return
    figures: dict[str, float | int] = {"events": chosen.events}
    for name, each in found.items():
        figures |= {f"{name}: {label}": value for label, value in each.items()}
    both = found[EMBEDDED].keys() & found[DISTRIBUTED].keys()
    for label in found[EMBEDDED]:
        if label in both:
            ratio = found[DISTRIBUTED][label] / max(found[EMBEDDED][label], 1e-9)
            figures[f"{DISTRIBUTED} / {EMBEDDED}: {label}"] = ratio
    report("kafka_pipeline", figures, target="p99 < 250 ms at 1,000 events a second in both shapes")


if __name__ == "__main__":
    main()
