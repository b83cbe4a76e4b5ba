"""A manage role on a port of its own, over a real store and a log in memory, for scenarios."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from headwater.contracts.shape import HouseLog, open_store
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED
from headwater.manage.loop import manage
from headwater.spec.event import CollectedHeader, ProcessedHeader, encode_header
from headwater.spec.outcome import AttemptNote, Count, OutcomeBatch, SetAside, encode_outcomes
from headwater.spec.settings import ManageSettings, Settings
from headwater.store import tokens
from headwater.store import workspace as workspaces
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot

ADMIN = "hw_the_admin_of_this_test"
NOW = 1_795_000_000_000


class Answer(msgspec.Struct):
    """What an HTTP request was answered. `data` and `errors` are parts of the envelope."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def data(self) -> Any:
        assert self.status < 300, self
        return self.body["data"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return self.body["errors"]


class ManageHouse:
    """The running role, its ports, and how tests put things into the log."""

    def __init__(self, folder: Path, *, partitions: int = 1, requests_per_minute: int = 0) -> None:
        self.folder = folder
        self.store = open_store(folder)
        self.store.migrate()
        self.log = HouseLog(partitions=partitions)
        self.secrets = Secrets.from_file(folder / "secret.key")
        self.stopping = asyncio.Event()
        self.port = _free_port()
        self.settings = Settings(
            data=str(folder), manage=ManageSettings(port=self.port, requests_per_minute=requests_per_minute)
        )
        if self.store.run(workspaces.version) < 0:
            self.store.run(lambda connection: workspaces.create_workspace(connection, slug="acme", name="Acme"))
            self.token("Admin", "*", text=ADMIN)

    def token(self, name: str, *scopes: str, text: str | None = None) -> str:
        return self.store.run(lambda connection: tokens.create_token(connection, name=name, scopes=scopes, token=text))[
            0
        ]

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = ADMIN,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url(path), data=data, headers=sent) as response,
        ):
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(response.status, dict(response.headers), json.loads(text) if is_json else text)

    def url(self, path: str) -> Any:
        import yarl

        return yarl.URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)

    async def source(self, slug: str = "web") -> str:
        answer = await self.ask("POST", "/sources", {"slug": slug, "metadataId": "javascript", "enabled": True})
        return answer.data["source"]["id"]

    async def webhook(self, source_id: str, **settings: Any) -> str:
        body = {"sourceId": source_id, "metadataId": "webhook", "settings": {"url": "http://hook.test/", **settings}}
        return (await self.ask("POST", "/destinations", body)).data["destination"]["id"]

    async def collect(self, source_id: str, message_id: str, partition: int = 0) -> int:
        header = CollectedHeader("track", source_id, "key", NOW)
        body = json.dumps({"event": "E", "userId": "u", "messageId": message_id}).encode()
        return await self.log.append(COLLECTED, partition, [Record(b"", encode_header(header), body)])

    async def process(
        self, source_id: str, *message_ids: str, name: str = "E", partition: int = 0, destinations: tuple[str, ...] = ()
    ) -> int:
        records = [
            Record(
                b"",
                encode_header(ProcessedHeader(source_id, "track", name, one, "u", "", NOW, destinations=destinations)),
                json.dumps({"type": "track", "event": name, "messageId": one, "userId": "u"}).encode(),
            )
            for one in message_ids
        ]
        return await self.log.append(PROCESSED, partition, records)

    async def outcome(
        self,
        room: str,
        counts: Sequence[Count] = (),
        *,
        set_aside: Sequence[SetAside] = (),
        attempts: Sequence[AttemptNote] = (),
        at: int = NOW,
        partition: int = 0,
    ) -> None:
        batch = OutcomeBatch(room, partition, 0, 0, at, list(counts), list(set_aside), list(attempts))
        await self.log.append(OUTCOMES, partition, [Record(b"", b"", encode_outcomes(batch))])


@asynccontextmanager
async def running(house: ManageHouse) -> AsyncGenerator[ManageHouse]:
    """Run the role of a house, and stop it in the end as the supervisor would."""
    snapshot = await Snapshot.take(house.store)
    role = asyncio.create_task(
        manage(
            log=house.log,
            store=house.store,
            snapshot=snapshot,
            secrets=house.secrets,
            settings=house.settings,
            folder=house.folder,
            stopping=house.stopping,
        )
    )
    try:
        async with asyncio.timeout(60):
            await _until_it_answers(house, role)
            yield house
            house.stopping.set()
            await role
    finally:
        house.stopping.set()
        role.cancel()
        await asyncio.gather(role, return_exceptions=True)
        await house.log.close()
        house.store.close()


async def _until_it_answers(house: ManageHouse, role: asyncio.Task[None]) -> None:
    while True:
        if role.done():
            role.result()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
