"""A house for the tests of audiences: a store, a log in memory, a pipeline and a fold in one process, and a clock."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from headwater.contracts.shape import HouseLog, open_store
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED
from headwater.pipeline.loop import Walk
from headwater.pipeline.seen import Seen
from headwater.profiles.computing.standing import decode, values
from headwater.profiles.identity.unmerge import divide
from headwater.profiles.loop import Folding
from headwater.spec.computation import Computation, Connection, Run, default_calls
from headwater.spec.errors import Unavailable
from headwater.spec.event import CollectedHeader, decode_collected, encode_header
from headwater.spec.settings import PipelineSettings, ProfilesSettings
from headwater.spec.timestamps import format_moment
from headwater.store import components, computations, graph, standing
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

AT = 1_790_000_000_000
DAY = 86_400_000


class DyingLog:
    """A log whose reader ends when it appends something, before or after that is there."""

    def __init__(self, log: HouseLog, dies: str) -> None:
        self._log = log
        self._dies = dies

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, *arguments: Any) -> int:
        if self._dies == "told":
            await self._log.append(*arguments)
        raise Unavailable("The process has ended.", retry_after=0.0)


class House:
    """A store with one space and a webhook, a log in memory, and a clock that stands still until it is moved."""

    def __init__(self, folder: Path, *, partitions: int = 1) -> None:
        self.folder = folder
        self.store = open_store(folder)
        self.store.migrate()
        self.now = AT
        self.store.run(lambda one: workspaces.create_workspace(one, slug="w", name="W"))
        self.source_id = self.store.run(lambda one: workspaces.create_source(one, slug="web", name="Web").id)
        self.space_id = self.store.run(lambda one: workspaces.create_space(one, slug="people", name="People").id)
        self.engage_id = self.store.run(lambda one: computations.engage_source(one, self.space_id).id)
        self.log = HouseLog(partitions=partitions)
        self.partitions = partitions
        self.sent = 0
        self.read = [0] * partitions

    def define(self, key: str, query: str, *, told: bool = True, **fields: Any) -> Computation:
        """Make an audience, or a trait where the kind says so."""
        kind, level = fields.pop("kind", "audience"), fields.pop("level", "USERS")
        connection = Connection(id="con_1", destination_id="hook", calls=default_calls(kind, level))
        computation = Computation(
            id="",
            space_id=self.space_id,
            kind=kind,
            level=level,
            key=key,
            name=key,
            query=query,
            connections=fields.pop("connections", (connection,) if told else ()),
            **fields,
        )
        return self.store.run(lambda one: computations.create(one, computation))

    async def collect(self, *bodies: dict[str, Any], partition: int = 0) -> None:
        for body in bodies:
            self.sent += 1
            body = {
                "type": "track",
                "event": "E",
                "messageId": f"m{self.sent}",
                "timestamp": format_moment(self.now),
                **body,
            }
            header = CollectedHeader(body["type"], self.source_id, "k", self.now + self.sent)
            await self.log.append(COLLECTED, partition, [Record(b"", encode_header(header), msgspec.json.encode(body))])

    async def process(self) -> None:
        """Have the pipeline process what was collected."""
        snapshot = await Snapshot.take(self.store)
        for partition in range(self.partitions):
            if not await self.log.lag("pipeline", COLLECTED, partition):
                continue
            seen = Seen(self.folder / f"seen-{partition}", keep_seconds=86_400, window_ms=DAY)
            walk = Walk(self.log, snapshot, PipelineSettings(), (), store=self.store, partition=partition, seen=seen)
            task = asyncio.create_task(walk.run(asyncio.Event()))
            while await self.log.lag("pipeline", COLLECTED, partition):
                await asyncio.sleep(0.005)
                if task.done():
                    task.result()
            task.cancel()  # it waits for more, which would take a second
            await asyncio.gather(task, return_exceptions=True)

    async def fold(self, past: Any = None, *, dies: str | None = None) -> None:
        """Fold what was processed until nothing is left to do, twice over all partitions.

        It may `die` before it writes, or when it has written: `before telling` of that, or when it just `told`.
        """
        snapshot = await Snapshot.take(self.store)
        settings = ProfilesSettings(accounts_every_seconds=0.0)
        for _ in range(2):
            for partition in range(self.partitions):
                folding = Folding(
                    self.log, self.store, settings, partition, snapshot=snapshot, past=past, clock=lambda: self.now
                )
                await folding.open()
                for _ in range(1 if dies else 12):
                    await folding.step(0.0)
                if dies:
                    return
                await folding.write()

    async def work(self, *bodies: dict[str, Any], partition: int = 0) -> list[dict[str, Any]]:
        """Collect, process, fold; returns what the space said meanwhile, in its order."""
        await self.collect(*bodies, partition=partition)
        await self.process()
        await self.fold()
        return await self.said()

    async def said(self) -> list[dict[str, Any]]:
        """The calls that were appended since the last time."""
        found: list[dict[str, Any]] = []
        for partition in range(self.partitions):
            chunk = await self.log.read(COLLECTED, partition, self.read[partition])
            self.read[partition] = chunk.next
            for record in chunk.records:
                header = decode_collected(record.header)
                if header.source_id == self.engage_id and not header.refused:
                    found += msgspec.json.decode(record.value)["batch"]
        return found

    def owner(self, identifier: str) -> str:
        return self.store.run(lambda one: graph.owners(one, self.space_id, [identifier]))[identifier]

    def part(self, *identifiers: str) -> None:
        """Undo the merge that made the owners of identifiers one."""

        (owner,) = {self.owner(each) for each in identifiers}

        def work(connection: Any) -> None:
            found = components.component(connection, owner)
            merge = found.merges[-1]
            components.split(connection, self.space_id, merge, divide(found, merge.id), self.now)

        self.store.run(work)

    def values(self, identifier: str) -> dict[str, Any]:
        """The values of computations that the owner of an identifier has."""
        return self.values_of(self.owner(identifier))

    def values_of(self, owner: str) -> dict[str, Any]:
        """The values of computations that a profile has."""
        found = self.store.run(lambda one: standing.standings(one, [owner]))
        return values(decode(found[owner])) if owner in found else {}

    def run(self, computation: Computation) -> Run:
        return self.store.run(computations.read_runs)[computation.id]


def moves(said: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    """Who was told to have entered or left, by track calls: who, key, whether."""
    found: list[tuple[str, str, bool]] = []
    for each in said:
        key = each["properties"].get("audience_key") if each["type"] == "track" else None
        if key is not None:
            found.append((each.get("userId") or each.get("anonymousId") or "", key, each["properties"][key]))
    return found


def traits_told(said: Sequence[Mapping[str, Any]], key: str) -> list[tuple[str, Any]]:
    """What identify and group calls told of a trait: to whom, what."""
    return [
        (each.get("userId") or each.get("anonymousId") or each["traits"].get("email") or "", each["traits"][key])
        for each in said
        if each["type"] in ("identify", "group") and key in each["traits"]
    ]
