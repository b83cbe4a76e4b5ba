"""A chunk of the log on its way through the lanes, and what becomes of it there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater.spec.ages import BUCKETS, Ages, add_ages, bucket_of
from headwater.spec.outcome import AttemptNote, Count, OutcomeBatch, SetAside, Step

if TYPE_CHECKING:
    from headwater.deliver.lane import Lane
    from headwater.spec.destination import Item
    from headwater.store.parked import ParkedDelivery


class Passage:
    """One chunk. `open` deliveries have neither ended nor been parked; `mark` is what the backlog must have written.

    `entered` is an instant of the monotonic clock, in seconds; `epoch` is the partition's when the chunk was read.
    """

    __slots__ = (
        "_ages",
        "_counts",
        "_done",
        "entered",
        "epoch",
        "events",
        "first",
        "mark",
        "next",
        "notes",
        "open",
        "partition",
        "portions",
        "set_aside",
    )

    def __init__(
        self, partition: int, first: int, next_position: int, entered: float, *, events: int = 0, epoch: int = 0
    ) -> None:
        self.partition = partition
        self.epoch = epoch
        self.first = first
        self.next = next_position
        self.events = events
        self.entered = entered
        self.open = 0
        self.mark = 0
        self.portions: list[Portion] = []
        self.notes: list[AttemptNote] = []
        self.set_aside: list[SetAside] = []
        self._counts: Counter[tuple[str, str, int, str, str, str]] = Counter()
        self._ages: dict[tuple[str, str, int, str], list[int]] = {}
        self._done = asyncio.Event()

    def delivered(
        self, source_id: str, destination_id: str, at: int, items: Sequence[Item], *, way_id: str = ""
    ) -> None:
        """Count events that were delivered at an instant (milliseconds), and how old they were then."""
        key = (source_id, destination_id, at // 60_000, way_id)
        ages = self._ages.get(key)
        if ages is None:
            ages = self._ages[key] = [0] * BUCKETS
        if len(items) == 1:
            ages[bucket_of(at - items[0].received_at)] += 1
        else:
            add_ages(ages, [item.received_at for item in items], at)

    def count(
        self, source_id: str, destination_id: str, at: int, step: Step, reason: str, *, events: int, way_id: str = ""
    ) -> None:
        """Count events that met a step at an instant (milliseconds)."""
        if events:
            self._counts[source_id, destination_id, at // 60_000, step, reason, way_id] += events

    def begin(self, deliveries: int) -> None:
        """So many deliveries more are made out than were foreseen; fewer, if it is negative."""
        self.end(-deliveries)

    def end(self, deliveries: int) -> None:
        """So many deliveries ended or were parked."""
        self.open -= deliveries
        if self.open == 0:
            self._done.set()

    def clear(self) -> None:
        """Forget everything: the chunk is committed, or another worker's. A request that hangs holds on to it for long.

        A chunk and its portions hold each other, so that only the collector would free them.
        """
        for each in (self.portions, self.notes, self.set_aside, self._counts, self._ages):
            each.clear()

    async def wait(self, seconds: float) -> bool:
        """Wait until nothing is open, at most so long. Returns whether nothing is."""
        if self.open and seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._done.wait()
            except TimeoutError:
                pass
        return self.open == 0

    def outcomes(self, at: int) -> OutcomeBatch:
        """The record of this chunk, at an instant (milliseconds)."""
        ages: list[Ages] = []
        counts = [
            Count(source, destination, minute, step, reason, events, way_id)
            for (source, destination, minute, step, reason, way_id), events in self._counts.items()
        ]
        for (source, destination, minute, way_id), buckets in self._ages.items():
            there = {bucket: events for bucket, events in enumerate(buckets) if events}
            ages.append(Ages(source, destination, minute, there))
            counts.append(Count(source, destination, minute, Step.DELIVERED, "", sum(buckets), way_id))
        return OutcomeBatch(
            "deliver", self.partition, self.first, self.next - 1, at, counts, self.set_aside, self.notes, ages
        )


class Portion:
    """What one chunk brings to one way of a lane, to share requests with what has the same `key`.

    Items before `taken` are under way or ended; `pieces` are those under way. All take at most `size` bytes.
    """

    __slots__ = ("items", "key", "lane", "passage", "pieces", "size", "source_id", "taken", "way_id")

    def __init__(
        self,
        passage: Passage,
        lane: Lane,
        source_id: str,
        items: list[Item],
        *,
        way_id: str = "",
        key: str = "",
        size: int | None = None,
    ) -> None:
        self.passage = passage
        self.lane = lane
        self.source_id = source_id
        self.way_id = way_id
        self.key = key
        self.items = items
        self.size = size_of(items) if size is None else size
        self.taken = 0
        self.pieces: list[Piece] = []


class Piece:
    """A part of a portion that is under way in one request since `started`. `rows` once it is parked meanwhile."""

    __slots__ = ("portion", "rows", "start", "started", "stop")

    def __init__(self, portion: Portion, start: int, stop: int, started: float) -> None:
        self.portion = portion
        self.start = start
        self.stop = stop
        self.started = started
        self.rows: list[ParkedDelivery] = []

    @property
    def items(self) -> list[Item]:
        return self.portion.items[self.start : self.stop]


def size_of(items: Sequence[Item]) -> int:
    """How many bytes events take."""
    return sum([len(item.body) for item in items])
