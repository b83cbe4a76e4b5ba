"""A webhook receiver that costs next to nothing: answers 200, counts events, and notes how old they are on arrival.

`POST /count` with a JSON array or object counts its events; with `?age` the age of each by its `sent` property is kept.
`GET /` answers the counts, `GET /?ages=N` also the ages from the N-th on. Also `POST /echo`, the bare baseline.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server

from headwater.contracts.house import free_port

JSON_HEADERS = [("content-type", "application/json")]
OK = b'{"success":true}'


class Sink:
    def __init__(self) -> None:
        self.events = 0
        self.requests = 0
        self.ages: list[float] = []

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.method == "GET":
            answer: dict[str, Any] = {"events": self.events, "requests": self.requests}
            if scope.query_string.startswith("ages="):
                answer["ages"] = self.ages[int(scope.query_string.removeprefix("ages=")) :]
            protocol.response_bytes(200, JSON_HEADERS, msgspec.json.encode(answer))
            return
        body = await protocol()
        if scope.path != "/echo":
            self.requests += 1
            if "age" in scope.query_string:
                now = time.time()
                found = msgspec.json.decode(body)
                for event in found if isinstance(found, list) else [found]:
                    self.events += 1
                    self.ages.append(now - event["properties"]["sent"])
            else:
                self.events += body.count(b'"messageId":')
        protocol.response_bytes(200, JSON_HEADERS, OK)


@contextmanager
def running_sink() -> Generator[str]:
    """The address of a sink in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink", str(port)])
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def serve(port: int) -> None:
    server = Server(
        Sink(), address="127.0.0.1", port=port, interface=Interfaces.RSGI, websockets=False, log_enabled=False
    )
    await server.serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
