"""A bench for deliver: the real role over a log in memory and a store in a folder, with sources and destinations."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from headwater.contracts.shape import HouseLog, open_store
from headwater.deliver.loop import deliver
from headwater.deliver.past import PastEvents
from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import OUTCOMES, PROCESSED
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.outcome import Count, OutcomeBatch, Step, decode_outcomes
from headwater.spec.settings import CatalogueSettings, DeliverSettings
from headwater.spec.workspace import Destination
from headwater.store import Store, ledger, redriving
from headwater.store import workspace as workspaces
from headwater.store.parked import ParkedDelivery
from headwater.store.redriving import Filter
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot

Sums = dict[tuple[str, str], int]

QUICK = DeliverSettings(
    first_backoff_seconds=0.02,
    max_backoff_seconds=0.1,
    allowed_addresses=("127.0.0.0/8", "::1/128"),
    grace_seconds=0.2,
    breaker_failures=1_000,
    breaker_seconds=0.1,
)
"""Settings with which nothing takes long."""


class Bench:
    """A workspace with one source, `source_id`, whose events are put into `log` as the pipeline would."""

    def __init__(self, folder: Path, log: EventLog | None = None, *, store: Store | None = None) -> None:
        self.log: EventLog = log or HouseLog()
        self.store = store or open_store(folder)
        self.store.migrate()
        self.secrets = Secrets([b"0" * 32])
        self.past: PastEvents | None = None
        self.source_id = self.store.run(self._prepare)
        self._made = 0
        self._role: asyncio.Task[None] | None = None

    def _prepare(self, connection: Any) -> str:
        if workspaces.version(connection) < 0:
            workspaces.create_workspace(connection, slug="bench", name="Bench")
            return workspaces.create_source(connection, slug="source", name="Source").id
        return workspaces.load(connection).sources[0].id

    def connect(self, definition: str = "webhook", **settings: Any) -> str:
        """Connect a destination and return its id."""
        self._made += 1
        make = partial(
            workspaces.create_destination,
            source_id=self.source_id,
            definition=definition,
            name=f"Destination {self._made}",
            settings=settings,
        )
        return self.store.run(make).id

    def change(self, destination_id: str, **columns: Any) -> None:
        """Change a destination."""
        self.store.run(partial(workspaces.update_destination, destination_id=destination_id, **columns))

    def remove(self, destination_id: str) -> None:
        """Remove a destination."""
        self.store.run(partial(workspaces.delete_destination, destination_id=destination_id))

    def destination(self, destination_id: str) -> Destination:
        """A destination as it is now."""
        return self.store.run(partial(workspaces.find_destination, destination_id=destination_id))

    async def put(self, count: int, *destination_ids: str, first: int = 0, kind: str = "track") -> list[str]:
        """Append events due at these destinations; returns their messageIds, m<first> and on."""
        records = [
            event_record(f"m{number}", self.source_id, destination_ids, kind) for number in range(first, first + count)
        ]
        await self.log.append(PROCESSED, 0, records)
        return [f"m{number}" for number in range(first, first + count)]

    @asynccontextmanager
    async def delivering(
        self, settings: DeliverSettings = QUICK, log: EventLog | None = None, *, fresh_every: float = 0.02
    ) -> AsyncGenerator[asyncio.Task[None]]:
        """Run the role until the block ends, then stop it in order; if the block raises or kills it, end it at once.

        It looks every `fresh_every` seconds whether the workspace changed.
        """
        stopping = asyncio.Event()
        snapshot = await Snapshot.take(self.store)
        fresh = asyncio.create_task(snapshot.keep_fresh(stopping, every=fresh_every))
        self._role = role = asyncio.create_task(
            deliver(
                log=log or self.log,
                store=self.store,
                snapshot=snapshot,
                secrets=self.secrets,
                settings=settings,
                catalogue=CatalogueSettings(),
                environment={},
                stopping=stopping,
                past=self.past,
            )
        )
        try:
            yield role
            stopping.set()
            if not role.cancelled():
                await asyncio.wait([role], timeout=30)
        finally:
            stopping.set()
            role.cancel()
            await asyncio.wait([role])
            await fresh
        if not role.cancelled():
            role.result()

    async def until(self, condition: Callable[[], object], *, seconds: float = 20.0) -> None:
        """Wait for a condition on the store or the log. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self._moment()

    async def until_committed(self, *, seconds: float = 20.0) -> None:
        """Wait until deliver's cursor stands at the end of the log. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while await self.log.lag("deliver", PROCESSED, 0):
                await self._moment()

    async def _moment(self) -> None:
        """Neither store nor log tell that they changed; a role that broke does."""
        await asyncio.sleep(0.01)
        if self._role is not None and self._role.done() and not self._role.cancelled():
            self._role.result()

    def rows(self, **chosen: Any) -> list[ParkedDelivery]:
        """Parked deliveries, newest first."""
        return self.store.run(lambda connection: redriving.find(connection, Filter(**chosen), limit=100_000))

    def states(self) -> Mapping[str, int]:
        """How many parked deliveries are in which state."""
        return Counter(row.state for row in self.rows())

    async def outcomes(self) -> list[OutcomeBatch]:
        """All records of `outcomes`."""
        chunk = await self.log.read(OUTCOMES, 0, 0, max_records=1_000_000, max_bytes=1 << 40)
        return [decode_outcomes(record.value) for record in chunk.records]

    async def books(self) -> dict[str, Sums]:
        """The ledger as it will stand when all outcomes are folded: for each destination, (step, reason) to events."""
        counts = [count for batch in await self.outcomes() for count in batch.counts]
        return add_up([*counts, *self.store.run(ledger.totals)])

    async def cells(self) -> dict[tuple[int, str, str, str], int]:
        """The same by minute: what is not zero of (minute, destination, step, reason)."""
        sums: Counter[tuple[int, str, str, str]] = Counter()
        counts = [count for batch in await self.outcomes() for count in batch.counts]
        for count in [*counts, *self.store.run(_all_counts)]:
            sums[count.minute, count.destination_id, count.step, count.reason] += count.events
        return {key: events for key, events in sums.items() if events}


def _all_counts(connection: Any) -> list[Count]:
    from headwater.store.schema import ledger as table

    rows = connection.execute(table.select()).mappings()
    return [
        Count(row["source_id"], row["destination_id"], row["minute"], row["step"], row["reason"], row["events"])
        for row in rows
    ]


def add_up(counts: Sequence[Count]) -> dict[str, Sums]:
    """The sums by destination of what is not zero, and that the books of each balance."""
    sums: dict[str, Counter[tuple[str, str]]] = {}
    for count in counts:
        sums.setdefault(count.destination_id, Counter())[count.step, count.reason] += count.events
    for destination_id, each in sums.items():
        steps: Counter[str] = Counter()
        for (step, _), events in each.items():
            steps[step] += events
        ends = (Step.FILTERED_AT_DESTINATION, Step.DELIVERED, Step.FAILED_DELIVERY, Step.PENDING)
        assert steps[Step.MATCHED] == sum(steps[step] for step in ends), (destination_id, steps)
    return {key: {cell: events for cell, events in each.items() if events} for key, each in sums.items()}


def event_record(message_id: str, source_id: str, destination_ids: Sequence[str], kind: str = "track") -> Record:
    """A record of `processed`, as the pipeline would have written it now."""
    event = {
        "type": kind,
        "event": "Order Completed",
        "userId": "u1",
        "messageId": message_id,
        "properties": {"revenue": 19.99},
        "timestamp": "2024-01-01T10:00:01.000Z",
    }
    header = ProcessedHeader(
        source_id, kind, "Order Completed", message_id, "u1", "", int(time.time() * 1000), "", tuple(destination_ids)
    )
    return Record(b"u1", encode_header(header), msgspec.json.encode(event))
