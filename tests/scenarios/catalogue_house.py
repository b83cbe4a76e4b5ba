"""Workers of the catalogue for tests: one event loop and one process of Node.js for a whole file, and tools as code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from headwater.catalogue import Answer, Call, Workers
from headwater.spec.destination import NoAnswer, Request, Response
from headwater.spec.settings import CatalogueSettings

T = TypeVar("T")
JSON_TYPE = {"content-type": "application/json"}


def answer(status: int, body: object = None, **headers: str) -> Response:
    """An answer in JSON."""
    return Response(status, JSON_TYPE | headers, msgspec.json.encode(body if body is not None else {}))


class Tool:
    """A receiving tool: keeps what it is asked, and answers in order, by a function, or 200."""

    def __init__(self, *answers: Response | NoAnswer, by: Callable[[Request], Response | None] | None = None) -> None:
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._by = by

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        found = self._by(request) if self._by is not None else None
        if found is not None:
            return found
        given = self._answers.pop(0) if self._answers else Response(200, {}, b"ok")
        if isinstance(given, NoAnswer):
            raise given
        return given

    def bodies(self) -> list[Any]:
        """The JSON of all requests."""
        return [msgspec.json.decode(request.body) for request in self.requests]


def defaults(slug: str, action: str) -> dict[str, Any]:
    """The default mapping of an action."""
    from headwater import catalogue

    found = catalogue.definition(slug).find(action)
    assert found is not None
    return {field.key: field.default for field in found.fields if field.default is not None}


def webhook(*events: Any, url: str = "https://tool.example/in", **changed: Any) -> Call:
    """A call of Segment's webhook."""
    mapping = {"url": url, "method": "POST", "data": {"@path": "$."}, **changed.pop("mapping", {})}
    given: dict[str, Any] = {
        "destination": "actions-webhook",
        "action": "send",
        "trigger": 'type = "track"',
        "mapping": mapping,
        "settings": {"sharedSecret": "s3cret"},
        "events": events or ({"type": "track", "event": "A"},),
    }
    return Call(**(given | changed))


class Running:
    """An event loop in a thread of its own, with workers in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, workers: Workers) -> None:
        self._loop = loop
        self.workers = workers

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and return what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def deliver(self, call: Call, tool: Callable[[Request], Awaitable[Response]], **more: Any) -> Answer:
        """What became of a call."""
        return self.run(self.workers.deliver(call, tool, **more))

    def kinds(self, call: Call, tool: Callable[[Request], Awaitable[Response]]) -> list[str]:
        """What became of each event, in a word."""
        return [item.kind for item in self.deliver(call, tool).items]


@contextmanager
def running_workers(settings: CatalogueSettings | None = None, **more: Any) -> Iterator[Running]:
    """Workers until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    workers = Workers(settings or CatalogueSettings(), **more)
    running = Running(loop, workers)
    try:
        yield running
    finally:
        running.run(workers.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
