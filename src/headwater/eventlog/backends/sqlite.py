"""The log in SQLite files: one folder for each volume and partition, one file for a stretch of time, no service.

Several processes may have the same folder open; SQLite's locks order their writes. A folder must lie on a local disk.
Each write is one fsync for everybody who waits at that moment (`eventlog/groupcommit.py`); what a file holds is said in
`eventlog/segments.py`.

- `transact` may set cursors only together with streams of the volume that keeps the cursors (`refusals.py`).
- Below `min_free_bytes` of free disk nothing new is taken in. Moving records on (a transaction that also sets a cursor)
  may use half of that reserve, and cursors alone all of it, so that readers get through and room can be made.
- Retention: a stream that no group has ever read is kept as long as any group is known in its partition.
"""

from __future__ import annotations

import asyncio
import bisect
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from headwater.eventlog import FORGOTTEN, Append, Chunk, Commit, Holder, Membership, Record
from headwater.eventlog.folder import Strands, open_strands
from headwater.eventlog.groupcommit import Job, Limits, Writer
from headwater.eventlog.refusals import CURSORS_VOLUME, check_partition, volume_of
from headwater.eventlog.segments import fold
from headwater.eventlog.sharing import join_alone
from headwater.eventlog.strand import Strand
from headwater.eventlog.streams import Stream
from headwater.eventlog.waiting import SHORTEST_PAUSE, Sleepers
from headwater.spec.errors import Unavailable

T = TypeVar("T")


class SqliteLog:
    """A log in a folder; an `EventLog`."""

    def __init__(
        self,
        folder: Path,
        *,
        partitions: int = 1,
        segment_bytes: int = 128_000_000,
        segment_seconds: float = 3600.0,
        min_free_bytes: int = 500_000_000,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        """Open the log, and make it if it is missing. Blocks; after a crash, for as long as there is to recover.

        Raises SetupError for another number of partitions than the log was made with: a key's records would change
        partition. `clock` tells milliseconds since 1970, `free_bytes` the room on the disk.
        """
        self.folder = folder
        self._partitions = range(partitions)
        self._strands: Strands = open_strands(folder, partitions, now=clock())
        self._limits = Limits(segment_bytes, segment_seconds, min_free_bytes, clock, partial(free_bytes, folder))
        self._writers: dict[tuple[str, int], Writer] = {}
        self._sleepers = Sleepers()
        self._readers = ThreadPoolExecutor(8, thread_name_prefix="eventlog-read")
        self._background = ThreadPoolExecutor(1, thread_name_prefix="eventlog-fold")
        self._closed = False
        for strand in self._strands.values():
            for path in strand.unfolded():
                self._background.submit(fold, path, "TRUNCATE")

    def partitions(self, stream: Stream) -> range:
        return self._partitions

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        return (await self._submit(stream.volume, partition, (Append(stream, records),), ()))[0]

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        return await self._submit(volume_of(appends, commits), partition, appends, commits)

    async def fence(self, group: str, partition: int) -> None:
        """Nothing to do: one process at a time works for a group."""

    async def join(self, group: str, stream: Stream, holder: Holder) -> Membership:
        """Every partition falls to whoever joins: one process at a time works for a group."""
        return await join_alone(holder, self._partitions)

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        await self.transact(partition, (), (Commit(group, stream, position),))

    async def _submit(
        self, volume: str, partition: int, appends: Sequence[Append], commits: Sequence[Commit]
    ) -> list[int]:
        self._check_open()
        writer = self._writers.get((volume, partition)) or self._start_writer(volume, partition)
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        writer.put(Job(appends, commits, future))
        return await future

    def _start_writer(self, volume: str, partition: int) -> Writer:
        grown = partial(self._sleepers.wake, partition)
        writer = Writer(self._strand(volume, partition), self._limits, background=self._background, grown=grown)
        self._writers[volume, partition] = writer
        return writer

    def _strand(self, volume: str, partition: int) -> Strand:
        check_partition(partition, self._partitions)
        return self._strands[volume, partition]

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("The log is closed.")

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
        loop = asyncio.get_running_loop()
        strand = self._strand(stream.volume, partition)
        deadline, pause = loop.time() + wait, SHORTEST_PAUSE
        while True:
            mark = strand.mark()
            chunk = await self._ask(strand.read, stream.name, position, max_records, max_bytes)
            if chunk.records or loop.time() >= deadline:
                return chunk
            pause = await self._sleepers.sleep_while(
                (stream.name, partition), mark, strand.mark, pause=pause, deadline=deadline
            )

    async def _ask(self, question: Callable[..., T], *arguments: object) -> T:
        """Put a question to the files, off the event loop."""
        self._check_open()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, question, *arguments)
        except (sqlite3.OperationalError, OSError) as error:
            raise Unavailable(f"The log cannot be read: {error}.") from error

    async def committed(self, group: str, stream: Stream, partition: int) -> int:
        return await self._ask(self._strand(CURSORS_VOLUME, partition).place, group, stream.name)

    async def groups(self, stream: Stream, partition: int) -> set[str]:
        places = await self._ask(self._strand(CURSORS_VOLUME, partition).places)
        return {place.group for place in places if place.stream == stream.name}

    async def forget(self, group: str, stream: Stream, partition: int) -> None:
        await self.commit(group, stream, partition, FORGOTTEN)

    async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        return await self._ask(self._strand(stream.volume, partition).bounds, stream.name)

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        oldest, following = await self.bounds(stream, partition)
        return max(0, following - max(oldest, await self.committed(group, stream, partition)))

    async def position_at(self, stream: Stream, partition: int, at: int) -> int:
        return await self._ask(self._position_at, stream, partition, at)

    def _position_at(self, stream: Stream, partition: int, at: int) -> int:
        strand = self._strand(stream.volume, partition)
        oldest, following = strand.bounds(stream.name)
        positions = range(oldest, following)
        place = bisect.bisect_left(positions, at, key=lambda position: strand.appended_at(stream.name, position))
        return oldest + place

    async def trim(self, before: int) -> int:
        """Forget records appended before an instant (milliseconds), in whole segments. Returns the bytes freed.

        Seals segments that are old enough first, so that a stream where nothing comes any more is trimmed as well.
        """
        for volume, partition in self._strands:
            await self._submit(volume, partition, (), ())
        return await self._ask(self._trim, before)

    def _trim(self, before: int) -> int:
        return sum(
            strand.trim(self._strands[CURSORS_VOLUME, partition], before)
            for (_, partition), strand in self._strands.items()
        )

    async def size_bytes(self) -> int:
        return await self._ask(lambda: sum(strand.size_bytes() for strand in self._strands.values()))

    async def close(self) -> None:
        """Finish what is being written and let go of the files. Later calls raise Unavailable."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.stop()
        self._background.shutdown()
        self._readers.shutdown()
        for strand in self._strands.values():
            strand.close()
