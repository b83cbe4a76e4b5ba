"""A small house for tests of the warehouse room: a store, a log and the role, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from headwater.contracts.shape import HouseLog, open_store
from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import PROCESSED
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.settings import WarehouseSettings
from headwater.spec.workspace import Warehouse
from headwater.store import loads
from headwater.store import workspace as workspaces
from headwater.store.loads import Load
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot
from headwater.warehouse.loop import warehouse
from headwater.warehouse.query import Result, query

SETTINGS = WarehouseSettings(load_every_seconds=0.05, archive_every_seconds=0.05)
RECEIVED = 1_700_000_000_000


def event(message_id: str, **fields: Any) -> dict[str, Any]:
    """A published track event."""
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": message_id,
        "userId": "u1",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "context": {"ip": "203.0.113.9"},
        "properties": {"price": 5},
    } | fields


def record(body: dict[str, Any], source_id: str, received_at: int, without: tuple[str, ...] = ()) -> Record:
    header = ProcessedHeader(
        source_id,
        body["type"],
        body.get("event") or "",
        body["messageId"],
        body.get("userId") or "",
        body.get("anonymousId") or "",
        received_at,
        without_warehouses=without,
    )
    return Record(b"", encode_header(header), msgspec.json.encode(body))


class House:
    def __init__(self, folder: Path, log: EventLog | None = None, settings: WarehouseSettings = SETTINGS) -> None:
        self.folder = folder
        self.settings = settings
        self.store = open_store(folder)
        self.store.migrate()
        self.store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
        self.log = log or HouseLog(partitions=1)
        self.source_id = self.add_source("my-site")

    def add_source(self, slug: str) -> str:
        return self.store.run(lambda connection: workspaces.create_source(connection, slug=slug, name=slug).id)

    def add_warehouse(self, engine: str = "duckdb", name: str = "Main", **settings: Any) -> str:
        return self.store.run(
            lambda connection: workspaces.create_warehouse(connection, engine=engine, name=name, settings=settings).id
        )

    async def publish(self, *bodies: dict[str, Any], source_id: str = "", partition: int = 0, **header: Any) -> None:
        records = [record(body, source_id or self.source_id, RECEIVED + at, **header) for at, body in enumerate(bodies)]
        await self.log.append(PROCESSED, partition, records)

    async def work(self, until: Callable[[], Awaitable[bool]]) -> None:
        """Run the role until a condition holds."""
        stopping = asyncio.Event()
        snapshot = await Snapshot.take(self.store)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(snapshot.keep_fresh(stopping, every=0.05))
            tasks.create_task(
                warehouse(
                    log=self.log,
                    store=self.store,
                    snapshot=snapshot,
                    secrets=Secrets.from_file(self.folder / "secret.key"),
                    settings=self.settings,
                    folder=self.folder,
                    stopping=stopping,
                )
            )
            async with asyncio.timeout(30):
                while not await until():
                    await asyncio.sleep(0.02)
            stopping.set()

    def caught_up(self, *groups: str) -> Callable[[], Awaitable[bool]]:
        async def all_caught_up() -> bool:
            lags = [
                await self.log.lag(group, PROCESSED, partition)
                for group in groups
                for partition in self.log.partitions(PROCESSED)
            ]
            return not any(lags)

        return all_caught_up

    def loads(self, warehouse_id: str) -> list[Load]:
        return self.store.run(lambda connection: loads.list_loads(connection, warehouse_id), write=False)

    def rows(self, warehouse_id: str, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "warehouse" / f"{warehouse_id}.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def warehouses(self) -> tuple[Warehouse, ...]:
        return self.store.run(workspaces.load, write=False).warehouses

    async def query(self, sql: str, settings: WarehouseSettings | None = None) -> Result:
        return await query(
            sql,
            folder=self.folder,
            log=self.log,
            settings=settings or self.settings,
            warehouses=self.warehouses(),
        )
