"""One process of a benchmark: the bare HTTP echo, or the collect role over a log. Prints its port when ready."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from headwater.spec.settings import CollectSettings
from headwater.spec.workspace import Source, Workspace

KEY = "benchmark"


async def echo() -> None:
    """The least that a server on the same stack can do: read the body, answer 200."""

    async def answer(_scope: object, exchange: object) -> None:
        await exchange()  # type: ignore[operator]
        exchange.response_bytes(200, [("content-type", "application/json")], b'{"success":true}')  # type: ignore[attr-defined]

    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        server = Server(
            answer,
            port=port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=2048,
            log_enabled=False,
        )
        serving = asyncio.create_task(server.serve())
        await asyncio.sleep(0.3)
        print(port, flush=True)
        await serving


async def collector(folder: Path) -> None:
    """The role as `headwater serve` runs it, with one source."""
    from headwater.collect.loop import collect
    from headwater.eventlog.backends.memory import MemoryLog
    from headwater.eventlog.backends.sqlite import SqliteLog

    source = Source(id="source-of-the-benchmark", slug="benchmark", name="Benchmark", write_keys=(KEY,))
    snapshot = SimpleNamespace(current=Workspace(id="w", slug="w", name="W", version=1, sources=(source,)))
    log = MemoryLog() if sys.argv[1] == "memory" else SqliteLog(folder)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    await collect(
        log=log,
        snapshot=snapshot,  # type: ignore[arg-type]
        settings=CollectSettings(port=0),
        stopping=asyncio.Event(),
        ready=lambda port: print(port, flush=True),
    )


if __name__ == "__main__":
    uvloop.run(echo() if sys.argv[1] == "echo" else collector(Path(sys.argv[2])))
