"""A webhook's receiver in a thread of its own, whose answer can be changed while it runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What came, as JSON, and the status of the next answers; to GET, `answer` is what they say."""

    def __init__(self) -> None:
        self.status = 200
        self.answer = b"{}"
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        receiver = self

        class _Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                receiver.bodies.append(json.loads(self.rfile.read(length) or b"null"))
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                self._say(b'{"said": "<b>hello</b>"}')

            def do_GET(self) -> None:
                self._say(receiver.answer)

            def _say(self, content: bytes) -> None:
                self.send_response(receiver.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@contextmanager
def open_receiver() -> Generator[Receiver]:
    """A receiver until the block ends."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join(5)
