"""Memory of the house idle, with 50 webhooks, and with 50 connections of the catalogue, each after a first delivery.

Each is a house of its own, in all its processes; the worker of the catalogue counts too. The connections of the
catalogue are of nine definitions whose address can be set, so that all of them send to a sink here. Memory is
proportional: what processes share counts once. The warehouse's own process is left out: how much it holds depends on
when it last loaded (start_up.py).
"""

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.report import report
from benchmarks.start_up import proportional_mb
from headwater import catalogue
from headwater.contracts.house import RunningHouse, running_house, until

CONNECTIONS = 50
SETTLE_SECONDS = 3.0
REST = {"WAREHOUSE_LOAD_EVERY_SECONDS": "3600", "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "3600"}
SEND = 'type = "track"'
ADDRESSED: dict[str, str] = {
    "actions-absmartly": "collectorEndpoint",
    "actions-altertable": "endpoint",
    "actions-equals": "url",
    "actions-klime": "apiEndpoint",
    "actions-movable-ink": "movable_ink_url",
    "actions-ripe-cloud": "endpoint",
    "actions-webhook": "",
    "actions-xtremepush": "url",
    "voucherify-actions": "customURL",
}
"""Definitions and their setting for the address; those without have it in their mapping."""

MAPPED: dict[str, tuple[str, dict[str, Any]]] = {
    "actions-webhook": ("send", {"method": "POST", "data": {"@path": "$."}}),
}
EVENT: dict[str, Any] = {
    "event": "Order Completed",
    "userId": "u1",
    "anonymousId": "a1",
    "timestamp": "2026-01-02T03:04:05.000Z",
    "sentAt": "2026-01-02T03:04:05.000Z",
    "properties": {"order_id": "o1", "total": 9.5, "email": "ada@example.org"},
    "context": {"ip": "203.0.113.7", "traits": {"email": "ada@example.org"}, "page": {"url": "https://shop.example/"}},
}


class Sink(BaseHTTPRequestHandler):
    """Answers 200 with an empty object, and keeps the first part of each path."""

    came: set[str] = set()  # noqa: RUF012 - of all requests

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.came.add(self.path.split("/")[1])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_PUT = do_PATCH = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def sinking() -> Generator[str]:
    """The address of a sink, to which nobody has come yet."""
    Sink.came.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def webhooks(house: RunningHouse, sources: list[str], sink: str) -> None:
    for number in range(CONNECTIONS):
        connected(house, sources[number % 2], "webhook", {"url": f"{sink}/{number}"})


def of_the_catalogue(house: RunningHouse, sources: list[str], sink: str) -> None:
    slugs = list(ADDRESSED)
    for number in range(CONNECTIONS):
        slug, url = slugs[number % len(slugs)], f"{sink}/{number}"
        fields = catalogue.definition(slug).fields
        settings: dict[str, Any] = {each.key: "1" for each in fields if each.required and each.default is None}
        if ADDRESSED[slug]:
            settings[ADDRESSED[slug]] = url
        made = connected(house, sources[number % 2], slug, settings)
        if slug in MAPPED:
            action, mapping = MAPPED[slug]
            asked = {"name": "All", "actionId": f"{slug}.{action}", "trigger": SEND, "enabled": True}
            house.ask("POST", f"/destinations/{made}/subscriptions", {**asked, "settings": {**mapping, "url": url}})


def connected(house: RunningHouse, source_id: str, slug: str, settings: dict[str, Any]) -> str:
    """Connect a destination to a source and return its id."""
    body = {"sourceId": source_id, "metadataId": slug, "settings": settings, "enabled": True}
    return house.ask("POST", "/destinations", body)["destination"]["id"]


def processes(house: RunningHouse) -> dict[int, str]:
    """The house's processes and theirs, by what they are."""
    assert house.process is not None
    found = {house.process.pid: "supervisor", **house.children()}
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").exists():
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    workers = {
        pid: "worker of the catalogue" for pid, parent in parents.items() if parent in found and pid not in found
    }
    return found | workers


Connect = Callable[[RunningHouse, list[str], str], None]


def memory(connect: Connect | None) -> dict[str, float]:
    """MB of a house's processes, by what they are, after each of its connections has sent an event."""
    with tempfile.TemporaryDirectory() as folder, sinking() as sink, running_house(Path(folder), **REST) as house:
        # A source has so many destinations of one kind at most, so that there are two.
        asked = {"slug": "second", "metadataId": "python", "enabled": True}
        second = house.ask("POST", "/sources", asked)["source"]
        first = next(each for each in house.ask("GET", "/sources")["sources"] if each["id"] != second["id"])
        if connect is not None:
            connect(house, [first["id"], second["id"]], sink)
        time.sleep(1)
        for write_key in (house.write_key, second["writeKeys"][0]):
            house.send("/v1/track", EVENT, write_key=write_key)
        expected = CONNECTIONS if connect is not None else 0
        until(lambda: len(Sink.came) >= expected, seconds=30, what=f"for the sink; it has {len(Sink.came)}")
        time.sleep(SETTLE_SECONDS)
        sizes: defaultdict[str, float] = defaultdict(float)
        for pid, what in processes(house).items():
            if what != "warehouse":
                sizes[what] += proportional_mb([pid])
        return dict(sizes)


def main() -> None:
    runs: dict[str, Connect | None] = {"idle": None, "50 webhooks": webhooks}
    if said := catalogue.missing():
        print(said)
    else:
        runs["50 of the catalogue"] = of_the_catalogue
    figures: dict[str, float] = {}
    for name, connect in runs.items():
        found = memory(connect)
        figures[f"{name}, MB"] = sum(found.values())
        if name != "idle":
            figures[f"{name} / idle"] = figures[f"{name}, MB"] / figures["idle, MB"]
        figures |= {f"  {name}: {what}, MB": size for what, size in sorted(found.items())}
    report("memory", figures, target="50 webhooks within 1.2 times idle, 50 of the catalogue within 400 MB more")


if __name__ == "__main__":
    main()
