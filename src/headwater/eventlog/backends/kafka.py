"""The log on Kafka, for many machines: streams are topics, and workers share their partitions out.

What it promises beyond every log: a record is acknowledged when all brokers that keep a copy of it and are alive have
it (`acks=all` and `min.insync.replicas`); a transaction's records are read when it is complete, never before, and a
worker that lost its partition completes none (`Moved`). Positions have gaps. See `eventlog/kafka/` and
docs/design/0023.

- Kafka keeps the records and forgets none by itself: `trim` has it delete what is old and read by every known group,
  but never the newest record, since the end is found by it.
- Kafka tells no sizes: `size_bytes` and what `trim` freed are estimates from some records.
- Cursors may be set by whoever wants to outside of transactions; there the last one wins.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from headwater.eventlog import FORGOTTEN, Append, Chunk, Commit, Holder, Membership, Record
from headwater.eventlog.kafka.appending import Appender
from headwater.eventlog.kafka.cursors import Cursors
from headwater.eventlog.kafka.making import make_streams
from headwater.eventlog.kafka.reach import ANSWER_SECONDS, Reach, away
from headwater.eventlog.kafka.reading import Readers
from headwater.eventlog.kafka.transacting import Transactor
from headwater.eventlog.kafka.workers import Workers
from headwater.eventlog.refusals import check_partition, volume_of
from headwater.eventlog.retention import passed_by_all
from headwater.eventlog.streams import STREAMS, Stream
from headwater.spec.errors import Unavailable

T = TypeVar("T")
_THREADS: Final = 64
_SAMPLE: Final = 20


class KafkaLog:
    """A log on Kafka; an `EventLog`. Opening it asks nothing of the brokers: they may be away."""

    def __init__(
        self,
        reach: Reach,
        *,
        partitions: int = 1,
        replication: int = 0,
        stream_settings: Sequence[str] = (),
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`clock` tells milliseconds since 1970; the other words are as in the settings."""
        self._reach = reach
        self._partitions = range(partitions)
        self._replication = replication
        self._stream_settings = stream_settings
        self._clock = clock
        self._readers = Readers(reach)
        self._cursors = Cursors(reach)
        self._appender = Appender(reach, clock)
        self._transactors: dict[tuple[str, int], Transactor] = {}
        self._asking = ThreadPoolExecutor(_THREADS, thread_name_prefix="eventlog-kafka")
        self._alone = f"alone.{uuid.uuid4().hex}"
        self._made = False
        self._making: asyncio.Task[None] | None = None
        self._closed = False

    def partitions(self, stream: Stream) -> range:
        return self._partitions

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        await self._ready(partition)
        if not records:
            return (await self.bounds(stream, partition))[1]
        return await self._appender.append(stream, partition, records)

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        volume_of(appends, commits)
        await self._ready(partition)
        if not appends and not commits:
            return []
        group = commits[0].group if commits else self._alone
        firsts = await self._transactor(group, partition).transact(appends, commits)
        for commit in commits:
            self._cursors.note(commit.group, commit.stream, partition, commit.position)
        return firsts

    async def fence(self, group: str, partition: int) -> None:
        await self._ready(partition)
        await self._transactor(group, partition).fence()

    async def join(self, group: str, stream: Stream, holder: Holder) -> Membership:
        while not self._made:
            try:
                await self._ready(0)
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
        return Workers(self._reach, group, stream, holder)

    def _transactor(self, group: str, partition: int) -> Transactor:
        found = self._transactors.get((group, partition))
        if found is None or found.stuck:
            found = Transactor(self._reach, group, partition, self._clock, self._cursors.members)
            self._transactors[group, partition] = found
        return found

    async def _ready(self, partition: int) -> None:
        """The streams are there. Raises ValueError for a partition that is not."""
        check_partition(partition, self._partitions)
        if self._closed:
            raise Unavailable("The log is closed.")
        if self._made:
            return
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
        # Whoever gives up waiting does not stop it for the others.
        await asyncio.shield(self._making)

    async def _make(self) -> None:
        await asyncio.to_thread(
            make_streams,
            self._reach,
            partitions=len(self._partitions),
            replication=self._replication,
            settings=self._stream_settings,
        )
        self._made = True

    async def _ask(self, partition: int, question: Callable[[], T]) -> T:
        """Put a question to the brokers, off the event loop."""
        await self._ready(partition)
        return await asyncio.get_running_loop().run_in_executor(self._asking, question)

    async def read(
        self,
        stream: Stream,
        partition: int,
        position: int,
        *,
        max_records: int = 1_000,
        max_bytes: int = 8_000_000,
        wait: float = 0.0,
    ) -> Chunk:
        return await self._ask(
            partition,
            lambda: self._readers.read(
                stream, partition, position, max_records=max_records, max_bytes=max_bytes, wait=wait
            ),
        )

    async def committed(self, group: str, stream: Stream, partition: int) -> int:
        return await self._ask(partition, lambda: self._cursors.committed(group, stream, partition))

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        await self._ask(partition, lambda: self._cursors.commit(group, stream, partition, position))

    async def groups(self, stream: Stream, partition: int) -> set[str]:
        places = await self._ask(partition, lambda: self._cursors.places(partition))
        return {place.group for place in places.get(partition, ()) if place.stream == stream.name}

    async def forget(self, group: str, stream: Stream, partition: int) -> None:
        await self.commit(group, stream, partition, FORGOTTEN)

    async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        return await self._ask(partition, lambda: self._readers.bounds(stream, partition))

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        oldest, following = await self.bounds(stream, partition)
        return max(0, following - max(oldest, await self.committed(group, stream, partition)))

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        return await self._ask(partition, lambda: self._readers.position_at(stream, partition, at))

    async def trim(self, before: int) -> int:
        """Forget records appended before an instant (milliseconds). Returns the bytes freed, about."""
        freed = await self._ask(0, lambda: self._trim(before))
        await self._ask(0, self._cursors.tell_again)
        return freed

    def _trim(self, before: int) -> int:
        places = self._cursors.places()
        freed, wanted = 0, list[tuple[Stream, int, int]]()
        for stream in STREAMS.values():
            for partition in self._partitions:
                oldest, following = self._readers.bounds(stream, partition)
                old = min(self._readers.position_at(stream, partition, before), following - 1)
                stop = passed_by_all(stream.name, old, places.get(partition, ()))
                if stop > oldest:
                    freed += self._bytes(stream, partition, oldest, stop)
                    wanted.append((stream, partition, stop))
        if wanted:
            admin = AdminClient(self._reach.client())
            asked = admin.delete_records([self._reach.at(*each) for each in wanted], request_timeout=ANSWER_SECONDS)
            try:
                for answer in asked.values():
                    answer.result()
            except KafkaException as error:
                raise away(error) from error
        return freed

    def _bytes(self, stream: Stream, partition: int, oldest: int, end: int) -> int:
        """How much some records take, by the size of the first of them."""
        if end <= oldest:
            return 0
        chunk = self._readers.read(stream, partition, oldest, max_records=_SAMPLE, max_bytes=8_000_000, wait=0.0)
        sizes = [len(record.key) + len(record.header) + len(record.value) for record in chunk.records]
        return sum(sizes) * (end - oldest) // len(sizes) if sizes else 0

    async def size_bytes(self) -> int:
        def add_up() -> int:
            return sum(
                self._bytes(stream, partition, *self._readers.bounds(stream, partition))
                for stream in STREAMS.values()
                for partition in self._partitions
            )

        return await self._ask(0, add_up)

    async def close(self) -> None:
        """Finish what is being written and let go of the connections. Later calls raise Unavailable."""
        if self._closed:
            return
        self._closed = True
        await self._appender.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for transactor in self._transactors.values():
            transactor.close()
        self._readers.close()
        self._asking.shutdown()
        self._cursors.close()
