"""The whole pipeline: batches in, three webhooks, profiles and the DuckDB warehouse out, until all is there.

Everybody is known before the clock starts, as in a house that has run for a while. Beside events a second, which depend
on what else the machine does, each process tells what it took of the processors for an event, until nothing is left to
do: the receiver and the sender share the two cores with it.
"""

import argparse
import base64
import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.distributed.processor import Meter
from benchmarks.load import batches, send_all
from benchmarks.report import report
from benchmarks.sink import running_sink
from headwater.contracts.house import RunningHouse, running_house, until
from headwater.store import Store
from headwater.store import workspace as workspaces
from headwater.store.loads import KEPT, Load, list_loads

EVENTS, PEOPLE, WEBHOOKS = 100_000, 10_000, 3
PATIENCE = 300.0
_TABLES = 2
"""That a track call has a row in."""

EVERY_SECONDS = {"WAREHOUSE_LOAD_EVERY_SECONDS": "3", "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "3"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="whole_pipeline", description=str(__doc__).splitlines()[0])
    parser.add_argument("--events", type=int, default=EVENTS, help="sent at once")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds to wait before, to attach a profiler")
    chosen = parser.parse_args()
    bodies = batches(chosen.events)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sink() as sink,
        running_house(Path(folder), **EVERY_SECONDS) as house,
    ):
        for number in range(WEBHOOKS):
            house.connect("webhook", {"url": f"{sink}/{number}", "batch_size": 1000}, name=f"W{number}")
        time.sleep(1)
        store = Store.in_folder(Path(folder) / "data")
        acquaint(house, sink, store)
        if chosen.pause:
            print(f"  ({house.children()})", flush=True)
            time.sleep(chosen.pause)
        figures = {"pure decode, events/s": decoded(bodies), **throughput(house, sink, store, bodies, chosen.events)}
        store.close()
    figures["delivered / pure decode"] = figures["delivered to 3 webhooks, events/s"] / figures["pure decode, events/s"]
    report("whole_pipeline", figures, target="50,000 events/s through everything on 2 cores")


def decoded(bodies: list[bytes]) -> float:
    """Events a second that reading the JSON alone allows."""
    started = time.perf_counter()
    events = sum(len(msgspec.json.decode(body)["batch"]) for body in bodies)
    return events / (time.perf_counter() - started)


def acquaint(house: RunningHouse, sink: str, store: Store) -> None:
    """Have everybody known, and all that begins with the first events behind us."""
    before = arrived(sink)
    send(house, batches(PEOPLE, start=10**9))
    until(lambda: arrived(sink) - before >= WEBHOOKS * PEOPLE, seconds=PATIENCE, what="for the webhooks")
    until(lambda: loaded(store) >= PEOPLE, seconds=PATIENCE, what="for the warehouse")


def throughput(house: RunningHouse, sink: str, store: Store, bodies: list[bytes], events: int) -> dict[str, float]:
    """Events a second, and microseconds of processor time an event."""
    meter = Meter({roles: pid for pid, roles in house.children().items()})
    meter.until_rest(limit=PATIENCE)
    before = arrived(sink)
    meter.again()
    started = time.perf_counter()
    sent = send(house, bodies)
    until(lambda: arrived(sink) - before >= WEBHOOKS * events, seconds=PATIENCE, what="for the webhooks")
    delivered = time.perf_counter() - started
    until(lambda: loaded(store) >= events + PEOPLE, seconds=PATIENCE, what="for the warehouse")
    whole = time.perf_counter() - started
    meter.until_rest(limit=PATIENCE)
    spent = {roles: seconds / events * 1e6 for roles, seconds in meter.spent().items()}
    return {
        "accepted, events/s": events / sent,
        "delivered to 3 webhooks, events/s": events / delivered,
        "also in the warehouse, events/s": events / whole,
        **{f"CPU us/event, {roles}": value for roles, value in spent.items()},
        "CPU us/event, all": sum(spent.values()),
    }


def send(house: RunningHouse, bodies: list[bytes]) -> float:
    """Send batches; returns the seconds until all were acknowledged."""
    key = base64.b64encode(f"{house.write_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {key}", "Content-Type": "application/json"}
    return send_all(house.collect_url, "/v1/batch", bodies, headers)


def arrived(sink: str) -> int:
    """The events that came to the webhooks together."""
    with urllib.request.urlopen(sink) as answer:
        return json.load(answer)["events"]


def loaded(store: Store) -> int:
    """The events in the warehouse, as its loads tell: to ask by SQL costs the house as much as thousands of events."""
    time.sleep(0.1)
    return store.run(lambda connection: sum(each.rows for each in _loads(connection)), write=False) // _TABLES


def _loads(connection: Any) -> list[Load]:
    (warehouse,) = workspaces.load(connection).warehouses
    return list_loads(connection, warehouse.id, limit=KEPT)


if __name__ == "__main__":
    main()
