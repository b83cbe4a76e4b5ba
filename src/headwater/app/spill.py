"""The log as the role collect uses it: over a network, with a spill on this machine's disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headwater.app.house import House
    from headwater.eventlog import EventLog
    from headwater.eventlog.backends.sqlite import SqliteLog

_FOLDER: Final = "spill"
_SEGMENT_SECONDS: Final = 60.0
_SMALLEST_SEGMENT: Final = 1_000_000
_LARGEST_SEGMENT: Final = 64_000_000
_SEGMENTS: Final = 16


@asynccontextmanager
async def collecting_log(house: House) -> AsyncGenerator[tuple[EventLog, Callable[[], bool] | None]]:
    """The log to collect into until the block ends, and what tells whether it spills now; None where it never does.

    What an earlier process spilled is drained although spilling is switched off since.
    """
    folder = house.folder / _FOLDER
    bound = house.settings.log.spill_bytes if house.settings.log.url.startswith("kafka://") else 0
    if bound <= 0 and not folder.exists():
        yield house.log, None
        return
    from headwater.eventlog.spilling import SpillingLog

    spill = await asyncio.to_thread(_open, folder, bound, house.settings.log.min_free_bytes)
    log = await SpillingLog.open(house.log, spill, spill_bytes=bound)
    try:
        yield log, lambda: log.spilling
    finally:
        await log.let_go()


def _open(folder: Path, bound: int, min_free_bytes: int) -> SqliteLog:
    from headwater.eventlog.backends.sqlite import SqliteLog

    return SqliteLog(
        folder,
        segment_bytes=max(_SMALLEST_SEGMENT, min(_LARGEST_SEGMENT, bound // _SEGMENTS)),
        segment_seconds=_SEGMENT_SECONDS,
        min_free_bytes=min_free_bytes,
    )
