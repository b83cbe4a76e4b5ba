"""Appending outside of transactions: one producer of the process, whose reports one thread hears."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from confluent_kafka import KafkaException, Producer

from headwater.eventlog import Record
from headwater.eventlog.kafka.messages import Sent, failed, send
from headwater.eventlog.kafka.reach import RETRY_SECONDS, Reach, away, log
from headwater.eventlog.streams import Stream
from headwater.spec.errors import Unavailable

_PATIENCE_MS: Final = 15_000
_FAREWELL_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 2.0
_MOMENT_SECONDS: Final = 0.1


class Appender:
    """Appends for everybody in the process who waits on one event loop."""

    def __init__(self, reach: Reach, clock: Callable[[], int]) -> None:
        self._reach = reach
        self._clock = clock
        self._finished: list[tuple[asyncio.Future[int], Sent]] = []
        self._closing = False
        self._producer: Producer | None = None
        self._again = 0.0
        self._hearing: threading.Thread | None = None

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        """Append records, at least one. Returns the position of the first once all are durable.

        Raises Unavailable when that is not known after a quarter of a minute: they may be there nonetheless.
        """
        producer = self._opened() if self._producer is None else self._producer
        future: asyncio.Future[int] = self._loop.create_future()
        sent = Sent(len(records), lambda sent: self._finished.append((future, sent)))
        try:
            name = self._reach.name(stream)
            send(producer, name, partition, records, sent, at=self._clock(), patient=False)
        except BufferError as error:
            raise Unavailable("Too much waits for the log.", retry_after=1.0) from error
        except KafkaException as error:
            raise away(error) from error
        return await future

    def _opened(self) -> Producer:
        """A producer, at first and after one that failed for good; not at once again after that."""
        if time.monotonic() < self._again:
            raise Unavailable("The log refused what writes to it; the log of this process says why.", retry_after=1.0)
        self._producer = Producer(self._reach.producer(message_timeout_ms=_PATIENCE_MS))
        if self._hearing is None:
            self._loop = asyncio.get_running_loop()
            self._hearing = threading.Thread(target=self._hear, name="eventlog-append", daemon=True)
            self._hearing.start()
        return self._producer

    def _hear(self) -> None:
        while (producer := self._producer) is not None or not self._closing:
            if producer is None:
                time.sleep(_MOMENT_SECONDS)
                continue
            try:
                producer.poll(_MOMENT_SECONDS)
            except (KafkaException, SystemError) as error:  # how the library tells of a fatal error
                self._end(producer, error)
            self._tell()
            if self._closing and not len(producer):
                return

    def _end(self, producer: Producer, error: Exception) -> None:
        """Have done with a producer that failed for good: whoever waits for it hears that it did."""
        log.warning("Writing to the log failed for good, and is begun anew: %s", error.__cause__ or error)
        self._again = time.monotonic() + RETRY_SECONDS
        self._producer = None
        until = time.monotonic() + _LAST_SECONDS
        while len(producer) and time.monotonic() < until:
            with suppress(KafkaException, SystemError):
                producer.purge()
                producer.poll(_MOMENT_SECONDS)

    def _tell(self) -> None:
        if self._finished:
            finished, self._finished = self._finished, []
            self._loop.call_soon_threadsafe(_answer, finished)

    async def close(self) -> None:
        """Wait for what is under way."""
        self._closing = True
        if self._hearing is not None:
            await asyncio.to_thread(self._hearing.join, _FAREWELL_SECONDS)


def _answer(finished: list[tuple[asyncio.Future[int], Sent]]) -> None:
    for future, sent in finished:
        if future.done():
            continue
        if sent.error is not None:
            future.set_exception(away(failed(sent.error)))
        else:
            future.set_result(sent.first)
