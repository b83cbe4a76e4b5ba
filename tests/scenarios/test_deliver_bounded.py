"""However many deliveries wait, the store is written in small transactions, and the books balance after each."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from headwater.contracts.delivering import Bench
from headwater.deliver.backlog import EPOCHS, PER_TRANSACTION, Backlog
from headwater.spec.outcome import Count, Step
from headwater.store import Store, backlogs, ledger, parked, redriving
from headwater.store.parked import STEPS, Change, ParkedDelivery, delivery_id

MINUTE = 60_000
START = 28_000_000 * MINUTE
ROWS = 5_000
T = TypeVar("T")


class WatchedStore(Store):
    """A store that looks, before each writing transaction ends, where rows stand and whether the books say the same."""

    seen: list[Counter[str]]

    def run(self, change: Callable[[Connection], T], *, write: bool = True, awaited: bool = False) -> T:
        if not write:
            return super().run(change, write=False)

        def watched(connection: Connection) -> T:
            answer = change(connection)
            rows = Counter({state: events for _, state, _, events in redriving.counts(connection)})
            books: Counter[str] = Counter()
            for count in ledger.totals(connection):
                books[count.step] += count.events
            assert {STEPS[state]: events for state, events in rows.items()} == {s: n for s, n in books.items() if n}
            self.seen.append(rows)
            return answer

        return super().run(watched, awaited=awaited)


def watched(bench: Bench) -> WatchedStore:
    store = WatchedStore(bench.store.url)
    store.seen = []
    return store


def row(number: int, destination_id: str) -> Any:
    return ParkedDelivery(
        id=delivery_id(destination_id, 0, number),
        destination_id=destination_id,
        source_id="s1",
        partition=0,
        position=number - ROWS,
        message_id=f"m{number}",
        event_type="track",
        event_name="A",
        received_at=START,
        payload=b"{}",
        state="waiting",
        reason="RETRY",
        counted_at=START + number % 3 * MINUTE,
        parked_reason="RETRY",
        detail="it said no" if number % 2 else "",
        attempts=0,
        notes=[],
        parked_at=START,
        due_at=START,
        expires_at=START * 2,
    )


def count_pending(connection: Connection, rows: list[ParkedDelivery]) -> None:
    """What the chunk that the rows came in counts of them."""
    minutes = Counter((each.destination_id, each.counted_at // MINUTE) for each in rows)
    ledger.add(connection, [Count("s1", to, at, Step.PENDING, "RETRY", events) for (to, at), events in minutes.items()])


def test_what_waits_for_a_destination_that_is_gone_is_given_up_bit_by_bit(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        rows = [row(number, "gone") for number in range(ROWS)]
        bench.store.run(partial(parked.park, deliveries=rows))
        bench.store.run(partial(count_pending, rows=rows))
        bench.store = store = watched(bench)
        async with bench.delivering():
            await bench.until(lambda: "gone" not in store.run(backlogs.first_due, write=False))
        given_up = sorted({rows["failed"] for rows in store.seen})
        assert given_up[-1] == ROWS
        steps = [after - before for before, after in zip([0, *given_up], given_up, strict=False)]
        assert max(steps) == PER_TRANSACTION
        assert len([step for step in steps if step]) == ROWS // PER_TRANSACTION
        assert {each.detail for each in bench.rows()} == {"The destination was removed or switched off."}

    asyncio.run(scenario())


def test_a_flood_is_parked_and_settled_bit_by_bit_and_a_trickle_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        rows = [row(number, "ill") for number in range(4 * PER_TRANSACTION)]
        bench.store.run(partial(count_pending, rows=rows))
        store = WatchedStoreOfCounts(bench.store.url)
        backlog = Backlog(store)
        writing = asyncio.create_task(backlog.keep_writing())
        epoch = bench.store.run(partial(ledger.next_epoch, name=EPOCHS, partition=0))
        await backlog.flushed(backlog.park(rows, epoch=epoch))
        assert store.sizes == [PER_TRANSACTION] * 4
        mark = 0
        for each in rows[: PER_TRANSACTION // 2]:
            mark = backlog.settle([Change(id=each.id, state="delivered", reason="", at=START)])
            await asyncio.sleep(0)
        await backlog.flushed(mark)
        assert len(store.sizes) < 4 + PER_TRANSACTION // 20, "orders that follow one another share transactions"
        backlog.close()
        await writing

    asyncio.run(scenario())


class WatchedStoreOfCounts(Store):
    """A store that remembers what its writing transactions returned."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sizes: list[Any] = []

    def run(self, change: Callable[[Connection], T], *, write: bool = True, awaited: bool = False) -> T:
        answer = super().run(change, write=write, awaited=awaited)
        if write:
            self.sizes.append(answer)
        return answer


def test_what_many_destinations_are_due_comes_back_bit_by_bit(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        ids = [bench.connect(url="http://127.0.0.1:1/") for _ in range(20)]
        rows = [row(number, ids[number % 20]) for number in range(2 * PER_TRANSACTION)]
        bench.store.run(partial(parked.park, deliveries=rows))
        bench.store.run(partial(count_pending, rows=rows))
        bench.store = store = WatchedStoreOfCounts(bench.store.url)
        async with bench.delivering():
            await bench.until(lambda: all(each.attempts for each in bench.rows()))
        claims = [sum(map(len, answer.values())) for answer in store.sizes if isinstance(answer, dict)]
        assert max(claims) == PER_TRANSACTION

    asyncio.run(scenario())
