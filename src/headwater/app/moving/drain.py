"""Letting a house that takes in nothing new finish: until every role has dealt with all that it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from headwater.app.roles import run
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import OUTCOMES
from headwater.manage.lags import lags
from headwater.manage.ledger import GROUP as LEDGER
from headwater.manage.ledger import Books
from headwater.store.schema import outbox

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.app.house import House

ROLES: Final = ("pipeline", "deliver", "warehouse", "profiles")
_LOOK_SECONDS: Final = 0.5
_QUIET_LOOKS: Final = 3
"""What is told of audiences comes back as events, so that nothing waiting once is not the end."""


async def unread(house: House) -> dict[str, int]:
    """How many records wait for each group of readers; warehouses, which may be away, have groups of their own."""
    now = time.time_ns() // 1_000_000
    found = {lag.group: lag.records for lag in await lags(house.log, (), now)}
    return found | {"calls of audiences": await house.store.read(_waiting_calls)}


async def drain(house: House, tell: Callable[[int], None]) -> None:
    """Run what works on events until nothing waits for it. `tell` hears how many records still do.

    What a destination does not take stays parked, and what a warehouse does not take stays unread by it.
    """
    stopping = asyncio.Event()
    books = Books(house.log, house.store)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(house, ROLES, stopping))
        tasks.create_task(work(house.log, LEDGER, OUTCOMES, books.keep, stopping))
        quiet = 0
        while quiet < _QUIET_LOOKS:
            await asyncio.sleep(_LOOK_SECONDS)
            waiting = sum((await unread(house)).values())
            tell(waiting)
            quiet = quiet + 1 if waiting == 0 else 0
        stopping.set()


def _waiting_calls(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one()
