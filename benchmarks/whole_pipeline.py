"""The whole pipeline: batches in, three webhooks and the DuckDB warehouse out, events a second until all is there."""

import json
import tempfile
import time
import urllib.request
from pathlib import Path

import msgspec

from benchmarks.load import batches, send_all
from benchmarks.report import report
from benchmarks.sink import running_sink
from headwater.contracts.house import running_house, until

EVENTS = 100_000


def main() -> None:
    bodies = batches(EVENTS)
    started = time.perf_counter()
    for body in bodies:
        msgspec.json.decode(body)
    decode = EVENTS / (time.perf_counter() - started)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sink() as sink,
        running_house(Path(folder), WAREHOUSE_LOAD_EVERY_SECONDS="3", WAREHOUSE_ARCHIVE_EVERY_SECONDS="3") as house,
    ):
        for number in range(3):
            house.connect("webhook", {"url": f"{sink}/{number}", "batch_size": 1000}, name=f"W{number}")
        time.sleep(1)

        def arrived() -> int:
            with urllib.request.urlopen(sink) as answer:
                return json.load(answer)["events"]

        started = time.perf_counter()
        headers = {"Authorization": "Basic " + _basic(house.write_key), "Content-Type": "application/json"}
        sent = send_all(house.collect_url, "/v1/batch", bodies, headers)
        until(lambda: arrived() >= 3 * EVENTS, seconds=300, what="for the webhooks")
        delivered = time.perf_counter() - started
        until(lambda: _loaded(house) >= EVENTS, seconds=300, what="for the warehouse")
        loaded = time.perf_counter() - started
    figures = {
        "pure decode, events/s": decode,
        "accepted, events/s": EVENTS / sent,
        "delivered to 3 webhooks, events/s": EVENTS / delivered,
        "delivered / pure decode": EVENTS / delivered / decode,
        "also in the warehouse, events/s": EVENTS / loaded,
    }
    report("whole_pipeline", figures, target="50,000 events/s through everything on 2 cores")


def _loaded(house) -> int:
    time.sleep(0.5)
    try:
        return int(house.query("select count(*) from first_source.tracks")[0][0])
    except AssertionError:
        return 0


def _basic(key: str) -> str:
    import base64

    return base64.b64encode(f"{key}:".encode()).decode()


if __name__ == "__main__":
    main()
