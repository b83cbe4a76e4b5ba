"""The only writer of parked rows: gathers what is to be written, and writes it in order, a transaction at a time.

Because everything goes through one queue, the end of a delivery is written after its row, however soon it comes. A
store that is away is waited for; nothing is forgotten meanwhile, and chunks without parked deliveries go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from headwater.spec.errors import SenderError, Unavailable
from headwater.store import parked
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store
    from headwater.store.parked import Change, ParkedDelivery

_PER_TRANSACTION = 2_000


class _Order(msgspec.Struct, frozen=True):
    """One thing to write, and how many rows it is about."""

    write: Callable[[Connection], object]
    rows: int


class Backlog:
    """Orders are taken without waiting; `flushed` waits for those up to a mark. `due` is set when rows may be due."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders: list[_Order] = []
        self._given = 0
        self._written = 0
        self._wanted = asyncio.Event()
        self._progress = asyncio.Event()
        self._closing = False
        self.due = asyncio.Event()

    def park(self, deliveries: Sequence[ParkedDelivery]) -> int:
        """Have rows inserted. Returns the mark to wait for."""
        return self._order(lambda connection: parked.park(connection, deliveries), len(deliveries))

    def settle(self, changes: Sequence[Change]) -> int:
        """Have deliveries ended or put off. Returns the mark to wait for."""
        return self._order(lambda connection: parked.settle(connection, changes), len(changes))

    def release(self, ids: Sequence[str], due_at: int) -> int:
        """Give claimed deliveries back untried. Returns the mark to wait for."""
        return self._order(lambda connection: parked.release(connection, ids, due_at), len(ids))

    def pause(self, destination_id: str) -> int:
        """Have a destination paused, unless it is gone."""
        return self._order(lambda connection: _pause(connection, destination_id), 1)

    async def flushed(self, mark: int) -> None:
        """Wait until everything up to a mark is in the store."""
        while self._written < mark:
            self._progress.clear()
            await self._progress.wait()

    async def keep_writing(self) -> None:
        """Write what is ordered, until closed and everything is written."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._orders:
                await self._write_some()
            if self._closing:
                return

    def close(self) -> None:
        """Have the writing end once everything ordered is written."""
        self._closing = True
        self._wanted.set()

    def _order(self, write: Callable[[Connection], object], rows: int) -> int:
        self._orders.append(_Order(write, rows))
        self._given += 1
        self._wanted.set()
        return self._given

    async def _write_some(self) -> None:
        orders = self._take()

        def write(connection: Connection) -> None:
            for order in orders:
                order.write(connection)

        while True:
            try:
                await self._store.write(write)
                break
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
        self._written += len(orders)
        self._progress.set()
        self.due.set()

    def _take(self) -> list[_Order]:
        rows = 0
        for index, order in enumerate(self._orders):
            rows += order.rows
            if rows >= _PER_TRANSACTION:
                taken, self._orders = self._orders[: index + 1], self._orders[index + 1 :]
                return taken
        taken, self._orders = self._orders, []
        return taken


def _pause(connection: Connection, destination_id: str) -> None:
    try:
        workspaces.update_destination(connection, destination_id, paused=True)
    except SenderError:
        return
