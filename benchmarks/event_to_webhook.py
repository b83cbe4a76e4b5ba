"""From the sender's clock to the webhook's, at 1,000 events a second through the whole house."""

import json
import tempfile
import time
import urllib.request
from pathlib import Path

import msgspec

from benchmarks.load import event, paced, send_all
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.contracts.house import RunningHouse, running_house, until

EVENTS_PER_SECOND, SECONDS, BATCH = 1_000, 10, 10


def ages(house: RunningHouse, sink: str, *, rate: int, seconds: float) -> list[float]:
    """Milliseconds that events took to a webhook, which leads to `?age` of the sink, at so many events a second."""

    def arrived(after: int) -> list[float]:
        with urllib.request.urlopen(f"{sink}/?ages={after}") as answer:
            return json.load(answer)["ages"]

    def send(number: int) -> None:
        events = [event(start + number * BATCH + index, sent=time.time()) for index in range(BATCH)]
        body = msgspec.json.encode({"batch": events, "writeKey": house.write_key})
        send_all(house.collect_url, "/v1/batch", [body], {"Content-Type": "application/json"}, connections=1)

    before, start = len(arrived(0)), int(time.time()) * 1_000_000
    paced(rate / BATCH, seconds, send)
    wanted = int(rate / BATCH * seconds) * BATCH
    until(lambda: len(arrived(before)) >= wanted, seconds=60, what="for the webhook")
    return [age * 1000 for age in arrived(before)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_sink() as sink, running_house(Path(folder)) as house:
        house.connect("webhook", {"url": f"{sink}/?age=1"})
        time.sleep(1)
        found = ages(house, sink, rate=EVENTS_PER_SECOND, seconds=SECONDS)
    figures = {
        "events": len(found),
        "p50, ms": quantile(found, 0.5),
        "p99, ms": quantile(found, 0.99),
        "p99 / p50": quantile(found, 0.99) / quantile(found, 0.5),
    }
    report("event_to_webhook", figures, target="p99 < 250 ms at 1,000 events a second")


if __name__ == "__main__":
    main()
