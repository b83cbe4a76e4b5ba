"""The corridor: the only way from one flow room to another, even inside one process.

A stream is a named sequence of records in one or more partitions. A partition numbers its records upwards; the number
is the record's position. Some backends count from 0 without a gap, others leave gaps, so positions are compared and not
counted with. A reader is a *group* with a cursor for each stream and partition: the position of the next record that it
has not dealt with.

Several processes that work for one group share the partitions out among them (`eventlog/sharing.py`): each partition
has one worker at a time, and a worker that lost it cannot commit any more (`Moved`).

What every backend promises (proved by `headwater.contracts.eventlog`):

- `append` and `transact` return when the records would survive the loss of power, and never before.
- Records of one partition are read in the order of their positions, which is the order in which appends returned to
  one writer; the records of one append keep their order.
- What `append` wrote can be read when it returned; what `transact` wrote, a moment later at most.
- `transact` is all or nothing, over the streams and cursors that it names, which must share a volume and partition
  (cursors may be on any stream).
- A torn tail (a process or machine that died while writing) costs only what was never acknowledged.
- Several readers, in several processes, do not disturb each other or the writer.
- `trim` never drops a record that a known group has not passed.

Backends live in `eventlog/backends/`, one file each, opened by `app/house.py` alone.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from headwater.eventlog.streams import Stream
from headwater.spec.errors import HeadwaterError


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is appended: a key (who it is about), a header for filtering, and the value. All opaque to the log."""

    key: bytes
    header: bytes
    value: bytes


class Chunk(msgspec.Struct, frozen=True):
    """Consecutive records read from a partition, the first of them at position `first`.

    `next` is the position to read from afterwards; with no records it equals `first`. `standing` tells where each
    record stands when there are gaps between them; None when there are none.
    """

    first: int
    records: list[Record]
    standing: Sequence[int] | None = None

    @property
    def positions(self) -> Sequence[int]:
        """Where each record stands."""
        return range(self.first, self.first + len(self.records)) if self.standing is None else self.standing

    @property
    def next(self) -> int:
        return self.first + len(self.records) if not self.standing else self.standing[-1] + 1

    def placed(self) -> Iterator[tuple[int, Record]]:
        """Each record with where it stands."""
        return zip(self.positions, self.records, strict=True)

    def before(self, position: int) -> Chunk:
        """The part of it that stands before a position."""
        count = bisect.bisect_left(self.positions, position)
        return Chunk(self.first, self.records[:count], None if self.standing is None else self.standing[:count])


class Append(msgspec.Struct, frozen=True):
    """Records for one stream, inside a transaction."""

    stream: Stream
    records: Sequence[Record]


FORGOTTEN = -(2**62)


class Commit(msgspec.Struct, frozen=True):
    """A cursor to set: `group` has dealt with everything in that stream and partition before `position`.

    The position FORGOTTEN makes the group unknown there.
    """

    group: str
    stream: Stream
    position: int


class Holder(Protocol):
    """Who works on the partitions that fall to a process. Both verbs are awaited one after the other."""

    async def take(self, partitions: Sequence[int]) -> None:
        """These fall to this process from now on."""
        ...

    async def give_back(self, partitions: Sequence[int]) -> None:
        """These go to another: returns when nobody here works on them any more, the sooner the better."""
        ...


class Membership(Protocol):
    """That a process works for a group."""

    async def leave(self) -> None:
        """Give back what it holds (`Holder.give_back` is awaited), and work for the group no longer."""
        ...


class Moved(HeadwaterError):
    """The partition belongs to another worker by now; what this one was about to commit is for them to do."""


class EventLog(Protocol):
    """A backend. All verbs may wait on the disk or network and are called a batch at a time.

    Every verb raises Unavailable when the log cannot be reached or is full; nothing was then appended or committed.
    """

    def partitions(self, stream: Stream) -> range:
        """The numbers of the stream's partitions."""
        ...

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        """Append records, and return the position of the first once all are durable."""
        ...

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        """Append to several streams and set cursors, all or nothing. Returns the first position of each append.

        Raises Moved when another worker of the group that commits has the partition now; nothing was then written.
        """
        ...

    async def fence(self, group: str, partition: int) -> None:
        """From now on only this process commits for the group there, until another fences: others find it `Moved`."""
        ...

    async def join(self, group: str, stream: Stream, holder: Holder) -> Membership:
        """Work for a group in this process: `holder` is told which partitions of the stream fall to it."""
        ...

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
        """Read records from a position on: at least one if there is one, at most about the maxima.

        When there is none, waits up to `wait` seconds for one, and then returns an empty chunk. A position before the
        oldest record kept reads from the oldest (`first` says where).
        """
        ...

    async def committed(self, group: str, stream: Stream, partition: int) -> int:
        """The group's cursor; 0 for a group that never committed there."""
        ...

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        """Set one cursor. The group is *known* from then on, and holds back `trim`."""
        ...

    async def groups(self, stream: Stream, partition: int) -> set[str]:
        """The groups that are known there."""
        ...

    async def forget(self, group: str, stream: Stream, partition: int) -> None:
        """Make a group unknown, so that it no longer holds back `trim`; if it commits again it is known again."""
        ...

    async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        """The position of the oldest record kept, and the one after the newest; an append gets that or a later."""
        ...

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        """How many records the group has not dealt with. Gaps count as records; it is 0 when nothing is left."""
        ...

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        """The position of the first record appended at or after an instant (milliseconds since 1970)."""
        ...

    async def trim(self, before: int) -> int:
        """Forget records appended before an instant (milliseconds), in whole segments. Returns the bytes freed."""
        ...

    async def size_bytes(self) -> int:
        """How much room the log takes."""
        ...

    async def close(self) -> None:
        """Finish what is being written and let go of files and connections."""
        ...
