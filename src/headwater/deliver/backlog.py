"""The only writer of parked rows: gathers what is to be written, and writes it many rows at a time.

What is gathered while a transaction runs is written by the next: first new rows, then what became of rows. So the end
of a delivery is written after its row, however soon it comes. A store that is away is waited for; nothing is forgotten
meanwhile, and chunks without parked deliveries go on.

A row is inserted only while the epoch stands in which its chunk was read (`Walk.begin` takes the next one): a worker
that was cut off must not add rows to a partition that another has taken over, and whose chunks that one counts. Its
claims of rows end by themselves (`store/parked.py`).

The store is shared with everybody else, and its writers come one after the other. So orders that come soon after others
wait a moment for more, no transaction holds more than PER_TRANSACTION rows, and after each the backlog rests for as
long as it took. When the house stops nothing waits any more.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from headwater.spec.errors import SenderError, Unavailable
from headwater.store import ledger, parked
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store
    from headwater.store.parked import Change, ParkedDelivery

PER_TRANSACTION = 250
"""Rows that one transaction may write: some ten milliseconds."""

EPOCHS = "deliver-epochs"
"""What the epochs of partitions are called. Each worker that takes one over begins the next."""

_GATHER_SECONDS = 0.5
_LONGEST_REST = 0.1
T = TypeVar("T")


class _Orders(msgspec.Struct):
    """What was gathered and not yet written. `parks` come with the epochs that they belong to."""

    parks: list[tuple[ParkedDelivery, int]] = []
    changes: list[Change] = []
    releases: list[tuple[Sequence[ParkedDelivery], int]] = []
    pauses: list[str] = []


class Backlog:
    """Orders are taken without waiting; `flushed` waits for those up to a mark. `due` is set when rows may be due."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders = _Orders()
        self._given = 0
        self._written = 0
        self._wanted = asyncio.Event()
        self._progress = asyncio.Event()
        self._hurry = asyncio.Event()
        self._wrote = 0.0
        self._closing = False
        self._over: set[tuple[int, int]] = set()
        self.due = asyncio.Event()

    def park(self, deliveries: Sequence[ParkedDelivery], *, epoch: int) -> int:
        """Have rows of a partition inserted, if its epoch stands by then. Returns the mark to wait for."""
        self._orders.parks += [(each, epoch) for each in deliveries]
        return self._mark()

    def settle(self, changes: Sequence[Change]) -> int:
        """Have deliveries ended or put off. Returns the mark to wait for."""
        self._orders.changes += changes
        return self._mark()

    def release(self, rows: Sequence[ParkedDelivery], due_at: int) -> int:
        """Give claimed deliveries back untried, as far as nobody has claimed them since. Returns the mark."""
        self._orders.releases.append((rows, due_at))
        return self._mark()

    def pause(self, destination_id: str) -> int:
        """Have a destination paused, unless it is gone. Returns the mark to wait for."""
        self._orders.pauses.append(destination_id)
        return self._mark()

    def over(self, partition: int, epoch: int) -> bool:
        """Was a row left out because another worker has begun a later epoch? Then its chunk must not be committed."""
        return (partition, epoch) in self._over

    async def flushed(self, mark: int) -> None:
        """Wait until everything up to a mark is in the store."""
        while self._written < mark:
            self._progress.clear()
            await self._progress.wait()

    async def keep_writing(self) -> None:
        """Write what is ordered, until closed and everything is written."""
        while not self._closing or self._written < self._given:
            await self._wanted.wait()
            await self._gather()
            if not self._closing:
                self._wanted.clear()
            mark, orders = self._given, self._orders
            self._orders = _Orders()
            self._wrote = time.monotonic()
            await self._write(orders)
            self._written = mark
            self._progress.set()
            self.due.set()

    def close(self) -> None:
        """Have the writing end once everything ordered is written."""
        self._closing = True
        self._wanted.set()
        self._hurry.set()

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run one bounded transaction, and rest for as long as it took, so that others have their turn at the store.

        Raises Unavailable when the store is away.
        """
        started = time.monotonic()
        answer = await self._store.write(change)
        if not self._closing:
            await asyncio.sleep(min(time.monotonic() - started, _LONGEST_REST))
        return answer

    def _mark(self) -> int:
        self._given += 1
        self._wanted.set()
        if len(self._orders.parks) + len(self._orders.changes) >= PER_TRANSACTION:
            self._hurry.set()
        return self._given

    async def _gather(self) -> None:
        """Let orders come together: until there are enough for a transaction, or the last writing is a while ago."""
        left = self._wrote + _GATHER_SECONDS - time.monotonic()
        if left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()
        if not self._closing:
            self._hurry.clear()

    async def _write(self, orders: _Orders) -> None:
        if len(orders.parks) + len(orders.changes) <= PER_TRANSACTION:
            await self._patiently(partial(_write_together, orders=orders, over=self._over))
            return
        for start in range(0, len(orders.parks), PER_TRANSACTION):
            await self._patiently(partial(_park, orders=orders.parks[start : start + PER_TRANSACTION], over=self._over))
        for start in range(0, len(orders.changes), PER_TRANSACTION):
            await self._patiently(partial(parked.settle, changes=orders.changes[start : start + PER_TRANSACTION]))
        if orders.releases or orders.pauses:
            await self._patiently(partial(_release_and_pause, orders=orders))

    async def _patiently(self, write: Callable[[Connection], object]) -> None:
        while True:
            try:
                await self.write(write)
                return
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)


def _write_together(connection: Connection, orders: _Orders, over: set[tuple[int, int]]) -> None:
    """Write what is little in one transaction: each has the disk to wait for."""
    if orders.parks:
        _park(connection, orders.parks, over)
    if orders.changes:
        parked.settle(connection, orders.changes)
    _release_and_pause(connection, orders)


def _park(connection: Connection, orders: Sequence[tuple[ParkedDelivery, int]], over: set[tuple[int, int]]) -> int:
    """Insert rows, but for those whose epoch is over, which goes to `over`: another worker makes out its own."""
    standing = ledger.epochs(connection, EPOCHS, {delivery.partition for delivery, _ in orders})
    over |= {(each.partition, epoch) for each, epoch in orders if standing.get(each.partition) != epoch}
    return parked.park(connection, [each for each, epoch in orders if (each.partition, epoch) not in over])


def _release_and_pause(connection: Connection, orders: _Orders) -> None:
    for rows, due_at in orders.releases:
        claims: defaultdict[int, list[str]] = defaultdict(list)
        for row in rows:
            claims[row.due_at].append(row.id)
        for claimed, ids in claims.items():
            parked.release(connection, ids, due_at, claimed=claimed)
    for destination_id in orders.pauses:
        try:
            workspaces.update_destination(connection, destination_id, paused=True)
        except SenderError:
            continue
