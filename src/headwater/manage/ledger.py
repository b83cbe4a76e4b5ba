"""Keeping the books: outcomes become counts in the store, exactly once.

Beside the ledger, the ages of deliveries and the names of events are counted, in the same transaction.

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
from headwater.manage.sampling import Sampler
from headwater.spec.ages import Ages
from headwater.spec.errors import Unavailable
from headwater.spec.outcome import Count, Named, Step
from headwater.store import ages, ledger, names
from headwater.store.database import Store
from headwater.store.names import NameCount

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

    at: int
    counts: list[Count]
    ages: list[Ages] = []
    names: list[Named] = []


_decode = msgspec.msgpack.Decoder(_Counted).decode


class Gathered(msgspec.Struct, frozen=True):
    """What some records of `outcomes` say in all. `seen` are the newest of each name, to be looked at."""

    counts: list[Count]
    newest: dict[tuple[str, str, str], tuple[int, str]]
    ages: list[Ages]
    names: list[NameCount]
    seen: list[Named]


def gather(records: Iterable[Record]) -> Gathered:
    """What is to be counted of some records of `outcomes`."""
    batches = [_decode(record.value) for record in records]
    newest: dict[tuple[str, str, str], tuple[int, str]] = {}
    seen: dict[tuple[str, str, str, bool], Named] = {}
    for batch in batches:
        for count in sorted(batch.counts, key=_events):
            key = (count.source_id, count.destination_id, count.step)
            if count.events > 0 and batch.at >= newest.get(key, (0, ""))[0]:
                newest[key] = (batch.at, count.reason)
        for name in batch.names:
            seen[name.source_id, name.type, name.name, name.overflow] = name
    return Gathered(
        [count for batch in batches for count in batch.counts],
        newest,
        [one for batch in batches for one in batch.ages],
        [
            NameCount(one.source_id, one.type, one.name, one.events, batch.at, batch.at, one.overflow)
            for batch in batches
            for one in batch.names
        ],
        list(seen.values()),
    )


def _events(count: Count) -> int:
    return count.events


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
    """The fold of the partitions that fall to this process."""

    def __init__(self, log: EventLog, store: Store) -> None:
        self._log = log
        self._store = store
        self._sampler = Sampler(log, store)
        self._seen: dict[int, list[Named]] = {}
        self._places: dict[int, int] = {}

    async def open(self, partition: int) -> None:
        """Tell the log where a partition stands, so that it keeps what is not counted."""
        self._places[partition] = await self._place(partition)
        await self._log.commit(GROUP, OUTCOMES, partition, self._places[partition])

    async def fold(self, partition: int, *, wait: float = 0.0) -> int:
        """Count what has come, and return how many records that were."""
        place = self._places[partition]
        chunk = await self._log.read(OUTCOMES, partition, place, max_records=_RECORDS, max_bytes=_BYTES, wait=wait)
        if not chunk.records:
            return 0
        found = gather(chunk.records)

        def write(connection: Connection) -> bool:
            if not ledger.advance(connection, GROUP, partition, place, chunk.next):
                return False
            ledger.add(connection, found.counts, found.newest)
            ages.add(connection, found.ages)
            names.add(connection, found.names)
            return True

        if await self._store.write(write):
            self._seen[partition] = found.seen
            self._places[partition] = chunk.next
        else:
            self._places[partition] = await self._place(partition)
        await self._log.commit(GROUP, OUTCOMES, partition, self._places[partition])
        return len(chunk.records)

    async def keep(self, partition: int, stopping: asyncio.Event) -> None:
        """Fold a partition until told to stop, in batches of about half a second, and once more at the end."""
        opened = False
        while not stopping.is_set():
            try:
                if not opened:
                    await self.open(partition)
                    opened = True
                folded = await self.fold(partition, wait=_WAIT)
                await self._sampler.look(partition, self._seen.pop(partition, ()))
            except Unavailable as away:
                await _rest(stopping, away.retry_after)
                continue
            if folded < _RECORDS:
                await _rest(stopping, _PAUSE)
        if opened:
            with suppress(Unavailable):
                await self.fold(partition)

    async def balance(self) -> Balance:
        """The balance of all that was ever counted, by whomever."""
        standing = await self._store.read(ledger.standing)
        return Balance(Count(one.source_id, one.destination_id, 0, one.step, "", one.events) for one in standing)

    async def _place(self, partition: int) -> int:
        return await self._store.read(lambda connection: ledger.cursor(connection, GROUP, partition))


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
