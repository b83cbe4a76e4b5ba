"""A log over another one: every verb is passed on, but for those that a log of its own kind changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from headwater.eventlog import Append, Chunk, Commit, EventLog, Holder, Membership, Record
from headwater.eventlog.streams import Stream


class Over(ABC):
    """An `EventLog` over `log`. See there for what the verbs promise."""

    @property
    @abstractmethod
    def log(self) -> EventLog:
        """The log below."""

    def partitions(self, stream: Stream) -> range:
        return self.log.partitions(stream)

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        return await self.log.append(stream, partition, records)

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        return await self.log.transact(partition, appends, commits)

    async def fence(self, group: str, partition: int) -> None:
        await self.log.fence(group, partition)

    async def join(self, group: str, stream: Stream, holder: Holder) -> Membership:
        return await self.log.join(group, stream, holder)

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
        return await self.log.read(stream, partition, position, max_records=max_records, max_bytes=max_bytes, wait=wait)

    async def committed(self, group: str, stream: Stream, partition: int) -> int:
        return await self.log.committed(group, stream, partition)

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        await self.log.commit(group, stream, partition, position)

    async def groups(self, stream: Stream, partition: int) -> set[str]:
        return await self.log.groups(stream, partition)

    async def forget(self, group: str, stream: Stream, partition: int) -> None:
        await self.log.forget(group, stream, partition)

    async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        return await self.log.bounds(stream, partition)

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        return await self.log.lag(group, stream, partition)

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        return await self.log.position_at(stream, partition, at)

    async def trim(self, before: int) -> int:
        return await self.log.trim(before)

    async def size_bytes(self) -> int:
        return await self.log.size_bytes()

    async def close(self) -> None:
        await self.log.close()
