"""The role: opens the port, serves until told to stop, finishes what it holds."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from headwater.collect.app import TrackingApi
from headwater.eventlog import EventLog
from headwater.spec.errors import SetupError
from headwater.spec.settings import CollectSettings
from headwater.store.snapshot import Snapshot

_log: Final = logging.getLogger("headwater.collect")
_BACKLOG: Final = 2_048
_MAX_CONNECTIONS: Final = 8_192
_SPARE_FILES: Final = 256
_IDLE_MILLISECONDS: Final = 75_000
"""How long a connection may be idle or take to write a request's head; above the 60 s of common load balancers."""

_MAX_HEAD_BYTES: Final = 128 * 1024
_DRAIN_READ_SECONDS: Final = 3.0
_DRAIN_SECONDS: Final = 20.0


async def collect(
    *,
    log: EventLog,
    snapshot: Snapshot,
    settings: CollectSettings,
    stopping: asyncio.Event,
    ready: Callable[[int], None] | None = None,
    spilling: Callable[[], bool] | None = None,
) -> None:
    """Serve the tracking API until `stopping` is set; then stop listening, finish what is held, and return.

    `ready` is called once connections are accepted, with the port, which the system chooses when the setting is 0.
    `spilling` tells of a log that keeps requests on this machine's disk whether it does so now; it may hold one twice.
    Several processes may share a port. Raises SetupError when the address cannot be listened on.
    """
    api = TrackingApi(log=log, snapshot=snapshot, settings=settings, spilling=spilling)
    with _reserve(settings.host, settings.port) as place:
        host, port = place.getsockname()[:2]
        server = _server(api, host, port)
        serving = asyncio.create_task(server.serve(), name="tracking API")
        watch = asyncio.create_task(stopping.wait(), name="tracking API stop")
        try:
            await _until_listening(host, port, serving)
            _log.info("The tracking API listens on %s port %d", host, port)
            if ready is not None:
                ready(port)
            await _sweep_until(api, {serving, watch}, every=min(1.0, settings.read_seconds / 4))
            if serving.done():
                raise RuntimeError("the HTTP server ended by itself") from serving.exception()
        finally:
            api.draining = True
            watch.cancel()
            await _drain(api, server, serving)


def _server(api: TrackingApi, host: str, port: int) -> Server:
    return Server(
        api,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_IDLE_MILLISECONDS, max_buffer_size=_MAX_HEAD_BYTES),
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_connections(),
        log_enabled=False,
    )


def _reserve(host: str, port: int) -> socket.socket:
    """A socket that holds the port without listening: a port in use is known at once, and 0 becomes a number."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0]  # noqa: S104 - the owner's wish
        place = socket.socket(family, kind, protocol)
        try:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            place.bind(address)
        except OSError:
            place.close()
            raise
    except OSError as error:
        raise SetupError(
            f"The tracking API cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another with collect.host and collect.port."
        ) from None
    return place


def _connections() -> int:
    """How many connections may be open at once: what the limit of open files leaves."""
    if sys.platform == "win32":
        return _MAX_CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(min(files - _SPARE_FILES, _MAX_CONNECTIONS), 64)


async def _until_listening(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Wait until a connection is taken. A server that ends before is a fault, raised by the caller."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(reachable, port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


async def _sweep_until(api: TrackingApi, ends: set[asyncio.Task[None] | asyncio.Task[bool]], *, every: float) -> None:
    while True:
        done, _ = await asyncio.wait(ends, timeout=every, return_when=asyncio.FIRST_COMPLETED)
        api.sweep()
        if done:
            return


async def _drain(api: TrackingApi, server: Server, serving: asyncio.Task[None]) -> None:
    """Stop listening, let running requests end, give those that still write their bodies a moment."""
    server.stop()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _DRAIN_SECONDS
    while not serving.done() and loop.time() < deadline:
        await asyncio.wait({serving}, timeout=0.25)
        api.sweep(read_seconds=_DRAIN_READ_SECONDS)
    if not serving.done():
        _log.warning("Requests were still waiting for the log after %.0f s; they are not acknowledged.", _DRAIN_SECONDS)
        serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
