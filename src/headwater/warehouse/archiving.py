"""Keeping the archive: the partitions of `processed` that fall to this process, each at its own pace.

The cursor of a partition moves in a transaction of the log, which lets in only the worker that has the partition. One
that was cut off may still write a file late; whoever has the partition puts it together with those that it crosses.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headwater import telemetry
from headwater.eventlog import Commit, EventLog, Moved
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import PROCESSED
from headwater.spec.errors import HeadwaterError, SetupError
from headwater.warehouse.reading import ARCHIVE_GROUP, Pace, Reader, pause

if TYPE_CHECKING:
    from headwater.spec.settings import WarehouseSettings
    from headwater.warehouse.archive import Archive, Part

_say = logging.getLogger("headwater.warehouse")


class ArchiveKeeper:
    """Writes the archive. `folder` is the data folder."""

    def __init__(self, log: EventLog, settings: WarehouseSettings, folder: Path) -> None:
        self._log = log
        self._settings = settings
        self._folder = folder
        self._turn = asyncio.Lock()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. Of the partitions here one is written at a time, so that memory is for one."""
        await work(self._log, ARCHIVE_GROUP, PROCESSED, self._keep, stopping)

    async def _keep(self, partition: int, stopping: asyncio.Event) -> None:
        await Archiving(self._log, self._settings, self._folder, partition, self._turn).run(stopping)


class Archiving:
    """One partition's archive."""

    def __init__(
        self, log: EventLog, settings: WarehouseSettings, folder: Path, partition: int, turn: asyncio.Lock
    ) -> None:
        """`turn` is held while a chunk is written."""
        self._log = log
        self._reader = Reader(log, ARCHIVE_GROUP)
        self._settings = settings
        self._folder = folder
        self._partition = partition
        self._turn = turn
        self._archive: Archive | None = None
        self._doomed: list[tuple[float, Sequence[Part]]] = []
        self._look_again = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. An archive that is away is waited for, whatever its driver raises."""
        pace = Pace(self._settings.archive_every_seconds)
        while not stopping.is_set():
            started = time.monotonic()
            try:
                busy = await self._round(stopping)
                pace.done(started, busy=busy)
            except Moved:
                raise
            except Exception as error:
                wait = pace.failed(time.monotonic())
                self._archive = None
                bug = None if isinstance(error, HeadwaterError | OSError) else error
                _say.warning("The archive was not written: %s Next try in %.0f s.", error, wait, exc_info=bug)
            await pause(stopping, pace.due - time.monotonic())

    async def _round(self, stopping: asyncio.Event) -> bool:
        """Write what is there by now. What comes meanwhile waits for the next round, so that its files are not tiny."""
        busy = False
        end = await self._reader.end(self._partition)
        while not stopping.is_set() and await self._reader.cursor(self._partition) < end and await self._chunk():
            busy = True
        if busy:
            await self._tidy()
        await self._reader.tell_lag((self._partition,))
        return busy

    async def _chunk(self) -> bool:
        async with self._turn:
            cursor = await self._reader.cursor(self._partition)
            chunk = await self._reader.read(self._partition)
            if not chunk.records:
                return False
            archive = self._archive = self._archive or await self._open()
            begun = archive.unfinished(self._partition, cursor)
            if begun is not None:
                chunk = await self._reader.read(self._partition, last=begun)
            events = await asyncio.to_thread(archive.write, self._partition, chunk)
        await self._log.transact(self._partition, (), (Commit(ARCHIVE_GROUP, PROCESSED, chunk.next),))
        self._reader.moved(self._partition, chunk.next)
        telemetry.ARCHIVE_EVENTS.inc(events)
        return True

    async def _open(self) -> Archive:
        from headwater.warehouse.archive import Archive
        from headwater.warehouse.files import open_files, place_of

        archive = Archive(await asyncio.to_thread(open_files, place_of(self._settings, self._folder)))
        await asyncio.to_thread(archive.look, (self._partition,))
        if archive.end(self._partition) > await self._reader.end(self._partition):
            raise SetupError(
                "The archive holds events that the log has never had: it belongs to another log. Move it away."
            )
        self._look_again = time.monotonic() + 2 * self._settings.query_seconds
        return archive

    async def _tidy(self) -> None:
        """Put small files together, and remove what was put together before the last queries could have ended.

        Some time after the partition came here, look once more for what its worker before wrote late.
        """
        if self._archive is None:
            return
        now = time.monotonic()
        if self._look_again and now >= self._look_again:
            self._look_again = 0.0
            await asyncio.to_thread(self._archive.look, (self._partition,))
        await asyncio.to_thread(self._archive.tidy, await self._reader.cursor(self._partition))
        if self._archive.covered:
            self._doomed.append((now + 2 * self._settings.query_seconds, self._archive.covered))
            self._archive.covered = []
        due = [parts for when, parts in self._doomed if when <= now]
        self._doomed = [(when, parts) for when, parts in self._doomed if when > now]
        for parts in due:
            await asyncio.to_thread(self._archive.drop_covered, parts)
