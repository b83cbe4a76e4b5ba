"""Leases: what only one process of all may do at a time (docs/design/0025).

A lease is a row with a name, a holder and a moment. All moments are of the database's clock, so that it does not matter
how the clocks of machines differ. A process that dies gives up what it holds when the time is over, one that stops at
once. A holder that cannot renew stops its work before others may begin: it counts the time from before it asked, on a
clock that nobody sets.

What a lease cannot do is to hold back a process that was stopped in the middle of a step and goes on later. Whatever
must not happen twice even then has its own fence, where it is written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.errors import Unavailable
from headwater.store.schema import leases
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store.database import Store

SECONDS: Final = 15.0
"""How long a lease lasts: so long after its holder died nobody does its work."""

_CLOCKS: Final = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
_LOOK_SECONDS: Final = 3.0
_log = logging.getLogger("headwater.store")

Job = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Works until it is told to stop, or has nothing more to do. It is cancelled when its lease is lost."""


def clock(connection: Connection) -> int:
    """This instant as the database has it, in milliseconds since 1970.

    It is asked for by itself: relatives of PostgreSQL let no clock into statements that change what is spread out.
    """
    return int(connection.exec_driver_sql(f"SELECT {_CLOCKS[connection.dialect.name]}").scalar_one())


def claim(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or take it anew. False, and nothing done, while another holder has it."""
    now = clock(connection)
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(leases)
    taken = insert.values(name=name, holder=holder, held_until=now + int(seconds * 1000))
    free = sa.or_(leases.c.held_until <= now, leases.c.holder == holder)
    statement = taken.on_conflict_do_update(
        index_elements=("name",),
        set_={"holder": taken.excluded.holder, "held_until": taken.excluded.held_until},
        where=free,
    )
    return connection.execute(statement.returning(leases.c.holder)).first() is not None


def renew(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Have a lease last so long from now. False when another has taken it, or it was released."""
    mine = leases.update().where(leases.c.name == name, leases.c.holder == holder)
    return connection.execute(mine.values(held_until=clock(connection) + int(seconds * 1000))).rowcount > 0


def left(connection: Connection, name: str) -> int:
    """How many seconds a lease lasts from now, rounded up; 0 for one that nobody holds."""
    until = connection.execute(sa.select(leases.c.held_until).where(leases.c.name == name)).scalar()
    return 0 if until is None else max(0, -((clock(connection) - until) // 1_000))


def release(connection: Connection, name: str, holder: str) -> None:
    """Give a lease back, if it is still the holder's."""
    connection.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))


async def while_held(
    store: Store, name: str, job: Job, stopping: asyncio.Event, *, seconds: float = SECONDS, look: float = _LOOK_SECONDS
) -> None:
    """Run a job whenever this process holds a lease, until told to stop or the job ends by itself.

    While another process holds it, it is asked for every `look` seconds. A store of one house alone has no others.
    """
    if not store.shared:
        await job(stopping)
        return
    while not stopping.is_set():
        with suppress(Unavailable):
            if await held(store, name, job, stopping, seconds=seconds):
                return
        await _rest(stopping, look)


async def held(store: Store, name: str, job: Job, stopping: asyncio.Event, *, seconds: float = SECONDS) -> bool:
    """Run a job under a lease, if it is free. Returns whether the job came to its end by itself, or the house stops.

    The lease is renewed at a third of its time. When that fails until two thirds of it are over, the job is told to
    stop, and is cancelled shortly before another may begin.
    """
    if not store.shared:
        await job(stopping)
        return True
    lease = _Lease(store, name, seconds)
    if not await lease.claim():
        return False
    leaving = asyncio.Event()
    working = asyncio.create_task(job(leaving), name=f"leased-{name}")
    watching = asyncio.create_task(lease.keep(stopping, leaving), name=f"lease-{name}")
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            _log.warning("The lease %s was lost; what is done under it stops here.", name)
            leaving.set()
            working.cancel()
            await asyncio.wait({working})
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
        await lease.release()
    if not working.cancelled():
        working.result()
    return stopping.is_set() or not leaving.is_set()


class _Lease:
    """A lease that this process takes and keeps. `until` is an instant of the monotonic clock."""

    def __init__(self, store: Store, name: str, seconds: float) -> None:
        self._store = store
        self._name = name
        self._seconds = seconds
        self._holder = new_id()
        self.until = 0.0

    async def claim(self) -> bool:
        return await self._ask(claim)

    async def keep(self, stopping: asyncio.Event, leaving: asyncio.Event) -> None:
        """Renew until the lease is lost; hand on that it is time to stop."""
        passing = asyncio.create_task(_pass_on(stopping, leaving))
        try:
            renewed = True
            while (left := self.until - time.monotonic() - self._seconds / 10) > 0:
                await asyncio.sleep(min(left, self._seconds / (3 if renewed else 15)))
                renewed = False
                with suppress(Unavailable, TimeoutError):
                    async with asyncio.timeout(max(self.until - time.monotonic() - self._seconds / 10, 0)):
                        if not await self._ask(renew):
                            return
                    renewed = True
                if self.until - time.monotonic() < self._seconds / 3:
                    leaving.set()
        finally:
            passing.cancel()

    async def release(self) -> None:
        with suppress(Unavailable):  # then it ends by itself
            await self._store.write(partial(release, name=self._name, holder=self._holder))

    async def _ask(self, verb: Callable[[Connection, str, str, float], bool]) -> bool:
        asked = time.monotonic()
        given = await self._store.write(lambda here: verb(here, self._name, self._holder, self._seconds))
        if given:
            self.until = asked + self._seconds
        return given


async def _pass_on(stopping: asyncio.Event, leaving: asyncio.Event) -> None:
    await stopping.wait()
    leaving.set()


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
