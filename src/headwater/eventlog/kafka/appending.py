"""Appending outside of transactions: one producer of the process, whose reports one thread hears."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import Producer

from headwater.eventlog import Record
from headwater.eventlog.kafka.messages import Sent, failed, send
from headwater.eventlog.kafka.reach import Reach, away
from headwater.eventlog.streams import Stream
from headwater.spec.errors import Unavailable

_PATIENCE_MS: Final = 15_000
_FAREWELL_SECONDS: Final = 10.0


class Appender:
    """Appends for everybody in the process who waits on one event loop."""

    def __init__(self, reach: Reach, clock: Callable[[], int]) -> None:
        self._reach = reach
        self._clock = clock
        self._finished: list[tuple[asyncio.Future[int], Sent]] = []
        self._closing = False
        self._open()
        self._hearing: threading.Thread | None = None

    def _open(self) -> None:
        self._producer = Producer(self._reach.producer(message_timeout_ms=_PATIENCE_MS))

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        """Append records, at least one. Returns the position of the first once all are durable.

        Raises Unavailable when that is not known after a quarter of a minute: they may be there nonetheless.
        """
        if self._hearing is None:
            self._hearing = threading.Thread(target=self._hear, name="eventlog-append", daemon=True)
            self._loop = asyncio.get_running_loop()
            self._hearing.start()
        future: asyncio.Future[int] = self._loop.create_future()
        sent = Sent(len(records), lambda sent: self._finished.append((future, sent)))
        try:
            name = self._reach.name(stream)
            send(self._producer, name, partition, records, sent, at=self._clock(), patient=False)
        except BufferError as error:
            raise Unavailable("Too much waits for the log.", retry_after=1.0) from error
        return await future

    def _hear(self) -> None:
        while not self._closing or len(self._producer):
            self._producer.poll(0.1)
            if self._finished:
                finished, self._finished = self._finished, []
                self._loop.call_soon_threadsafe(_answer, finished)
                if any(sent.error is not None and sent.error.fatal() for _, sent in finished):
                    self._open()

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
