"""The books: every outcome counted exactly once, whatever is read twice."""

import asyncio
from pathlib import Path

from manage_house import NOW, ManageHouse, running

from headwater.eventlog.streams import OUTCOMES
from headwater.manage.ledger import GROUP, Books
from headwater.spec.outcome import Count, Step
from headwater.store import ledger

MINUTE = NOW // 60_000


def chunk(events: int, duplicates: int = 0) -> list[Count]:
    return [
        Count("s", "", MINUTE, Step.RECEIVED, "", events),
        Count("s", "", MINUTE, Step.DUPLICATE, "duplicate", duplicates),
        Count("s", "", MINUTE, Step.PROCESSED, "", events - duplicates),
    ]


def sums(house: ManageHouse) -> dict[str, int]:
    return {count.step: count.events for count in house.store.run(ledger.totals)}


def test_outcomes_that_are_read_again_are_counted_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        for _ in range(3):
            await house.outcome("pipeline", chunk(10, 1))
        books = Books(house.log, house.store)
        await books.open(0)
        assert await books.fold(0) == 3
        await house.log.commit(GROUP, OUTCOMES, 0, 0)  # the log forgot how far the books were
        again = Books(house.log, house.store)
        await again.open(0)
        assert await again.fold(0) == 0
        assert sums(house) == {"received": 30, "duplicate": 3, "processed": 27}
        assert await house.log.committed(GROUP, OUTCOMES, 0) == 3
        assert (await again.balance()).events() == 0
        house.store.close()

    asyncio.run(scenario())


def test_two_processes_that_fold_the_same_outcomes_count_them_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        one, other = Books(house.log, house.store), Books(house.log, house.store)
        await one.open(0)
        await other.open(0)
        for _ in range(5):
            await house.outcome("pipeline", chunk(10))
            await asyncio.gather(one.fold(0), other.fold(0))
        await asyncio.gather(one.fold(0), other.fold(0))
        assert sums(house) == {"received": 50, "processed": 50}
        assert (await one.balance()).events() == (await other.balance()).events() == 0
        house.store.close()

    asyncio.run(scenario())


def test_a_fold_whose_store_fails_counts_nothing_and_goes_on_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        books = Books(house.log, house.store)
        await books.open(0)
        await house.outcome("pipeline", chunk(10))
        house.store.run(lambda connection: connection.exec_driver_sql("ALTER TABLE ledger RENAME TO elsewhere"))
        try:
            await books.fold(0)
        except Exception as error:
            assert "ledger" in str(error)
        house.store.run(lambda connection: connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO ledger"))
        assert await books.fold(0) == 1
        assert sums(house) == {"received": 10, "processed": 10}
        house.store.close()

    asyncio.run(scenario())


def test_the_books_are_shown_with_their_reasons_and_their_balance(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.outcome("pipeline", chunk(10, 2))
            await house.outcome("deliver", [Count("s", "d", MINUTE, Step.MATCHED, "", 8)])
            path = "/headwater/ledger?startTime=2001-01-01&endTime=2100-01-01"
            while len((shown := (await house.ask("GET", path)).data)["accounts"]) < 2:
                await asyncio.sleep(0.02)
            source, destination = shown["accounts"]
            assert source["steps"] == {"received": 10, "duplicate": 2, "processed": 8}
            assert (source["balanced"], source["open"]) == (True, 0)
            assert source["reasons"][0]["reason"] == "duplicate"
            assert (destination["balanced"], destination["open"], shown["balanced"]) == (False, 8, False)
            await house.outcome("deliver", [Count("s", "d", MINUTE, Step.DELIVERED, "", 8)])
            while not (await house.ask("GET", f"{path}&destinationId=d")).data["balanced"]:
                await asyncio.sleep(0.02)
            assert (await house.ask("GET", "/headwater/ledger?endTime=2001-01-01")).data["accounts"] == []
            assert (await house.ask("GET", "/headwater/ledger?startTime=soon")).status == 422

    asyncio.run(scenario())


def test_what_is_not_counted_yet_holds_back_the_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.outcome("pipeline", chunk(1))
            while await house.log.committed(GROUP, OUTCOMES, 0) < 1:
                await asyncio.sleep(0.02)
            assert sums(house) == {"received": 1, "processed": 1}

    asyncio.run(scenario())
