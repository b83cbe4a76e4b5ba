"""Reading: consumers that stay where they are between two reads, since a reader mostly goes on where it was. Blocks.

Each is assigned to one partition and belongs to no group. What it took from the wire and nobody has read is kept for
the read that goes on there. Some wait for what comes; others look for what is there, and are never left waiting at a
broker, where a question of theirs would stand behind the answer that is waited for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from headwater.eventlog import Chunk, Record
from headwater.eventlog.kafka.messages import failed, record_of
from headwater.eventlog.kafka.reach import ANSWER_SECONDS, Reach, asked, away, is_passing
from headwater.eventlog.streams import STREAMS, Stream
from headwater.spec.errors import Unavailable

_IDLE: Final = 32
"""Consumers kept for the next read; each has threads and connections of its own."""

_QUEUED_KBYTES: Final = 16_384
_AT_ONCE: Final = 500
_ANY_BYTES: Final = 1 << 40
_BACK: Final = 2
"""How far before the end the newest record is looked for first: behind it stands the mark of its transaction."""

_END: Final = KafkaError._PARTITION_EOF  # pyright: ignore[reportPrivateUsage] - the library's name for it
Key = tuple[str, int]
_NOWHERE: Final[Key] = ("", -1)


class Reader:
    """A consumer of one partition. `place` is what it gives next, `passed` the position before which it saw all."""

    def __init__(self, reach: Reach, *, waits: bool) -> None:
        self._reach = reach
        self.waits = waits
        self.key: Key = _NOWHERE
        self.place = -1
        self.passed = -1
        self._held: deque[tuple[int, Record]] = deque()
        self._consumer = Consumer(
            reach.consumer(
                f"{reach.prefix}.readers",
                enable_partition_eof=True,
                fetch_wait_max_ms=500 if waits else 10,
                queued_max_messages_kbytes=_QUEUED_KBYTES,
                fetch_message_max_bytes=8_000_000,
                fetch_error_backoff_ms=50,
            )
        )

    def go(self, stream: Stream, partition: int, position: int) -> None:
        """Stand at a position that exists."""
        self._held.clear()
        self._consumer.assign([self._reach.at(stream, partition, position)])
        self.key, self.place, self.passed = (stream.name, partition), position, position

    def again(self) -> None:
        """Read once more from where it stands."""
        name, partition = self.key
        self.go(STREAMS[name], partition, self.place)

    def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        """The oldest position kept, and the end of what is committed, with the marks of transactions."""
        place = self._reach.at(stream, partition)
        return asked(lambda: self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS, cached=False))

    def position_at(self, stream: Stream, partition: int, at: int) -> int:
        """The position of the first record of a time (milliseconds) or later; -1 when there is none."""
        wanted = [self._reach.at(stream, partition, max(0, at))]
        return asked(lambda: self._consumer.offsets_for_times(wanted, timeout=ANSWER_SECONDS))[0].offset

    def stands(self, key: Key, position: int) -> bool:
        """Does it give what is at this position next?"""
        return self.key == key and self.place == position

    @property
    def holds(self) -> bool:
        """Is there a record that was taken from the wire already?"""
        return bool(self._held)

    def take(self, max_records: int, max_bytes: int, *, until: float, end: int) -> Chunk:
        """The next records. Waits for one until an instant of the monotonic clock, or until all before `end` is seen;
        `end` -1 is nowhere.
        """
        while not self._held and (end < 0 or self.passed < end) and (left := until - time.monotonic()) > 0:
            self._keep(self._consumer.consume(1, min(left, 1.0)))
        room = max_bytes - sum(len(record.value) for _, record in self._held)
        while self._held and len(self._held) < max_records and room > 0:
            found = self._consumer.consume(_AT_ONCE, 0)
            if not found:
                break
            room -= self._keep(found)
        return self._given(max_records, max_bytes)

    def _given(self, max_records: int, max_bytes: int) -> Chunk:
        positions: list[int] = []
        records: list[Record] = []
        while self._held and len(records) < max_records:
            position, record = self._held[0]
            max_bytes -= len(record.value)
            if max_bytes < 0 and records:
                break
            self._held.popleft()
            positions.append(position)
            records.append(record)
        if not records:
            return Chunk(self.place, [])
        first, last = positions[0], positions[-1]
        self.place = last + 1
        return Chunk(first, records, None if last - first + 1 == len(records) else positions)

    def _keep(self, messages: list[Message]) -> int:
        """Keep what came from the wire. Returns the bytes."""
        taken = 0
        for message in messages:
            error, offset = message.error(), message.offset()
            assert offset is not None
            if error is None:
                record = record_of(message)
                taken += len(record.value)
                self._held.append((offset, record))
                self.passed = offset + 1
            elif error.code() == _END:
                self.passed = max(self.passed, offset)
            elif not is_passing(error):
                raise failed(error)
        return taken

    def rest(self) -> None:
        """Nobody reads for now. One that looks asks no more, unless it is in the middle of much."""
        if not self.waits and not self._held:
            self._consumer.unassign()
            self.key, self.place = _NOWHERE, -1

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()


class Readers:
    """The consumers of a process, lent to one read at a time."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._lock = threading.Lock()
        self._idle: list[Reader] = []
        self._ends: dict[Key, tuple[int, int]] = {}
        self._closed = False

    def read(
        self, stream: Stream, partition: int, position: int, *, max_records: int, max_bytes: int, wait: float
    ) -> Chunk:
        """See EventLog.read."""
        until = time.monotonic() + wait
        with self._lent((stream.name, partition), position, waits=wait > 0) as reader:
            end = -1
            if not reader.stands((stream.name, partition), position) or (wait <= 0 and not reader.holds):
                oldest, end = reader.bounds(stream, partition)
                position = max(position, oldest)
                if position > end:
                    return _beyond(reader, stream, partition, position, until)
                if not reader.stands((stream.name, partition), position):
                    reader.go(stream, partition, position)
            if wait > 0:
                return reader.take(max_records, max_bytes, until=until, end=-1)
            return _soon(reader, max_records, max_bytes, end)

    def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
        """See EventLog.bounds: the marks that transactions leave after the newest record do not count."""
        key = (stream.name, partition)
        with self._lent(key) as reader:
            oldest, end = reader.bounds(stream, partition)
            marked, newest = self._ends.get(key, (-1, -1))
            if marked != end:
                newest = _newest(reader, stream, partition, oldest, end)
                self._ends[key] = (end, newest)
        return oldest, max(oldest, newest)

    def position_at(self, stream: Stream, partition: int, at: int) -> int:
        """See EventLog.position_at."""
        with self._lent((stream.name, partition)) as reader:
            found = reader.position_at(stream, partition, at)
        return self.bounds(stream, partition)[1] if found < 0 else found

    @contextmanager
    def _lent(self, key: Key, position: int = -1, *, waits: bool = False) -> Generator[Reader]:
        """A consumer that stands there, if there is one. One that fails is not used again."""
        reader = self._find(key, position, waits) or Reader(self._reach, waits=waits)
        try:
            yield reader
        except KafkaException as error:
            reader.close()
            raise away(error) from error
        except BaseException:
            reader.close()
            raise
        reader.rest()
        with self._lock:
            if not self._closed:
                self._idle.append(reader)
                return
        reader.close()

    def _find(self, key: Key, position: int, waits: bool) -> Reader | None:
        """One that stands there; else one that looks and is nowhere, or the one that waited longest of too many."""
        with self._lock:
            if self._closed:
                raise Unavailable("The log is closed.")
            alike = [each for each in self._idle if each.waits == waits]
            found = [each for each in alike if each.stands(key, position)]
            found += [each for each in alike if each.key == _NOWHERE]
            if not found and len(alike) >= _IDLE:
                found = alike
            if not found:
                return None
            self._idle.remove(found[0])
            return found[0]

    def close(self) -> None:
        """Let go of every consumer; those lent go when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()


def _beyond(reader: Reader, stream: Stream, partition: int, position: int, until: float) -> Chunk:
    """Wait at a position that the stream has not reached."""
    while (left := until - time.monotonic()) > 0 and reader.bounds(stream, partition)[1] < position:
        time.sleep(min(left, 0.1))
    return Chunk(position, [])


def _soon(reader: Reader, max_records: int, max_bytes: int, end: int) -> Chunk:
    """What stands before the end, without waiting for more."""
    chunk = reader.take(max_records, max_bytes, until=time.monotonic() + ANSWER_SECONDS, end=end)
    if not chunk.records and reader.passed >= end > reader.place:
        # Only marks of transactions, or an end that was told of what was read before: it is not taken on trust.
        reader.again()
        chunk = reader.take(max_records, max_bytes, until=time.monotonic() + ANSWER_SECONDS, end=end)
    if not chunk.records and reader.passed < end:
        raise Unavailable("The log does not answer.", retry_after=1.0)
    return chunk


def _newest(reader: Reader, stream: Stream, partition: int, oldest: int, end: int) -> int:
    """The position after the newest record; the end when there is none."""
    back, start = _BACK, end
    while start > oldest:
        start = max(oldest, end - back)
        reader.go(stream, partition, start)
        newest = -1
        while (chunk := _soon(reader, _AT_ONCE, _ANY_BYTES, end)).records:
            newest = chunk.next
        if newest >= 0:
            return newest
        back *= 8
    return end
