"""What tests share that kill processes of a house under load: a webhook that counts, and books that balance."""

from __future__ import annotations

import http.server
import itertools
import json
import threading
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from headwater.contracts.house import RunningHouse


@contextmanager
def counting_webhook(*, fails_one_in: int) -> Generator[tuple[str, Counter[str]]]:
    """A webhook's address, and how often each messageId came to it. One request in so many is answered 500 instead."""
    seen: Counter[str] = Counter()
    calls = itertools.count(1)

    class Hook(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            failing = next(calls) % fails_one_in == 0
            if not failing:
                for event in body if isinstance(body, list) else [body]:
                    seen[event["messageId"]] += 1
            self.send_response(500 if failing else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", seen
    finally:
        server.shutdown()
        server.server_close()


def steps_of(house: RunningHouse, destination_id: str = "") -> Mapping[str, int]:
    """Events by step, of the source alone or of one destination."""
    for account in house.ask("GET", "/headwater/ledger")["accounts"]:
        if account["destinationId"] == destination_id:
            return account["steps"]
    return {}


def all_is_read(house: RunningHouse) -> bool:
    """Has every reader read the whole log? Until then steps may be short of one another's counts, and sum up by luck:
    what waits is taken off where it ended, perhaps before the chunk is read that adds it.
    """
    return not any(one["records"] for one in house.ask("GET", "/headwater/overview")["readers"])


def check_balance(at_source: Mapping[str, int]) -> None:
    """Every event that came in is accounted for, and some came twice."""
    ends = ("failed_on_ingest", "duplicate", "filtered_at_source", "processed")
    assert at_source["received"] == sum(at_source.get(step, 0) for step in ends), at_source
    assert at_source["duplicate"] > 0
