"""Who reads the log, and how far each reader is behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from headwater.eventlog import EventLog
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED, Stream
from headwater.manage.ledger import GROUP
from headwater.profiles.loop import GROUP as PROFILES_GROUP
from headwater.spec.event import decode_collected, decode_processed
from headwater.warehouse.loop import group_of
from headwater.warehouse.reading import ARCHIVE_GROUP

READERS: tuple[tuple[str, Stream], ...] = (
    ("pipeline", COLLECTED),
    ("deliver", PROCESSED),
    (ARCHIVE_GROUP, PROCESSED),
    (PROFILES_GROUP, PROCESSED),
    (GROUP, OUTCOMES),
)
"""The groups of readers that every house has; beside them each warehouse is one, of `processed`."""


class Lag(msgspec.Struct, frozen=True):
    """How far a group is behind, over all partitions: records, and how long the oldest of them has been there.

    Of a log that leaves gaps between positions `records` is about as many; it is 0 when nothing waits.
    `seconds` is since it was received (of outcomes: since they were written), and None when nothing waits.
    """

    group: str
    stream: str
    records: int
    seconds: float | None


class _Written(msgspec.Struct):
    at: int


_decode_outcome = msgspec.msgpack.Decoder(_Written).decode


async def lags(log: EventLog, warehouse_ids: Iterable[str], now: int) -> list[Lag]:
    """How far each reader is behind at `now` (milliseconds). Raises Unavailable when the log is away."""
    readers = [*READERS, *((group_of(one), PROCESSED) for one in warehouse_ids)]
    return list(await asyncio.gather(*(_lag(log, group, stream, now) for group, stream in readers)))


async def _lag(log: EventLog, group: str, stream: Stream, now: int) -> Lag:
    records = 0
    oldest: list[int] = []
    for partition in log.partitions(stream):
        first, end = await log.bounds(stream, partition)
        place = max(first, await log.committed(group, stream, partition))
        records += max(0, end - place)
        if place < end:
            chunk = await log.read(stream, partition, place, max_records=1, max_bytes=1)
            oldest += [_moment(stream, record.header, record.value) for record in chunk.records]
    return Lag(group, stream.name, records, max(0, now - min(oldest)) / 1000 if oldest else None)


def _moment(stream: Stream, header: bytes, value: bytes) -> int:
    if stream is COLLECTED:
        return decode_collected(header).received_at
    return decode_processed(header).received_at if stream is PROCESSED else _decode_outcome(value).at
