"""A proxy between a client and a house that notes every request and can lose answers: what a bad network does.

It forwards each request first, whatever becomes of the answer afterwards: the house has the events, the client does not
know.
"""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LOST = 0
"""A mishap: the connection is closed without an answer. Any other mishap is the status that is answered instead."""

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Seen:
    """One request and what was answered (0 for nothing). `at` and `answered_at` are in seconds of a steady clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer_headers: dict[str, str]
    at: float
    answered_at: float


class LossyProxy:
    """A running proxy. `seen` holds the requests in the order in which they were answered."""

    def __init__(self, target: str, mishaps: Sequence[int]) -> None:
        self.seen: list[Seen] = []
        self._mishaps = list(mishaps)
        self._lock = threading.Lock()
        place = urlsplit(target)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy._pass(self, place.hostname or "", place.port or 80)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _pass(self, request: http.server.BaseHTTPRequestHandler, host: str, port: int) -> None:
        at = time.monotonic()
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        upstream = http.client.HTTPConnection(host, port, timeout=30)
        upstream.request("POST", request.path, body, headers)
        answer = upstream.getresponse()
        payload, status = answer.read(), answer.status
        upstream.close()
        with self._lock:
            mishap = self._mishaps.pop(0) if self._mishaps else None
        told = status if mishap is None else mishap
        kept = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in _HOP}
        if mishap is not None:
            payload, kept = b'{"success":false,"code":"unavailable","message":"lost on the way"}', {}
        lowered = {name.lower(): value for name, value in headers.items()}
        self.seen.append(Seen(request.path, lowered, body, told, kept, at, time.monotonic()))
        if told == LOST:
            request.close_connection = True
            return
        request.send_response(told)
        for name, value in kept.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(payload)))
        request.end_headers()
        request.wfile.write(payload)


@contextmanager
def lossy_proxy(target: str, *mishaps: int) -> Generator[LossyProxy]:
    """Run a proxy before a house until the block ends; its first answers meet the mishaps, in their order."""
    proxy = LossyProxy(target, mishaps)
    thread = threading.Thread(target=proxy.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        thread.join()
        proxy.server.server_close()
