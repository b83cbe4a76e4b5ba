"""How long the house takes to build each page of the console, with a million archived events and 10,000 more a minute.

Every page is asked for several times over plain HTTP, as the browser's first request does. What a page fetches later,
behind a placeholder, is not counted; nothing that it shows at once may wait for the archive.
"""

import http.cookiejar
import statistics
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec

from benchmarks.load import batches, event, paced, send_all
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.contracts.console import page_paths
from headwater.contracts.house import RunningHouse, running_house, until

EVENTS, BATCH, ROUNDS = 1_000_000, 500, 12
EVENTS_PER_MINUTE = 10_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_sink() as sink, running_house(Path(folder)) as house:
        destination = house.connect("webhook", {"url": f"{sink}/count", "batch_size": 1000})
        fill(house)
        figures: dict[str, float] = {"archived events": float(archived(house))}
        stop = threading.Event()
        sender = threading.Thread(target=trickle, args=(house, stop))
        sender.start()
        try:
            opener = signed_in(house)
            fields = {
                "source_id": house.source_id(),
                "destination_id": destination,
                "warehouse_id": house.ask("GET", "/warehouses")["warehouses"][0]["id"],
            }
            for path in page_paths(**fields, message_id="bench-17", slug="webhook", engine="duckdb"):
                taken = [milliseconds(opener, house.manage_url + path) for _ in range(ROUNDS)]
                name = path
                for field, value in fields.items():
                    name = name.replace(value, field)
                figures[f"{name}: p50, ms"] = statistics.median(taken)
                figures[f"{name}: p95, ms"] = quantile(taken, 0.95)
        finally:
            stop.set()
            sender.join()
    report("console_pages", figures, target="every page under 300 ms")


def fill(house: RunningHouse) -> None:
    """Send a million events and wait until they are archived."""
    headers = {"Content-Type": "application/json"}
    for first in range(0, EVENTS, 50_000):
        events = [event(number) for number in range(first, first + 50_000)]
        parts = [events[start : start + BATCH] for start in range(0, len(events), BATCH)]
        bodies = [msgspec.json.encode({"writeKey": house.write_key, "batch": part}) for part in parts]
        send_all(house.collect_url, "/v1/batch", bodies, headers)
    until(lambda: archived(house) >= EVENTS, seconds=900, what="for the archive")


def archived(house: RunningHouse) -> int:
    time.sleep(1)
    return house.ask("GET", "/headwater/storage")["archive"]["events"]


def trickle(house: RunningHouse, stop: threading.Event) -> None:
    """Keep sending at the wanted rate until told to stop."""
    bodies = batches(EVENTS_PER_MINUTE, 100)
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {_basic(house.write_key)}"}

    def send(number: int) -> None:
        if not stop.is_set():
            body = bodies[number % len(bodies)].replace(b'"bench-', f'"more-{number}-'.encode())
            send_all(house.collect_url, "/v1/batch", [body], headers, connections=1)

    while not stop.is_set():
        paced(EVENTS_PER_MINUTE / 60 / 100, 10, send)


def signed_in(house: RunningHouse) -> urllib.request.OpenerDirector:
    """A browser's requests, after signing in."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    form = urllib.parse.urlencode({"token": house.token, "next": "/console/"}).encode()
    opener.open(f"{house.manage_url}/console/sign-in", form).read()
    return opener


def milliseconds(opener: urllib.request.OpenerDirector, url: str) -> float:
    started = time.perf_counter()
    with opener.open(url) as answer:
        answer.read()
        assert answer.status == 200, (url, answer.status)
    return (time.perf_counter() - started) * 1000


def _basic(key: str) -> str:
    import base64

    return base64.b64encode(f"{key}:".encode()).decode()


if __name__ == "__main__":
    main()
