"""What the house keeps on disk, and since when. Headwater's own."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

from headwater.eventlog import EventLog
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED, Stream
from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.disk import Room, disk_of, rooms
from headwater.manage.operation import operation
from headwater.spec.event import decode_processed
from headwater.spec.timestamps import format_moment
from headwater.store import Store
from headwater.warehouse.reading import ARCHIVE_GROUP

_ARCHIVE = "archive/"


class GetStorage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing needs to be said."""


class StoragePart(Shape, frozen=True, kw_only=True):
    """A part of the data folder. `part` is log/<volume>, archive, store, dedup, history, followed (the
    indexes of a host of its own), cache (copies of an archive that is elsewhere), warehouse/<file>, or other.
    """

    part: str
    files: int
    bytes: int


class StreamKept(Shape, frozen=True, kw_only=True):
    """What a stream of the log holds over all partitions; streams written together share the files of a `volume`.

    On Kafka `records` is somewhat too high, as its marks of transactions are counted.
    """

    stream: str
    volume: str
    records: int


class ArchiveDay(Shape, frozen=True, kw_only=True):
    """The files of a day (UTC) in the archive."""

    day: str
    files: int
    bytes: int


class ArchiveKept(Shape, frozen=True, kw_only=True):
    """The archive. `events` is how many were archived of all time, `days` are empty when it is elsewhere (`url`).

    On Kafka `events` is somewhat too high, as its marks of transactions are counted.
    """

    url: str
    events: int
    files: int
    bytes: int
    days: list[ArchiveDay]


class GetStorageAnswer(Shape, frozen=True, kw_only=True):
    """Bytes and files by part, and the disk they are on.

    The oldest and newest event are those that the log still holds, by their receipt; the archive keeps older ones.
    """

    folder: str
    free_bytes: int
    total_bytes: int
    used_bytes: int
    parts: list[StoragePart]
    streams: list[StreamKept]
    archive: ArchiveKept
    store_engine: str
    oldest_event_at: str | None
    newest_event_at: str | None
    retention_hours: Annotated[int, Meta(description="How long the log keeps records, in hours.")]


@operation("GET", "/headwater/storage", scope="workspace:read", tag="Storage")
async def get_storage(desk: Desk, request: GetStorage) -> GetStorageAnswer:
    """Show what the house keeps on disk, by part, and how much room is left."""
    found, disk = await asyncio.to_thread(lambda: (rooms(desk.folder), disk_of(desk.folder)))
    oldest, newest = await _ends(desk.log)
    days = [one for one in found if one.part.startswith(_ARCHIVE)]
    archived = sum([await desk.log.committed(ARCHIVE_GROUP, PROCESSED, one) for one in desk.log.partitions(PROCESSED)])
    return GetStorageAnswer(
        folder=str(desk.folder),
        free_bytes=disk.free,
        total_bytes=disk.total,
        used_bytes=sum(one.size for one in found),
        parts=_parts(found),
        streams=[await _stream(desk.log, stream) for stream in (COLLECTED, PROCESSED, OUTCOMES)],
        archive=ArchiveKept(
            url=_without_credentials(desk.settings.warehouse.archive_url),
            events=max(0, archived),
            files=sum(one.files for one in days),
            bytes=sum(one.size for one in days),
            days=[
                ArchiveDay(day=one.part.removeprefix(_ARCHIVE), files=one.files, bytes=one.size)
                for one in reversed(days)
            ],
        ),
        store_engine=_engine(desk.store),
        oldest_event_at=None if oldest is None else format_moment(oldest),
        newest_event_at=None if newest is None else format_moment(newest),
        retention_hours=desk.settings.log.retention_hours,
    )


def _parts(found: list[Room]) -> list[StoragePart]:
    """The parts, with the days of the archive together."""
    archive = [one for one in found if one.part.startswith(_ARCHIVE)]
    whole = [Room("archive", sum(one.files for one in archive), sum(one.size for one in archive))] if archive else []
    others = [one for one in found if not one.part.startswith(_ARCHIVE)]
    return [StoragePart(part=one.part, files=one.files, bytes=one.size) for one in (*whole, *others)]


def _without_credentials(url: str) -> str:
    """The address without a user, a password and a query, in which keys may stand."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")) if url else ""


def _engine(store: Store) -> str:
    return "sqlite" if store.url.startswith("sqlite") else "postgresql"


async def _stream(log: EventLog, stream: Stream) -> StreamKept:
    bounds = [await log.bounds(stream, partition) for partition in log.partitions(stream)]
    return StreamKept(stream=stream.name, volume=stream.volume, records=sum(end - oldest for oldest, end in bounds))


async def _ends(log: EventLog) -> tuple[int | None, int | None]:
    """When the oldest and the newest event were received, of those that the log holds, in milliseconds."""
    moments: list[int] = []
    for partition in log.partitions(PROCESSED):
        oldest, end = await log.bounds(PROCESSED, partition)
        for place in {oldest, end - 1} if end > oldest else ():
            chunk = await log.read(PROCESSED, partition, place, max_records=1)
            moments += [decode_processed(record.header).received_at for record in chunk.records]
    return min(moments, default=None), max(moments, default=None)
