"""The pipeline over a real store and log: exactly once over crashes, and a workspace that changes under way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from headwater.contracts.shape import HouseLog, open_store
from headwater.eventlog import Append, Commit, Record
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED, Stream
from headwater.pipeline.loop import GROUP, Walk
from headwater.pipeline.seen import Seen
from headwater.spec.errors import Unavailable
from headwater.spec.event import CollectedHeader, decode_processed, encode_header
from headwater.spec.outcome import decode_outcomes
from headwater.spec.settings import PipelineSettings
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot


class House:
    def __init__(self, folder: Path) -> None:
        self.store = open_store(folder)
        self.store.migrate()
        self.store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
        self.log = HouseLog(partitions=1)
        self.folder = folder
        self.source_id = self.add_source("web")

    def add_source(self, slug: str) -> str:
        return self.store.run(lambda connection: workspaces.create_source(connection, slug=slug, name=slug).id)

    async def collect(self, *message_ids: str, source_id: str = "") -> None:
        for one in message_ids:
            body = {"userId": "u", "event": "E", "messageId": one}
            header = CollectedHeader("track", source_id or self.source_id, "k", 1_700_000_000_000)
            await self.log.append(COLLECTED, 0, [Record(b"", encode_header(header), msgspec.json.encode(body))])

    def open_index(self) -> Seen:
        return Seen(self.folder / "seen", keep_seconds=86_400, window_ms=86_400_000)

    async def work(self, until: Callable[[], Awaitable[bool]], snapshot: Snapshot | None = None) -> None:
        """Run the pipeline until a condition holds."""
        stopping = asyncio.Event()
        walk = Walk(
            self.log,
            snapshot or await Snapshot.take(self.store),
            PipelineSettings(),
            (),
            store=self.store,
            partition=0,
            seen=self.open_index(),
        )
        running = asyncio.create_task(walk.run(stopping))
        async with asyncio.timeout(20):
            while not await until():
                await asyncio.sleep(0.01)
        stopping.set()
        await running

    async def drained(self) -> bool:
        return await self.log.lag(GROUP, COLLECTED, 0) == 0

    async def processed(self) -> list[str]:
        chunk = await self.log.read(PROCESSED, 0, 0)
        return [decode_processed(record.header).message_id for record in chunk.records]

    async def counts(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for record in (await self.log.read(OUTCOMES, 0, 0)).records:
            for count in decode_outcomes(record.value).counts:
                sums[count.step] = sums.get(count.step, 0) + count.events
        return sums


def test_a_retried_event_is_a_duplicate_in_a_later_chunk_and_after_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        await house.collect("a", "b", "a")
        await house.work(house.drained)
        await house.collect("b", "c")
        await house.work(house.drained)
        assert await house.processed() == ["a", "b", "c"]
        assert await house.counts() == {"received": 5, "processed": 3, "duplicate": 2}

    asyncio.run(story())


def test_an_index_that_missed_the_last_chunk_catches_up_before_anything_else(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        await house.collect("a")
        header = encode_header(msgspec.convert(["s", "track", "E", "a", "u", "", 1_700_000_000_000], type=list))
        # As after a crash between the commit of a chunk and the writing of the index.
        await house.log.transact(0, [Append(PROCESSED, [Record(b"", header, b"{}")])], [Commit(GROUP, COLLECTED, 1)])
        await house.collect("a", "b")
        await house.work(house.drained)
        assert await house.processed() == ["a", "b"]

    asyncio.run(story())


def test_an_event_of_a_source_that_this_process_has_not_heard_of_yet_is_not_refused(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        stale = await Snapshot.take(house.store)
        await house.collect("a", source_id=house.add_source("made a moment ago"))
        await house.work(house.drained, stale)
        assert await house.processed() == ["a"]

    asyncio.run(story())


def test_a_write_key_that_collect_had_not_heard_of_yet_is_looked_up_once_more(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        stale = await Snapshot.take(house.store)
        header = CollectedHeader("track", "", "a new key", 1_700_000_000_000)
        body = msgspec.json.encode({"userId": "u", "event": "E", "messageId": "a"})
        await house.log.append(COLLECTED, 0, [Record(b"", encode_header(header), body)])
        house.store.run(lambda connection: workspaces.create_write_key(connection, house.source_id, "a new key"))
        await house.work(house.drained, stale)
        assert await house.processed() == ["a"]

    asyncio.run(story())


class AwayLog(HouseLog):
    """A log whose transactions with cursors fail a few times before they succeed."""

    failures = 2

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        if self.failures and commits:
            self.failures -= 1
            raise Unavailable("away", retry_after=0.01)
        return await super().transact(partition, appends, commits)


def test_a_log_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        house.log = AwayLog(partitions=1)
        await house.collect("a", "a")
        await house.work(house.drained)
        assert await house.processed() == ["a"]
        assert await house.counts() == {"received": 2, "processed": 1, "duplicate": 1}

    asyncio.run(story())


@pytest.mark.parametrize("stream", [PROCESSED, OUTCOMES])
def test_nothing_is_written_when_there_is_nothing_to_do(tmp_path: Path, stream: Stream) -> None:
    async def story() -> None:
        house = House(tmp_path)
        await house.work(house.drained)
        assert await house.log.bounds(stream, 0) == (0, 0)

    asyncio.run(story())
