"""What the store promises where only one process of several may act."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Final

from headwater.contracts.store.attempts import THREADS, Promise, adding_to, at_once
from headwater.store import Store, leases, ledger
from headwater.store.schema import leases as rows

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

OF_LEASES: Final[list[Promise]] = []
_promise = adding_to(OF_LEASES)


def _claim(store: Store, holder: str) -> bool:
    return store.run(partial(leases.claim, name="x", holder=holder, seconds=60))


def _end(connection: Connection) -> None:
    """As if its time were over."""
    connection.execute(rows.update().values(held_until=leases.clock(connection)))


@_promise
def of_many_who_claim_a_lease_at_once_one_has_it(store: Store) -> None:
    """Also when it has never been there, and when its time is over."""
    for _ in range(2):
        names = itertools.count()
        assert sum(at_once(lambda names=names: _claim(store, f"h{next(names)}"), THREADS)) == 1
        store.run(_end)


@_promise
def a_lease_is_its_holders_until_its_time_is_over(store: Store) -> None:
    """It is renewed by its holder alone, and who lost it neither renews nor releases it."""
    assert _claim(store, "a")
    assert _claim(store, "a")
    assert not _claim(store, "b")
    assert store.run(partial(leases.renew, name="x", holder="a", seconds=60))
    assert not store.run(partial(leases.renew, name="x", holder="b", seconds=60))
    store.run(_end)
    assert _claim(store, "b")
    assert not store.run(partial(leases.renew, name="x", holder="a", seconds=60))
    store.run(partial(leases.release, name="x", holder="a"))
    assert not _claim(store, "a")
    store.run(partial(leases.release, name="x", holder="b"))
    assert _claim(store, "a")


@_promise
def what_is_done_under_a_lease_is_done_by_one_at_a_time(store: Store) -> None:
    """Whoever comes second waits, and has its turn when the first one is through."""
    store.shared = True
    order: list[str] = []

    async def work() -> None:
        begun, stopping = asyncio.Event(), asyncio.Event()

        async def job(leaving: asyncio.Event, name: str) -> None:
            order.append(f"{name} begins")
            begun.set()
            if name == "a":
                assert not await leases.held(store, "y", partial(job, name="nobody"), stopping)
                await leaving.wait()
            order.append(f"{name} ends")

        first = asyncio.Event()
        one = asyncio.create_task(leases.while_held(store, "y", partial(job, name="a"), first, look=0.01))
        await begun.wait()
        other = asyncio.create_task(leases.while_held(store, "y", partial(job, name="b"), stopping, look=0.01))
        first.set()
        await asyncio.gather(one, other)

    asyncio.run(work())
    assert order == ["a begins", "a ends", "b begins", "b ends"]


@_promise
def who_lost_a_lease_is_cut_off_from_its_work(store: Store) -> None:
    """The job is cancelled when another has the lease, and begun again when that one gives it back."""
    store.shared = True
    ended: list[str] = []

    async def work() -> None:
        begun, stopping = asyncio.Event(), asyncio.Event()

        async def job(_: asyncio.Event) -> None:
            begun.set()
            if ended:
                return
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cut off")

        running = asyncio.create_task(leases.while_held(store, "x", job, stopping, seconds=0.6, look=0.01))
        await begun.wait()
        begun.clear()
        store.run(lambda connection: connection.execute(rows.update().values(holder="thief")))
        await running
        assert begun.is_set()

    asyncio.run(work())
    assert ended == ["cut off"]


@_promise
def an_epoch_that_is_over_lets_nobody_write(store: Store) -> None:
    """Each worker of a partition has an epoch of its own, and only the newest stands."""
    took = sorted(at_once(lambda: store.run(partial(ledger.next_epoch, name="e", partition=3)), THREADS))
    assert took == list(range(1, THREADS + 1))
    assert store.run(partial(ledger.next_epoch, name="e", partition=4)) == 1
    assert store.run(partial(ledger.epochs, name="e", partitions=[3, 4, 5])) == {3: THREADS, 4: 1}
