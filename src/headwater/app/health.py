"""What a process tells load balancers and watchers of itself: GET /health, /ready and /metrics.

A server of its own, because a role such as the pipeline has none. It answers these paths alone, and one request a
connection; a head that is long or slow is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from headwater import __version__, telemetry
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.spec.errors import SetupError, Unavailable
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from headwater.app.house import House

_log = logging.getLogger("headwater")
_MAX_HEAD_BYTES: Final = 8_192
_PATIENCE_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 2.0
"""How long the store and the log may take; shorter than what load balancers wait."""

_MAX_CONNECTIONS: Final = 64
_JSON: Final = "application/json"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}

Answer = tuple[int, str, bytes]


class Wellness:
    """How a process and its roles are."""

    def __init__(self, roles: Sequence[str], stopping: asyncio.Event) -> None:
        self._roles = tuple(roles)
        self._stopping = stopping
        self._since = time.monotonic()
        self._house: House | None = None
        self._begun: set[str] = set()

    def opened(self, house: House) -> None:
        """The store and the log are open."""
        self._house = house

    def begun(self, role: str) -> None:
        """A role's work has begun."""
        self._begun.add(role)

    def alive(self) -> dict[str, object]:
        """That the process runs, whatever else is away."""
        return {
            "status": "stopping" if self._stopping.is_set() else "ok",
            "version": __version__,
            "roles": self._roles,
            "uptimeSeconds": round(time.monotonic() - self._since, 1),
        }

    async def unready(self) -> dict[str, str]:
        """Why no work should come here now, by part; empty when it should.

        A collector that keeps requests on its own disk while the log is away is ready without it, and one that knows
        its sources is ready without the store.
        """
        if self._stopping.is_set():
            return {"process": "stopping"}
        house = self._house
        if house is None:
            return {"process": "waiting for the store and the log"}
        found = {role: "has not begun" for role in self._roles if role not in self._begun}
        asked: dict[str, Awaitable[object]] = {}
        if self._roles != ("collect",):
            asked["store"] = house.store.read(workspaces.version)
        if self._roles != ("collect",) or not (house.settings.log.url and house.settings.log.spill_bytes):
            stream = COLLECTED if "collect" in self._roles or "pipeline" in self._roles else PROCESSED
            asked["log"] = house.log.bounds(stream, 0)
        said = await asyncio.gather(*map(_well, asked.values()))
        return found | {part: why for part, why in zip(asked, said, strict=True) if why}


async def _well(question: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(question, _ANSWER_SECONDS)
    except Unavailable:
        return "unavailable"
    except TimeoutError:
        return "late"
    return ""


@asynccontextmanager
async def serve_health(wellness: Wellness, host: str, port: int) -> AsyncGenerator[int]:
    """Answer on a port until the end of the block; gives the port. Raises SetupError when it cannot be had."""
    open_connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_connections
        open_connections += 1
        try:
            if open_connections <= _MAX_CONNECTIONS:
                await _converse(wellness, reader, writer)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            _log.debug("A request for the health of this process came to nothing.")
        except Exception:
            _log.exception("A request for the health of this process failed")
        finally:
            open_connections -= 1
            writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=_MAX_HEAD_BYTES)
    except OSError as error:
        raise SetupError(
            f"/health cannot be served on {host} port {port}: {error.strerror}. Choose others with health_host and "
            "health_port."
        ) from error
    _log.info("/health, /ready and /metrics are on %s port %d", host, server.sockets[0].getsockname()[1])
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 1.0)


async def _converse(wellness: Wellness, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            head = b""
        method, path = _asked(head)
        status, kind, body = await _answer(wellness, method, path)
        lines = (
            f"HTTP/1.1 {status} {_REASONS[status]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
            "\r\n",
        )
        writer.write("\r\n".join(lines).encode() + (b"" if method == "HEAD" else body))
        await writer.drain()


def _asked(head: bytes) -> tuple[str, str]:
    """Method and path of a request; empty when it is none."""
    words = head.partition(b"\r\n")[0].decode("ascii", "replace").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return "", ""
    return words[0], words[1].partition("?")[0]


async def _answer(wellness: Wellness, method: str, path: str) -> Answer:
    if not method:
        return 400, _JSON, b'{"error":"bad_request"}'
    if path not in ("/health", "/ready", "/metrics"):
        return 404, _JSON, b'{"error":"not_found"}'
    if method not in ("GET", "HEAD"):
        return 405, _JSON, b'{"error":"method_not_allowed"}'
    if path == "/metrics":
        body, kind = telemetry.exposition()
        return 200, kind, body
    if path == "/health":
        return 200, _JSON, msgspec.json.encode(wellness.alive())
    missing = await wellness.unready()
    return 503 if missing else 200, _JSON, msgspec.json.encode({"ready": not missing, "waitingFor": missing})
