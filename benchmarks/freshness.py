"""How long it takes until what was sent is known: an identify call in the Profile API, an entry at the webhook.

A real house takes 1,000 track calls a second meanwhile (`HEADWATER_BENCH_RATE`), for as long as there are probes, two a
second (`HEADWATER_BENCH_PROBES`). Each is a person of its own: an identify call with a trait, and a track call that
makes the person a member. Ages begin before the call is sent. They end with the first answer that shows the trait, for
which the Profile API is asked every 5 ms, and when the call that tells of the entry arrives at the webhook.
"""

import http.server
import json
import os
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.load import event, paced, send_all
from benchmarks.report import quantile, report
from headwater.contracts.house import RunningHouse, running_house, until
from headwater.contracts.space import RunningSpace

# Taken out of the environment, which the house would read as its settings.
RATE = int(os.environ.pop("HEADWATER_BENCH_RATE", "1000"))
PROBES = int(os.environ.pop("HEADWATER_BENCH_PROBES", "40"))
BATCH = 10
EVERY = 0.5


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that notes when it first heard of each person."""

    arrived: dict[str, float]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        now = time.time()
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if told["type"] == "track":
            self.arrived.setdefault(told["userId"], now)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_hook() -> Generator[str]:
    """The address of the webhook."""
    Hook.arrived = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def probe(space: RunningSpace, number: int, sent: dict[str, float]) -> float:
    """Have one more person come and enter; returns the seconds until the Profile API shows the trait."""
    user, started = f"probe-{number}", time.time()
    space.house.send("/v1/identify", {"userId": user, "traits": {"number": number}})
    while space.traits(f"user_id:{user}").get("number") != number:
        assert time.time() - started < 60, f"{user} is nowhere to be seen"
        time.sleep(0.005)
    seen = time.time() - started
    sent[user] = time.time()
    space.house.send("/v1/track", {"userId": user, "event": "Entered Here"})
    return seen


def load(house: RunningHouse, stopping: threading.Event) -> None:
    """Send track calls at the rate until told to stop."""
    headers = {"Content-Type": "application/json"}

    def send(number: int) -> None:
        events = [event(number * BATCH + index) for index in range(BATCH)]
        body = msgspec.json.encode({"batch": events, "writeKey": house.write_key})
        send_all(house.collect_url, "/v1/batch", [body], headers, connections=1)

    number = 0
    while not stopping.is_set():
        first = number
        paced(RATE / BATCH, 1.0, lambda more, first=first: send(first + more))  # type: ignore[misc]
        number += RATE // BATCH


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="headwater-") as folder,
        running_hook() as hook,
        running_house(Path(folder), PROFILES_REQUESTS_PER_SECOND="0") as house,
    ):
        space = RunningSpace(house)
        audience = space.define("audience", "Here", "event('Entered Here').within(7 days).count() >= 1")["id"]
        space.connect(audience, space.webhook(hook))
        space.wait_for(audience)
        stopping, sent, seen = threading.Event(), dict[str, float](), list[float]()
        sender = threading.Thread(target=load, args=(house, stopping))
        sender.start()
        for number in range(PROBES):
            started = time.monotonic()
            seen.append(probe(space, number, sent) * 1_000)
            time.sleep(max(0.0, EVERY - (time.monotonic() - started)))
        until(lambda: len(Hook.arrived) == PROBES, seconds=60, what="for the webhook")
        stopping.set()
        sender.join()
        told = [(Hook.arrived[user] - at) * 1_000 for user, at in sent.items()]
    figures = {
        "events a second meanwhile": RATE,
        "probes": PROBES,
        "identify to the Profile API, p50, ms": quantile(seen, 0.5),
        "identify to the Profile API, p99, ms": quantile(seen, 0.99),
        "event to Audience Entered at the webhook, p50, ms": quantile(told, 0.5),
        "event to Audience Entered at the webhook, p99, ms": quantile(told, 0.99),
    }
    report(
        "freshness", figures, target="p99 < 1 s in the Profile API and < 2 s at the webhook, at 1,000 events a second"
    )


if __name__ == "__main__":
    main()
