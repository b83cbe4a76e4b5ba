"""The trail of one event: what the pipeline made of it, and what each destination answered.

Everything is read from the log and the store; nothing is kept for it. Searches are bounded: an event is found by the
index of message ids, or among the newest; its outcomes are sought from the moment it was received.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED, Stream
from headwater.manage.backwards import span
from headwater.pipeline.seen import index_folder, lookup
from headwater.spec.event import CollectedHeader, ProcessedHeader, decode_collected, decode_processed
from headwater.spec.outcome import AttemptNote, SetAside

_NEWEST = 5_000
_REQUESTS = 2_000
_OUTCOMES = 20_000
_CHUNK = 500
_CLOCKS_MS = 5_000
"""How far the clocks of hosts may be apart: what happened to an event may seem to have been before it was received."""


class Processed(msgspec.Struct, frozen=True):
    """An event as it was published, and where it stands."""

    partition: int
    position: int
    header: ProcessedHeader
    body: bytes


class Received(msgspec.Struct, frozen=True):
    """The request that an event came in, and where it stands."""

    partition: int
    position: int
    header: CollectedHeader


class Kept(msgspec.Struct, frozen=True):
    """An event that a room set aside at a moment."""

    room: str
    partition: int
    at: int
    event: SetAside


class Trail(msgspec.Struct, frozen=True):
    """All that the log knows of an event."""

    received: Received | None
    processed: Processed | None
    kept: list[Kept]
    attempts: list[AttemptNote]


class _Batch(msgspec.Struct, frozen=True):
    room: str
    partition: int
    at: int
    set_aside: list[SetAside] = []
    attempts: list[AttemptNote] = []


class _Identified(msgspec.Struct, frozen=True, rename="camel"):
    message_id: str = ""


_decode = msgspec.msgpack.Decoder(_Batch).decode
_decode_id = msgspec.json.Decoder(_Identified).decode


async def follow(log: EventLog, folder: Path, message_id: str, since: int) -> Trail:
    """Follow an event. `since` (ms) is where to begin looking when it is not among the processed events.

    `folder` is where the indexes of events are.
    """
    wanted = message_id.encode("utf-8", "replace")
    processed = await find_processed(log, folder, message_id)
    start = processed.header.received_at if processed is not None else since
    kept: list[Kept] = []
    attempts: list[AttemptNote] = []
    for batch in await _outcomes(log, wanted, start - _CLOCKS_MS, processed):
        kept += [
            Kept(batch.room, batch.partition, batch.at, one) for one in batch.set_aside if _is_about(one, message_id)
        ]
        if processed is not None and batch.room == "deliver" and batch.partition == processed.partition:
            attempts += [one for one in batch.attempts if processed.position in one.positions]
    return Trail(await _find_received(log, wanted, start, kept), processed, kept, attempts)


def _is_about(event: SetAside, message_id: str) -> bool:
    """Is it this event? One that was refused early is known by what was received alone."""
    if event.message_id:
        return event.message_id == message_id
    try:
        return _decode_id(event.payload).message_id == message_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


async def find_processed(log: EventLog, folder: Path, message_id: str) -> Processed | None:
    """An event as it was published: by the index of message ids in a folder, or among the newest."""
    wanted = message_id.encode("utf-8", "replace")
    partitions = log.partitions(PROCESSED)
    for partition in partitions:
        place = await asyncio.to_thread(lookup, index_folder(folder, partition), message_id)
        if place is None:
            continue
        for position, record in await span(log, PROCESSED, partition, place, place + 1):
            if position == place:
                return Processed(partition, position, decode_processed(record.header), record.value)
    for partition in partitions:
        oldest, end = await log.bounds(PROCESSED, partition)
        for position, record in reversed(await span(log, PROCESSED, partition, max(oldest, end - _NEWEST), end)):
            if wanted in record.header and decode_processed(record.header).message_id == message_id:
                return Processed(partition, position, decode_processed(record.header), record.value)
    return None


async def _outcomes(log: EventLog, wanted: bytes, since: int, processed: Processed | None) -> list[_Batch]:
    def may_tell(_position: int, record: Record) -> bool:
        return processed is not None or wanted in record.value

    found: list[_Batch] = []
    for partition in log.partitions(OUTCOMES):
        records = await _search(log, OUTCOMES, partition, since, may_tell, limit=_OUTCOMES, most=_OUTCOMES)
        found += [_decode(record.value) for _, record in records]
    return found


async def _find_received(log: EventLog, wanted: bytes, since: int, kept: list[Kept]) -> Received | None:
    for one in kept:
        if one.room == "pipeline":
            place = one.event.position
            for position, record in await span(log, COLLECTED, one.partition, place, place + 1):
                if position == place:
                    return Received(one.partition, position, decode_collected(record.header))
    for begin in (since, since - _CLOCKS_MS):
        for partition in log.partitions(COLLECTED):
            found = await _search(
                log, COLLECTED, partition, begin, lambda _, record: wanted in record.value, limit=_REQUESTS, most=1
            )
            for position, record in found:
                return Received(partition, position, decode_collected(record.header))
    return None


async def _search(
    log: EventLog,
    stream: Stream,
    partition: int,
    since: int,
    matches: Callable[[int, Record], bool],
    *,
    limit: int,
    most: int,
) -> list[tuple[int, Record]]:
    """At most `most` matching records among the first `limit` that were appended since a moment."""
    place = await log.position_at(stream, partition, since)
    _, end = await log.bounds(stream, partition)
    found: list[tuple[int, Record]] = []
    while place < end and limit > 0 and len(found) < most:
        chunk = await log.read(stream, partition, place, max_records=min(_CHUNK, limit))
        if not chunk.records:
            break
        found += [pair for pair in chunk.placed() if matches(*pair)]
        limit -= len(chunk.records)
        place = chunk.next
    return found[:most]
