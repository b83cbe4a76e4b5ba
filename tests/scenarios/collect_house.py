"""A collect role on a port of its own, over a real store, for scenarios that speak HTTP to it."""

import asyncio
import base64
import http.client
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from headwater.collect.loop import collect
from headwater.contracts.shape import HouseLog, open_store
from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import COLLECTED, Stream
from headwater.spec.errors import Unavailable
from headwater.spec.event import CollectedHeader, decode_collected
from headwater.spec.settings import CollectSettings
from headwater.store import Store
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

KEY = "a-write-key"
EVENT = b'{"userId":"u1","event":"E"}'


class Answer(msgspec.Struct):
    """What an HTTP request was answered; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class GatedLog(HouseLog):
    """A log that can hold back its appends, or be away."""

    def __init__(self) -> None:
        super().__init__()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.away = False
        self.asked = asyncio.Event()

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        self.asked.set()
        await self.flowing.wait()
        if self.away:
            raise Unavailable("The log is away.", retry_after=1.5)
        return await super().append(stream, partition, records)


class CollectHouse:
    """The running role, and how tests speak to it."""

    def __init__(self, store: Store, snapshot: Snapshot, log: EventLog) -> None:
        self.store = store
        self.snapshot = snapshot
        self.log = log
        self.port = 0
        self.stopping = asyncio.Event()
        self.role: asyncio.Task[None] | None = None

    async def send(
        self, path: str, body: bytes | None = EVENT, *, method: str = "POST", key: str | None = KEY, **headers: str
    ) -> Answer:
        """One request over a connection of its own. Underscores in names of headers are dashes."""
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            lines["authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        return await asyncio.to_thread(self._send, method, path, body, lines)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            lines = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, lines, answer.read())
        finally:
            connection.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def kept(self) -> list[tuple[CollectedHeader, bytes]]:
        """Everything that was appended to partition 0."""
        chunk = await self.log.read(COLLECTED, 0, 0, max_records=100_000)
        return [(decode_collected(record.header), record.value) for record in chunk.records]


def head(path: str, *lines: str) -> bytes:
    """The head of a POST request with the key of the house."""
    key = base64.b64encode(f"{KEY}:".encode()).decode()
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Basic {key}", *lines, "", ""]).encode()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One answer from a bare connection: status and body."""
    top = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(top.split("content-length: ")[1].split("\r\n")[0])
    return int(top.split()[1]), await reader.readexactly(length)


@asynccontextmanager
async def collect_house(folder: Path, log: EventLog | None = None, **settings: Any) -> AsyncGenerator[CollectHouse]:
    """Run the role over a fresh store with one source until the block ends."""
    store = open_store(folder)
    store.migrate()
    store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
    store.run(lambda connection: workspaces.create_source(connection, slug="s", name="S", write_key=KEY))
    house = CollectHouse(store, await Snapshot.take(store), log or HouseLog())
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    house.role = asyncio.create_task(
        collect(
            log=house.log,
            snapshot=house.snapshot,
            settings=CollectSettings(port=0, **settings),
            stopping=house.stopping,
            ready=ready.set_result,
        )
    )
    try:
        await asyncio.wait({ready, house.role}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await house.role
        house.port = ready.result()
        yield house
    finally:
        house.stopping.set()
        await house.role
        await house.log.close()
        store.close()
