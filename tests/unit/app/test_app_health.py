"""A process tells of its health on a port of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater.app.health import Wellness, serve_health
from headwater.app.house import open_house, prepare
from headwater.spec.errors import SetupError
from headwater.spec.settings import LogSettings, Settings

Ask = Callable[[str], Awaitable[tuple[int, Any]]]


async def _raw(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await reader.read()
    writer.close()
    return answer


async def _ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    head, _, body = (await _raw(port, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def _settings(folder: Path) -> Settings:
    settings = Settings(data=str(folder), log=LogSettings(url="memory://"))
    prepare(settings)
    return settings


def test_a_role_is_ready_once_it_has_begun_and_no_longer_when_told_to_stop(tmp_path: Path) -> None:
    async def scenario() -> None:
        stopping = asyncio.Event()
        wellness = Wellness(["pipeline"], stopping)
        async with serve_health(wellness, "127.0.0.1", 0) as port:
            status, body = await _ask(port, "/ready")
            assert (status, b"waiting for the store" in body) == (503, True)
            async with open_house(_settings(tmp_path)) as house:
                wellness.opened(house)
                assert await _ask(port, "/ready") == (
                    503,
                    b'{"ready":false,"waitingFor":{"pipeline":"has not begun"}}',
                )
                wellness.begun("pipeline")
                assert await _ask(port, "/ready") == (200, b'{"ready":true,"waitingFor":{}}')
                stopping.set()
                assert await _ask(port, "/ready") == (503, b'{"ready":false,"waitingFor":{"process":"stopping"}}')
                status, body = await _ask(port, "/health")
                assert (status, msgspec.json.decode(body)["roles"]) == (200, ["pipeline"])

    asyncio.run(scenario())


def test_a_role_is_not_ready_while_the_store_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        wellness = Wellness(["deliver"], asyncio.Event())
        async with open_house(_settings(tmp_path)) as house:
            wellness.opened(house)
            wellness.begun("deliver")
            assert await wellness.unready() == {}
            house.store.run(lambda connection: connection.exec_driver_sql("DROP TABLE workspaces"))
            assert await wellness.unready() == {"store": "unavailable"}

    asyncio.run(scenario())


def test_only_three_paths_are_answered_and_only_to_those_who_read() -> None:
    async def scenario() -> None:
        async with serve_health(Wellness(["collect"], asyncio.Event()), "127.0.0.1", 0) as port:
            assert (await _ask(port, "/metrics"))[1].startswith(b"# HELP")
            assert await _ask(port, "/health", "HEAD") == (200, b"")
            assert (await _ask(port, "/health?probe=1"))[0] == 200
            assert (await _ask(port, "/v1/track"))[0] == 404
            assert (await _ask(port, "/health", "POST"))[0] == 405
            assert b" 400 " in await _raw(port, b"hello\r\n\r\n")
            assert b" 400 " in await _raw(port, b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
            with pytest.raises(SetupError, match="health_port"):
                async with serve_health(Wellness([], asyncio.Event()), "127.0.0.1", port):
                    raise AssertionError("two servers on a port")

    asyncio.run(scenario())
