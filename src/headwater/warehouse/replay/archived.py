"""The archive as replays ask for it (`deliver.past.PastEvents`): starts the process that reads, and takes its pages."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from headwater.eventlog.streams import PROCESSED
from headwater.spec.errors import Unavailable
from headwater.spec.replay import PastPage
from headwater.warehouse.files import place_of
from headwater.warehouse.query import archived, open_archive
from headwater.warehouse.reading import ARCHIVE_GROUP

if TYPE_CHECKING:
    from headwater.eventlog import EventLog
    from headwater.spec.replay import Wanted
    from headwater.spec.settings import WarehouseSettings
    from headwater.warehouse.replay.choosing import Stretch

_BUFFERED: Final = 256_000
_LONGEST_FRAME: Final = 256_000_000
_RETRY_SECONDS: Final = 2.0
_FILES: Final = 64
"""Files that are opened together, because many are small."""


class _Frame(msgspec.Struct, frozen=True):
    page: PastPage | None = None
    last: bool = False
    counted: int = 0
    unavailable: str = ""


_decode = msgspec.msgpack.Decoder(_Frame).decode


class ArchivedEvents:
    """See `deliver.past.PastEvents`."""

    def __init__(self, log: EventLog, settings: WarehouseSettings, folder: Path) -> None:
        """`folder` is the data folder."""
        self._log = log
        self._settings = settings
        self._folder = folder.absolute()

    async def reaches(self, until: Mapping[int, int]) -> bool:
        """See PastEvents."""
        for partition, position in until.items():
            if await self._log.committed(ARCHIVE_GROUP, PROCESSED, partition) < position:
                return False
        return True

    async def pages(
        self, wanted: Wanted, place: Mapping[int, int], until: Mapping[int, int] | None = None
    ) -> AsyncGenerator[PastPage]:
        """See PastEvents."""
        reach, found = await self._look(wanted, place, until)
        if found:
            async with aclosing(self._frames(wanted, found)) as frames:
                async for frame in frames:
                    if frame.page is not None:
                        yield frame.page
        for partition, end in reach.items():
            if end > place.get(partition, 0):
                yield PastPage(partition, end, ())

    async def count(self, wanted: Wanted, until: Mapping[int, int]) -> int:
        """See PastEvents."""
        _, found = await self._look(wanted, {}, until)
        counted = 0
        if found:
            async with aclosing(self._frames(wanted, found, count=True)) as frames:
                async for frame in frames:
                    counted = frame.counted
        return counted

    async def _look(
        self, wanted: Wanted, place: Mapping[int, int], until: Mapping[int, int] | None
    ) -> tuple[dict[int, int], list[Stretch]]:
        """How far the archive reaches, but for what is not wanted, and what to read of it."""
        await asyncio.to_thread(import_module, "headwater.warehouse.archive")  # which takes its time the first time
        from headwater.warehouse.replay.choosing import stretches

        cursors, parts = await archived(self._log, await open_archive(self._settings, self._folder))
        reach = {
            partition: cursor if until is None else min(cursor, until.get(partition, 0))
            for partition, cursor in cursors.items()
        }
        return reach, stretches(parts, wanted, place, reach, files=_FILES)

    def _task(self, wanted: Wanted, found: list[Stretch], spill: str, *, count: bool) -> bytes:
        task = {
            "wanted": wanted,
            "stretches": found,
            "archive": place_of(self._settings, self._folder),
            "memory_mb": self._settings.query_memory_mb,
            "spill": spill,
            "count": count,
        }
        return msgspec.json.encode(task) + b"\n"

    async def _frames(self, wanted: Wanted, found: list[Stretch], *, count: bool = False) -> AsyncGenerator[_Frame]:
        """What the process says, to its last word."""
        spill = await asyncio.to_thread(tempfile.mkdtemp, prefix="headwater-replay-")
        # A remote archive is reached with credentials that its driver may find in the environment.
        environment = None if self._settings.archive_url else {"PYTHONPATH": os.pathsep.join(sys.path)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "headwater.warehouse.replay.reading"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            cwd="/",
            limit=_BUFFERED,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._task(wanted, found, spill, count=count))
            with suppress(ConnectionError):
                await process.stdin.drain()
            while True:
                frame = await _read(process.stdout)
                if frame.unavailable:
                    raise Unavailable(frame.unavailable, retry_after=_RETRY_SECONDS)
                yield frame
                if frame.last:
                    return
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(_end(process, spill))


async def _read(stream: asyncio.StreamReader) -> _Frame:
    try:
        length = int.from_bytes(await stream.readexactly(4), "big")
        if length > _LONGEST_FRAME:
            raise Unavailable("The archive holds a page that is too large.", retry_after=_RETRY_SECONDS)
        return _decode(await stream.readexactly(length))
    except asyncio.IncompleteReadError:
        message = "The process that reads the archive ended before it was done."
        raise Unavailable(message, retry_after=_RETRY_SECONDS) from None


async def _end(process: asyncio.subprocess.Process, spill: str) -> None:
    await process.wait()
    await asyncio.to_thread(shutil.rmtree, spill, ignore_errors=True)
