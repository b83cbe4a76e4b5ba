"""Copying the log: every record that it still keeps, into the same partition and to the same position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import STREAMS, Stream
from headwater.spec.errors import SetupError

_RECORDS: Final = 2_000
_BYTES: Final = 4_000_000


class Stretch(msgspec.Struct, frozen=True):
    """What is to be copied of one partition of a stream: the positions from `first` to before `end`."""

    stream: str
    partition: int
    first: int
    end: int


async def stretches(log: EventLog) -> list[Stretch]:
    """Everything that a log keeps."""
    return [
        Stretch(name, partition, *await log.bounds(stream, partition))
        for name, stream in STREAMS.items()
        for partition in log.partitions(stream)
    ]


async def anything(log: EventLog) -> bool:
    """Does the log hold a record?"""
    return any(stretch.end > stretch.first for stretch in await stretches(log))


async def copy(source: EventLog, target: EventLog, wanted: list[Stretch], tell: Callable[[int], None]) -> None:
    """Copy stretches; what an earlier try copied already is left out. `tell` hears of records copied.

    The target counts from the first position of each stretch (`eventlog/shifted.py`). Raises SetupError when it holds
    something else.
    """
    for stretch in wanted:
        stream = STREAMS[stretch.stream]
        _, position = await target.bounds(stream, stretch.partition)
        if not stretch.first <= position <= stretch.end:
            raise _foreign(stretch)
        if position > stretch.first:
            await _compare(source, target, stretch, position - 1)
        tell(position - stretch.first)
        while position < stretch.end:
            chunk = await source.read(stream, stretch.partition, position, max_records=_RECORDS, max_bytes=_BYTES)
            records = chunk.before(stretch.end).records
            if chunk.first != position or chunk.standing is not None or not records:
                raise SetupError(f"The old log lacks {stream.name} at {position} of partition {stretch.partition}.")
            if await target.append(stream, stretch.partition, records) != position:
                raise _foreign(stretch)
            position += len(records)
            tell(len(records))


async def check(source: EventLog, target: EventLog, wanted: list[Stretch]) -> None:
    """Raises SetupError unless the target holds these stretches and nothing else."""
    for stretch in wanted:
        stream = STREAMS[stretch.stream]
        if await target.bounds(stream, stretch.partition) != (stretch.first, stretch.end):
            raise _foreign(stretch)
        if stretch.end > stretch.first:
            for position in (stretch.first, stretch.end - 1):
                await _compare(source, target, stretch, position)
    for name, stream in STREAMS.items():
        known = {stretch.partition for stretch in wanted if stretch.stream == name}
        for partition in target.partitions(stream):
            first, end = await target.bounds(stream, partition)
            if partition not in known and end > first:
                raise _foreign(Stretch(name, partition, first, end))


async def copy_cursors(source: EventLog, target: EventLog) -> int:
    """Let every group stand in the target where it stands in the source. Returns how many cursors there are."""
    copied = 0
    for stream in STREAMS.values():
        for partition in source.partitions(stream):
            for group in sorted(await source.groups(stream, partition)):
                position = await source.committed(group, stream, partition)
                await target.commit(group, stream, partition, position)
                copied += 1
    return copied


async def _compare(source: EventLog, target: EventLog, stretch: Stretch, position: int) -> None:
    stream = STREAMS[stretch.stream]
    old, new = [await _one(log, stream, stretch.partition, position) for log in (source, target)]
    if old != new:
        raise _foreign(stretch)


async def _one(log: EventLog, stream: Stream, partition: int, position: int) -> Record | None:
    chunk = await log.read(stream, partition, position, max_records=1)
    return chunk.records[0] if chunk.records and chunk.first == position else None


def _foreign(stretch: Stretch) -> SetupError:
    return SetupError(
        f"The new log holds something else in partition {stretch.partition} of {stretch.stream}. Give it an empty one: "
        "another prefix in --log kafka://host:9092/PREFIX, or delete its topics."
    )
