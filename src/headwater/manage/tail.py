"""Processed events as they come, for one who asked for a place and gets everything from there.

Each such reader reads the log itself, at its own pace: what it has not taken stays where it is, so a slow reader holds
up nobody and fills no memory. Those who follow the newest share one reading (`manage/feeds.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

import msgspec

from headwater.eventlog import Chunk, EventLog, Record
from headwater.eventlog.streams import PROCESSED
from headwater.spec.event import ProcessedHeader, decode_processed

BEHIND = 5_000
"""A reader of the newest that is this many events behind is moved on."""

_CHUNK = 500
_BYTES = 2_000_000
_WAIT = 1.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; empty is all. `user` is a user id or anonymous id; `text` stands anywhere in the event."""

    source_id: str = ""
    type: str = ""
    name: str = ""
    user: str = ""
    text: bytes = b""


class Seen(msgspec.Struct, frozen=True):
    """An event that is wanted, where it stands."""

    partition: int
    position: int
    header: ProcessedHeader
    body: bytes


class Missed(msgspec.Struct, frozen=True):
    """About how many events the reader was moved past: exactly, unless the log leaves gaps between positions."""

    partition: int
    events: int


def matches(header: ProcessedHeader, wanted: Wanted) -> bool:
    """Is the event wanted, as far as its header tells?"""
    return (
        (not wanted.source_id or header.source_id == wanted.source_id)
        and (not wanted.type or header.type == wanted.type)
        and (not wanted.name or header.name == wanted.name)
        and (not wanted.user or wanted.user in (header.user_id, header.anonymous_id))
    )


def pick(partition: int, chunk: Chunk, wanted: Wanted) -> list[Seen]:
    """The wanted events of a chunk. Bodies are not opened; text is looked for in their bytes, whatever its case."""
    picked = (pick_one(partition, at, record, wanted) for at, record in chunk.placed())
    return [seen for seen in picked if seen is not None]


def pick_one(partition: int, position: int, record: Record, wanted: Wanted) -> Seen | None:
    """The event of a record, if it is wanted."""
    seen = Seen(partition, position, decode_processed(record.header), record.value)
    return seen if is_wanted(seen, wanted) else None


def is_wanted(seen: Seen, wanted: Wanted) -> bool:
    """Is the event wanted, by its header and the text in its body?"""
    return matches(seen.header, wanted) and (not wanted.text or wanted.text in seen.body.lower())


async def tail(
    log: EventLog, wanted: Wanted, starts: Mapping[int, int], stopping: asyncio.Event
) -> AsyncGenerator[Seen | Missed | None]:
    """Wanted events from these positions on (by partition), until told to stop; None now and then as a sign of life."""
    reads = {_read(log, partition, position): partition for partition, position in starts.items()}
    try:
        while not stopping.is_set():
            done, _ = await asyncio.wait(reads, timeout=_WAIT, return_when=asyncio.FIRST_COMPLETED)
            for read in done:
                partition, chunk = reads.pop(read), read.result()
                for seen in pick(partition, chunk, wanted):
                    yield seen
                reads[_read(log, partition, chunk.next)] = partition
            yield None
    finally:
        for read in reads:
            read.cancel()


def _read(log: EventLog, partition: int, position: int) -> asyncio.Task[Chunk]:
    return asyncio.create_task(_chunk(log, partition, position))


async def _chunk(log: EventLog, partition: int, position: int) -> Chunk:
    return await log.read(PROCESSED, partition, position, max_records=_CHUNK, max_bytes=_BYTES, wait=_WAIT)
