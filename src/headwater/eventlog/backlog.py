"""What waits in a spill, and for which partition. Pure.

A spill is one queue for all partitions, so that what arrives at one moment is one fsync. A record in it says which
partition it is for. A partition *waits* while the queue holds anything of it that is not drained.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from headwater.eventlog import Chunk, Record

_PARTITION_BYTES: Final = 4


class Portion(msgspec.Struct, frozen=True):
    """The records of a chunk that are for one partition, with where they stand in the spill."""

    places: list[int]
    records: list[Record]

    def first(self) -> Portion:
        """The oldest alone."""
        return Portion(self.places[:1], self.records[:1])


class Backlog:
    """How far the spill is drained, as a whole and for partitions that are ahead of it."""

    def __init__(self, drained: int, end: int) -> None:
        """Everything before `drained` is in the log; `end` is the position after the newest record spilled."""
        self.drained = drained
        self.end = end
        self._found = end
        self._last: dict[int, int] = {}
        self._done: dict[int, int] = {}

    @property
    def empty(self) -> bool:
        """Does no partition wait?"""
        return self.drained >= self.end

    def waits(self, partition: int) -> bool:
        """Does the spill hold anything of the partition? Of what was found at the start that is taken for granted."""
        if self.drained >= self.end:
            return False
        last = self._last.get(partition, self._found)
        return last > self.drained and last > self._done.get(partition, 0)

    def kept(self, partition: int, first: int, count: int) -> None:
        """So many records of a partition were spilled, from a position on."""
        self._last[partition] = first + count
        self.end = max(self.end, first + count)

    def portions(self, chunk: Chunk) -> dict[int, Portion]:
        """What of a chunk is still to be drained, by partition."""
        portions: dict[int, Portion] = {}
        for place, record in chunk.placed():
            partition, inner = unwrap(record)
            if place < self._done.get(partition, 0):
                continue
            portion = portions.setdefault(partition, Portion([], []))
            portion.places.append(place)
            portion.records.append(inner)
        return portions

    def passed(self, partition: int, portion: Portion) -> None:
        """The log holds these records now."""
        self._done[partition] = portion.places[-1] + 1

    def settle(self, chunk: Chunk, portions: Mapping[int, Portion]) -> bool:
        """Move on to the first record of a chunk that is not in the log. Returns whether that is further than before.

        `portions` are what was to be drained of the chunk.
        """
        before = self.drained
        undone = (self._first_undone(partition, portion.places) for partition, portion in portions.items())
        self.drained = min((place for place in undone if place is not None), default=chunk.next)
        if self.empty:
            self._last.clear()
            self._done.clear()
        return self.drained > before

    def _first_undone(self, partition: int, places: Sequence[int]) -> int | None:
        index = bisect.bisect_left(places, self._done.get(partition, 0))
        return places[index] if index < len(places) else None


def wrap(partition: int, record: Record) -> Record:
    """A record as the spill keeps it."""
    return Record(partition.to_bytes(_PARTITION_BYTES) + record.key, record.header, record.value)


def unwrap(record: Record) -> tuple[int, Record]:
    """The partition that a spilled record is for, and the record."""
    partition = int.from_bytes(record.key[:_PARTITION_BYTES])
    return partition, Record(record.key[_PARTITION_BYTES:], record.header, record.value)
