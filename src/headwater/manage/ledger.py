"""Keeping the books: outcomes become counts in the store, exactly once.

The place up to which `outcomes` is counted changes in the transaction that adds the counts, so a batch that is read
again after a crash is not counted again, and of two processes that read the same one counts. The log is told the same
place, so that it does not forget what is not counted yet.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import OUTCOMES
from headwater.spec.errors import Unavailable
from headwater.spec.outcome import Count, Step
from headwater.store import ledger
from headwater.store.database import Store

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

GROUP = "ledger"
_RECORDS = 5_000
_BYTES = 32_000_000
_PAUSE = 0.5
_WAIT = 0.25
_IN = {Step.RECEIVED, Step.MATCHED}


class _Counted(msgspec.Struct, frozen=True):
    """What the books need of an OutcomeBatch; the rest is passed over unread."""

    counts: list[Count]


_decode = msgspec.msgpack.Decoder(_Counted).decode


def tally(records: Iterable[Record]) -> list[Count]:
    """All counts of some records of `outcomes`."""
    return [count for record in records for count in _decode(record.value).counts]


class Balance:
    """By how many events the books do not balance, for each source and destination."""

    def __init__(self, counts: Iterable[Count] = ()) -> None:
        self._open: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.add(counts)

    def add(self, counts: Iterable[Count]) -> None:
        """Take more counts into account."""
        for count in counts:
            events = count.events if count.step in _IN else -count.events
            self._open[count.source_id, count.destination_id] += events

    def events(self) -> int:
        """How many events have no known outcome, or one too many."""
        return sum(abs(events) for events in self._open.values())


class Books:
    """The fold of one house. `balance` knows what this process has counted and what it found."""

    def __init__(self, log: EventLog, store: Store) -> None:
        self._log = log
        self._store = store
        self.balance = Balance()
        self._places: dict[int, int] = {}

    async def open(self) -> None:
        """Read the balance, and tell the log where each partition stands, so that it keeps what is not counted."""
        self.balance = Balance(await self._store.read(ledger.totals))
        for partition in self._log.partitions(OUTCOMES):
            self._places[partition] = await self._place(partition)
            await self._log.commit(GROUP, OUTCOMES, partition, self._places[partition])

    async def fold(self, partition: int, *, wait: float = 0.0) -> int:
        """Count what has come, and return how many records that were."""
        place = self._places[partition]
        chunk = await self._log.read(OUTCOMES, partition, place, max_records=_RECORDS, max_bytes=_BYTES, wait=wait)
        if not chunk.records:
            return 0
        counts = tally(chunk.records)

        def write(connection: Connection) -> bool:
            if not ledger.advance(connection, GROUP, partition, place, chunk.next):
                return False
            ledger.add(connection, counts)
            return True

        if await self._store.write(write):
            self.balance.add(counts)
            self._places[partition] = chunk.next
        else:
            self.balance = Balance(await self._store.read(ledger.totals))
            self._places[partition] = await self._place(partition)
        await self._log.commit(GROUP, OUTCOMES, partition, self._places[partition])
        return len(chunk.records)

    async def keep(self, partition: int, stopping: asyncio.Event) -> None:
        """Fold a partition until told to stop, in batches of about half a second, and once more at the end."""
        while not stopping.is_set():
            try:
                folded = await self.fold(partition, wait=_WAIT)
            except Unavailable as away:
                await _rest(stopping, away.retry_after)
                continue
            if folded < _RECORDS:
                await _rest(stopping, _PAUSE)
        with suppress(Unavailable):
            await self.fold(partition)

    async def _place(self, partition: int) -> int:
        return await self._store.read(lambda connection: ledger.cursor(connection, GROUP, partition))


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
