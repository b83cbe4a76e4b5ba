"""Requests without HTTP: what the server would hand over, and a TrackingApi over a log in memory to hand it to."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import msgspec

from headwater.collect.app import TrackingApi
from headwater.eventlog import EventLog, Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import COLLECTED
from headwater.spec.errors import Unavailable
from headwater.spec.event import CollectedHeader, decode_collected
from headwater.spec.settings import CollectSettings
from headwater.spec.workspace import Source, Workspace
from headwater.store.snapshot import Snapshot

WORKSPACE = Workspace(
    id="w",
    slug="w",
    name="W",
    version=1,
    sources=(
        Source(id="s1", slug="web", name="Web", write_keys=("k1",)),
        Source(id="s2", slug="app", name="App", write_keys=("k2", "k2-old")),
        Source(id="s-off", slug="off", name="Off", write_keys=("k-off",), enabled=False),
        Source(id="s-slow", slug="slow", name="Slow", write_keys=("k-slow",), events_per_second=10),
    ),
)


def basic(key: str, password: str = "") -> str:
    """The header value that carries a key."""
    return "Basic " + base64.b64encode(f"{key}:{password}".encode()).decode()


class HeadersDouble:
    """Header lines by lower-case name; several lines of one name are a list."""

    def __init__(self, lines: dict[str, str | list[str]]) -> None:
        self._lines = {name: [line] if isinstance(line, str) else line for name, line in lines.items()}

    def get(self, key: str) -> str | None:
        return self._lines[key][0] if key in self._lines else None

    def get_all(self, key: str) -> Sequence[str]:
        return self._lines.get(key, [])


class ScopeDouble(msgspec.Struct):
    """A request's head."""

    path: str
    headers: HeadersDouble
    method: str = "POST"
    query_string: str = ""
    client: str = "203.0.113.7:40000"
    scheme: str = "http"


class ExchangeDouble:
    """A request's body in chunks, and the answer. A chunk that is None never arrives."""

    def __init__(self, chunks: Sequence[bytes | None]) -> None:
        self._chunks = chunks
        self.read = 0
        self.answer: tuple[int, dict[str, str], bytes] | None = None

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if chunk is None:
                await asyncio.Event().wait()
                return
            self.read += len(chunk)
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if self.answer is None:
            self.answer = status, dict(headers), body

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")


class Answered(msgspec.Struct):
    """What a request was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Api:
    """A TrackingApi that is spoken to without a network."""

    def __init__(self, log: EventLog | None = None, *, partitions: int = 1, **settings: Any) -> None:
        self.log = log or MemoryLog(partitions=partitions)
        self.snapshot = Snapshot(cast(Any, None), WORKSPACE)
        self.app = TrackingApi(log=self.log, snapshot=self.snapshot, settings=CollectSettings(**settings))

    async def send(
        self,
        path: str,
        body: bytes | Sequence[bytes | None] = b"",
        *,
        method: str = "POST",
        headers: dict[str, str | list[str]] | None = None,
        **scope: Any,
    ) -> Answered:
        """One request. A body in one piece says its length; one in chunks does not."""
        lines = dict(headers or {})
        chunks = [body] if isinstance(body, bytes) else body
        if isinstance(body, bytes):
            lines.setdefault("content-length", str(len(body)))
        exchange = ExchangeDouble(chunks)
        await self.app.__rsgi__(ScopeDouble(path, HeadersDouble(lines), method, **scope), exchange)
        assert exchange.answer is not None
        return Answered(*exchange.answer)

    async def kept(self, partition: int = 0) -> list[tuple[CollectedHeader, Record]]:
        """What was appended."""
        chunk = await self.log.read(COLLECTED, partition, 0)
        return [(decode_collected(record.header), record) for record in chunk.records]


class BrokenLog(MemoryLog):
    """A log that can be away, and that can hold back its appends until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.appends = 0

    async def append(self, stream: Any, partition: int, records: Sequence[Record]) -> int:
        self.appends += 1
        await self.flowing.wait()
        if self.away:
            raise Unavailable("The log is away.", retry_after=2.2)
        return await super().append(stream, partition, records)
