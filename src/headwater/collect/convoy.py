"""Requests that wait at the same moment are appended together: one append, and one fsync, for all of them."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import Final

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import COLLECTED

_QUIET_TURNS: Final = 3
"""A convoy leaves when nobody has joined it for so many turns of the event loop: at once when nothing else is going on,
and with all who are on their way when much is."""

_MAX_TURNS: Final = 30
_MAX_BYTES: Final = 8_000_000
"""A convoy takes about so much; what remains goes with the next."""


class Convoy:
    """The way of one partition of `collected` into the log.

    While an append is under way records gather for the next, so the busier it is, the larger the appends are. Records
    keep the order in which they were added.
    """

    def __init__(self, log: EventLog, partition: int) -> None:
        self._log = log
        self._partition = partition
        self._records: list[Record] = []
        self._waiting: list[asyncio.Future[Exception | None]] = []
        self._bytes = 0
        self._loop: asyncio.AbstractEventLoop
        self._driver: asyncio.Task[None] | None = None

    def add(self, record: Record) -> asyncio.Future[Exception | None]:
        """Let a record join. The future is done when it is durable, or holds the error for which it is not."""
        if self._driver is None:
            self._loop = asyncio.get_running_loop()
            self._driver = self._loop.create_task(self._drive(), name="convoy")
        durable: asyncio.Future[Exception | None] = self._loop.create_future()
        self._records.append(record)
        self._bytes += len(record.value)
        self._waiting.append(durable)
        return durable

    async def _drive(self) -> None:
        while self._records:
            await self._gather()
            records, waiting = self._take()
            error = await self._append(records)
            for durable in waiting:
                if not durable.done():
                    durable.set_result(error)
        self._driver = None

    async def _gather(self) -> None:
        size = quiet = 0
        for _ in range(_MAX_TURNS):
            quiet = quiet + 1 if len(self._records) == size else 0
            if quiet == _QUIET_TURNS:
                return
            size = len(self._records)
            await asyncio.sleep(0)

    def _take(self) -> tuple[list[Record], list[asyncio.Future[Exception | None]]]:
        records, waiting = self._records, self._waiting
        if self._bytes <= _MAX_BYTES:
            self._records, self._waiting, self._bytes = [], [], 0
            return records, waiting
        sizes = accumulate(len(record.value) for record in records)
        many = 1 + sum(1 for size in sizes if size <= _MAX_BYTES)
        self._records, self._waiting = records[many:], waiting[many:]
        self._bytes = sum(len(record.value) for record in self._records)
        return records[:many], waiting[:many]

    async def _append(self, records: list[Record]) -> Exception | None:
        try:
            await self._log.append(COLLECTED, self._partition, records)
        except Exception as error:
            return error
        return None
