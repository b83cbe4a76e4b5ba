"""The indexes of events on this host: where each messageId and the events of each profile stand in `processed`.

On one machine the trace and the Profile API look into the indexes that the roles pipeline and profiles write. Where
hosts share the log those are elsewhere, so that this role follows `processed` itself and keeps the same indexes in its
own data folder. It is no group of readers: its place is kept with the indexes, and nothing of the log waits for it. A
host that is new begins no earlier than its indexes reach; what is older than the log is not in them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headwater import telemetry
from headwater.eventlog.streams import PROCESSED
from headwater.pipeline import seen
from headwater.pipeline.seen import Seen
from headwater.profiles import history
from headwater.profiles.history import History
from headwater.profiles.tell import tell
from headwater.spec.errors import Unavailable
from headwater.spec.event import decode_processed

if TYPE_CHECKING:
    from headwater.eventlog import Chunk, EventLog, Record
    from headwater.profiles.history import Entry
    from headwater.profiles.known import Told
    from headwater.spec.settings import Settings

READER: Final = "manage-indexes"
"""The name under which the metric of lags tells how far the indexes are behind."""

_RECORDS: Final = 2_000
_BYTES: Final = 2_000_000
_SLICE: Final = 200
_WAIT: Final = 1.0
_TELL_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 5.0
_BUFFERS_BYTES: Final = 64 << 20
_LEAST_BUFFER_BYTES: Final = 1 << 20

_Indexed = tuple[str, int, int, "list[tuple[str, Told]]"]
_say = logging.getLogger("headwater.manage")


def indexes(settings: Settings, folder: Path) -> Path:
    """Below which folder the trace and the Profile API find the indexes; `folder` is the data folder."""
    return folder / "followed" if settings.log.shared else folder


def followers(log: EventLog, settings: Settings, folder: Path) -> list[Follower]:
    """Those who keep the indexes of all partitions below a folder, once they are run."""
    partitions = log.partitions(PROCESSED)
    buffer = max(_LEAST_BUFFER_BYTES, _BUFFERS_BYTES // len(partitions))
    return [Follower(log, settings, folder, partition, buffer_bytes=buffer) for partition in partitions]


async def follow_log(those: Sequence[Follower], stopping: asyncio.Event) -> None:
    """Keep indexes until told to stop."""
    async with asyncio.TaskGroup() as tasks:
        for number, follower in enumerate(those):
            tasks.create_task(follower.run(stopping), name=f"follow-{number}")


def _now() -> int:
    return time.time_ns() // 1_000_000


class Follower:
    """The indexes of one partition."""

    def __init__(
        self,
        log: EventLog,
        settings: Settings,
        folder: Path,
        partition: int,
        *,
        buffer_bytes: int = _BUFFERS_BYTES,
        clock: Callable[[], int] = _now,
    ) -> None:
        """`clock` says what time it is, in milliseconds since 1970 (UTC)."""
        self._log = log
        self._folder = folder
        self._partition = partition
        self._hours = settings.log.retention_hours
        self._days = settings.profiles.history_days
        self._buffer = buffer_bytes
        self._clock = clock
        self._next = 0
        self._told = 0.0
        self._open: tuple[Seen, History] | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until told to stop. A log that is away, and a disk that is full, are waited for."""
        try:
            while not stopping.is_set():
                try:
                    await self.step(_WAIT)
                except Unavailable as away:
                    await _rest(stopping, away.retry_after)
                except Exception as error:
                    _say.warning("Events of partition %d are not indexed just now: %s", self._partition, error)
                    self.close()
                    await _rest(stopping, _AGAIN_SECONDS)
        finally:
            self.close()

    async def step(self, wait: float) -> int:
        """Index what has come, waiting at most so long (seconds) for some. Returns how many records came."""
        if self._open is None:
            await self._begin()
        chunk = await self._log.read(
            PROCESSED, self._partition, self._next, max_records=_RECORDS, max_bytes=_BYTES, wait=wait
        )
        if chunk.records:
            await self._keep(chunk)
        if time.monotonic() >= self._told:
            await self._tell_lag()
        return len(chunk.records)

    def refresh(self) -> None:
        """Nothing to do: what is written is seen at once."""

    def entries(self, id: str, since: int, until: int, *, newest_first: bool) -> Iterator[Entry]:
        """The events of a profile, as `HistoryReader` gives them; none while the index is not open."""
        opened = self._open
        if opened is None:
            return iter(())
        return opened[1].entries(self._partition, id, (since, until), newest_first=newest_first)

    def close(self) -> None:
        """Let go of the files."""
        if self._open is not None:
            for index in self._open:
                index.close()
            self._open = None

    async def _begin(self) -> None:
        opened = await asyncio.to_thread(self._indexes)
        try:
            kept = self._clock() - max(self._hours, self._days * 24) * 3_600_000
            oldest = await self._log.position_at(PROCESSED, self._partition, kept)
        except BaseException:
            for index in opened:
                index.close()
            raise
        self._next = max(oldest, min(index.known_to for index in opened))
        self._open = opened

    def _indexes(self) -> tuple[Seen, History]:
        folder, partition = self._folder, self._partition
        ids = Seen(
            seen.index_folder(folder, partition), keep_seconds=self._hours * 7_200, buffer_bytes=self._buffer * 2 // 3
        )
        try:
            days = self._days * 86_400
            events = History(
                history.index_folder(folder, partition),
                keep_seconds=days,
                buffer_bytes=self._buffer // 3,
                read_here=True,
            )
        except BaseException:
            ids.close()
            raise
        return ids, events

    async def _keep(self, chunk: Chunk) -> None:
        """Index a chunk; the other tasks of the process get their turn."""
        found: list[_Indexed] = []
        for number, (place, record) in enumerate(chunk.placed()):
            if (indexed := _index(record, place)) is not None:
                found.append(indexed)
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        await asyncio.to_thread(self._write, found, chunk.next)
        self._next = chunk.next

    def _write(self, found: Sequence[_Indexed], known_to: int) -> None:
        assert self._open is not None
        by_id, by_profile = self._open
        by_profile.remember((each for one in found for each in one[3]), known_to)
        if found:
            ids, moments, places, _ = zip(*found, strict=True)
            by_id.remember(ids, moments, places)

    async def _tell_lag(self) -> None:
        _, end = await self._log.bounds(PROCESSED, self._partition)
        lag = max(0, end - self._next)
        telemetry.LOG_LAG.labels(READER, PROCESSED.name, str(self._partition)).set(lag)
        self._told = time.monotonic() + _TELL_SECONDS


def _index(record: Record, place: int) -> _Indexed | None:
    """What is to be known of a record; None for one that nobody can read."""
    try:
        header = decode_processed(record.header)
        return header.message_id, header.received_at, place, tell(record, place)
    except Exception:
        return None


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
