"""The newest events for many who look at once: each partition is read and decoded once, and each reader picks.

What a reader has not taken waits for it in a short queue, which all slow readers share; when that is full the oldest
goes, and the reader is told how many it missed. While every reader is content with a sample of so many events a second,
not everything is read: a few times a second the newest events are, and what lies before them is passed over.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

from headwater.eventlog import Chunk, EventLog
from headwater.eventlog.streams import PROCESSED
from headwater.manage.tail import BEHIND, Missed, Seen, Wanted, is_wanted
from headwater.spec.event import decode_processed

_CHUNK: Final = 500
_BYTES: Final = 2_000_000
_WAIT: Final = 1.0
_PAUSE: Final = 0.2
_QUEUE: Final = 4


class Look:
    """Some events that were read together, decoded once. Readers who want the same share the picking, too."""

    def __init__(self, partition: int, chunk: Chunk) -> None:
        self.partition = partition
        self.first = chunk.first
        self.events = len(chunk.records)
        self._seen = [
            Seen(partition, place, decode_processed(record.header), record.value) for place, record in chunk.placed()
        ]
        self._picked: dict[Wanted, list[Seen]] = {Wanted(): self._seen}

    def pick(self, wanted: Wanted) -> list[Seen]:
        """The wanted ones, in their order."""
        found = self._picked.get(wanted)
        if found is None:
            found = self._picked[wanted] = [seen for seen in self._seen if is_wanted(seen, wanted)]
        return found


class Reader:
    """One who looks. `sample` is how many events a second it wants at most; 0 is all of them."""

    def __init__(self, wanted: Wanted, starts: Mapping[int, int], sample: int) -> None:
        self.starts = starts
        self.sample = sample
        self._wanted = wanted
        self._held: deque[Look] = deque()
        self._missed: Counter[int] = Counter()
        self._arrived = asyncio.Event()
        self._error: Exception | None = None
        self._allowance = float(sample)
        self._asked = time.monotonic()

    @property
    def full(self) -> bool:
        """Does it have more than it takes?"""
        return len(self._held) >= _QUEUE

    def put(self, look: Look) -> None:
        """Give it something, in the place of the oldest if it has not taken what it has."""
        if self.full:
            oldest = self._held.popleft()
            self._missed[oldest.partition] += oldest.events
        self._held.append(look)
        self._arrived.set()

    def miss(self, partition: int, events: int) -> None:
        """About so many events are passed over; positions that the log leaves out count as well."""
        self._missed[partition] += events
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        """The log cannot be read."""
        self._error = error
        self._arrived.set()

    async def take(self, seconds: float) -> list[Seen | Missed]:
        """What has come, waiting at most so long for it. Raises what reading the log raised."""
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return []
        self._arrived.clear()
        if self._error is not None:
            raise self._error
        found: list[Seen | Missed] = []
        while self._held:
            found += self.chosen(self._held.popleft())
        found += [Missed(partition, events) for partition, events in self._missed.items()]
        self._missed.clear()
        return found

    def chosen(self, held: Look) -> Sequence[Seen]:
        """What of it the reader is shown; what is too much for its sample is missed."""
        start = self.starts.get(held.partition, 0)
        picked = held.pick(self._wanted)
        if start > held.first:
            picked = [seen for seen in picked if seen.position >= start]
        if not self.sample:
            return picked
        now = time.monotonic()
        self._allowance = min(self._allowance + (now - self._asked) * self.sample, float(self.sample))
        self._asked = now
        shown = spread(picked, int(self._allowance))
        self._allowance -= len(shown)
        if len(shown) < len(picked):
            self._missed[held.partition] += len(picked) - len(shown)
        return shown


def spread(events: Sequence[Seen], most: int) -> Sequence[Seen]:
    """At most so many of the events, from all over them, with the newest among them."""
    if len(events) <= most:
        return events
    step = len(events) / most if most else 1.0
    return [events[len(events) - 1 - int(number * step)] for number in range(most - 1, -1, -1)]


class Feed:
    """The one reading of a partition, which goes on while somebody looks. `place` is what it reads next."""

    def __init__(self, log: EventLog, partition: int) -> None:
        self.place = 0
        self._log = log
        self._partition = partition
        self._readers: set[Reader] = set()
        self._reading: asyncio.Task[None] | None = None

    def join(self, reader: Reader) -> None:
        """Give a reader what comes from now on; the first also gets what stands since its start."""
        self._readers.add(reader)
        if self._reading is None:
            self.place = reader.starts[self._partition]
            self._reading = asyncio.create_task(self._read(), name=f"feed-{self._partition}")

    def leave(self, reader: Reader) -> None:
        """Give a reader nothing more; the reading ends with the last."""
        self._readers.discard(reader)
        if not self._readers and self._reading is not None:
            self._reading.cancel()
            self._reading = None

    @property
    def _sampled(self) -> bool:
        return all(reader.sample for reader in self._readers)

    async def _read(self) -> None:
        try:
            while True:
                chunk = await self.chunk(self.place, wait=_WAIT)
                if chunk.records:
                    self._give(chunk)
                    await self._pause(len(chunk.records))
        except Exception as error:
            for reader in self._readers:
                reader.fail(error)
            self._readers.clear()
            self._reading = None

    def _give(self, chunk: Chunk) -> None:
        # A few positions without a record are gaps that the log left; more are events that it has forgotten.
        if chunk.first - self.place > (0 if chunk.standing is None else _CHUNK):
            self._pass_over(chunk.first)
        look = Look(self._partition, chunk)
        self.place = chunk.next
        for reader in self._readers:
            reader.put(look)

    async def _pause(self, read: int) -> None:
        """Let time pass while nobody needs everything at once, and go on with the newest when these are far ahead."""
        while True:
            stuck = all(reader.full for reader in self._readers)
            if stuck or self._sampled:
                await asyncio.sleep(_PAUSE)
            elif read < _CHUNK:
                return
            _, end = await self._log.bounds(PROCESSED, self._partition)
            if end - self.place > (_CHUNK if self._sampled else BEHIND):
                self._pass_over(end - _CHUNK)
                return
            if self._sampled or not stuck:
                return

    def _pass_over(self, place: int) -> None:
        for reader in self._readers:
            reader.miss(self._partition, place - self.place)
        self.place = place

    async def chunk(self, position: int, *, most: int = _CHUNK, wait: float = 0.0) -> Chunk:
        """Some events from a position on."""
        return await self._log.read(PROCESSED, self._partition, position, max_records=most, max_bytes=_BYTES, wait=wait)


class Feeds:
    """The readings of one process, by partition."""

    def __init__(self) -> None:
        self._feeds: dict[int, Feed] = {}

    async def follow(
        self,
        log: EventLog,
        wanted: Wanted,
        starts: Mapping[int, int],
        stopping: asyncio.Event,
        *,
        sample: int = 0,
    ) -> AsyncGenerator[Seen | Missed | None]:
        """Wanted events from about these positions on, until told to stop; None at the end of what has come, or when
        nothing has for a second.

        What already passed this house's readings is read once more if it is little, and missed otherwise.
        """
        reader = Reader(wanted, starts, sample)
        feeds = [self._feeds.setdefault(partition, Feed(log, partition)) for partition in starts]
        try:
            passed = {partition: self._join(reader, partition) for partition in starts}
            for partition, place in passed.items():
                for found in await self._before(reader, partition, place):
                    yield found
            alive = time.monotonic()
            while not stopping.is_set():
                came = await reader.take(_WAIT)
                for found in came:
                    yield found
                if came or time.monotonic() - alive >= _WAIT:
                    yield None
                    alive = time.monotonic()
        finally:
            for feed in feeds:
                feed.leave(reader)

    def _join(self, reader: Reader, partition: int) -> int:
        feed = self._feeds[partition]
        feed.join(reader)
        return feed.place

    async def _before(self, reader: Reader, partition: int, place: int) -> Sequence[Seen | Missed]:
        """What stands between a reader's start and the place at which the reading was when it came."""
        start = reader.starts[partition]
        if start >= place:
            return []
        if place - start > _CHUNK:
            return [Missed(partition, place - start)]
        chunk = await self._feeds[partition].chunk(start, most=place - start)
        return reader.chosen(Look(partition, chunk.before(place)))
