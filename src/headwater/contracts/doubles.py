"""Real doubles: servers and clocks that tests can hold in their hands.

`Recorder` is a receiving tool: an HTTP server on the loopback interface that keeps every request and answers by script,
well or badly. Nothing in it waits for time to pass: a request that hangs does so until it is released.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, cast

import msgspec
from aiohttp import web

Mischief = Literal["", "hang", "half", "garbage", "huge", "abort"]
HUGE_BYTES = 4_000_000


class Recorded(msgspec.Struct, frozen=True):
    """A request that arrived. Header names are in lower case; `at` is an instant of the monotonic clock."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


class Answer(msgspec.Struct, frozen=True):
    """What to answer. `mischief` answers badly:

    - `hang`: nothing, until the recorder releases it or closes
    - `half`: the head and half of the body, then the connection is closed
    - `garbage`: bytes that are not HTTP
    - `huge`: the status with a body of 4 MB
    - `abort`: the connection is reset without a word
    """

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
    mischief: Mischief = ""


OK = Answer()


class Recorder:
    """Open it with `async with`. Paths without a script are answered 200; query strings do not choose the script."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self._scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._usual = OK
        self._released = asyncio.Event()
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Recorder:
        app = web.Application(client_max_size=64_000_000)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str = "/") -> str:
        """The address of a path of this server."""
        return f"http://127.0.0.1:{self._port}{path}"

    def script(self, path: str, *answers: Answer) -> None:
        """Answer requests to a path in this order from now on; the last answer stays."""
        self._scripts[path] = deque(answers)

    def always(self, answer: Answer) -> None:
        """Answer so from now on where no script says otherwise."""
        self._usual = answer

    def release(self) -> None:
        """Let requests that hang, now or later, end with their status."""
        self._released.set()

    def at(self, path: str) -> list[Recorded]:
        """The requests to a path, in order of arrival."""
        return [request for request in self.requests if request.path.partition("?")[0] == path]

    async def until(self, condition: Callable[[], object], *, seconds: float = 20.0) -> None:
        """Wait for a condition that requests bring about; it is looked at after each. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Recorded(request.method, request.raw_path, headers, body, time.monotonic()))
        answers = self._scripts[request.path]
        answer = (answers.popleft() if len(answers) > 1 else answers[0]) if answers else self._usual
        self._changed.set()
        if answer.mischief == "hang":
            await self._released.wait()
        elif answer.mischief:
            return await self._misbehave(request, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _misbehave(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.mischief == "huge":
            return web.Response(status=answer.status, headers=answer.headers, body=b"x" * HUGE_BYTES)
        response = web.StreamResponse(status=answer.status, headers={"Content-Length": "1000", **answer.headers})
        transport = cast("asyncio.Transport", request.transport)
        if answer.mischief == "half":
            await response.prepare(request)
            await response.write(b"x" * 500)
        elif answer.mischief == "garbage":
            transport.write(b"This is not HTTP at all.\r\n\r\n")
        if answer.mischief == "abort":
            transport.abort()
        else:
            transport.close()
        return response


@contextmanager
def refusing_port() -> Generator[int]:
    """A port of the loopback interface that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
