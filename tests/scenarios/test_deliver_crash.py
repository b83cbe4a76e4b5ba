"""A deliver that dies before its commit: what it had parked is neither sent twice by the chunk nor counted twice."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Answer, Recorder
from headwater.contracts.shape import HouseLog
from headwater.eventlog import Append, Commit
from headwater.eventlog.streams import PROCESSED
from headwater.store import parked


class LogThatNeverCommits(HouseLog):
    """Reads and appends as usual; deliver's transactions never return, as in a process that is about to die."""

    stuck = True

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        if self.stuck and commits:
            await asyncio.Event().wait()
        return await super().transact(partition, appends, commits)


def test_the_books_are_exact_when_a_chunk_is_done_again_after_its_deliveries_were_parked(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = LogThatNeverCommits()
        bench = Bench(tmp_path, log)
        async with Recorder() as tool:
            tool.script("/ill", Answer(503))
            tool.script("/bad", Answer(400))
            ill, bad, well = (bench.connect(url=tool.url(path)) for path in ("/ill", "/bad", "/well"))
            await bench.put(20, ill, bad, well)
            patient = msgspec.structs.replace(
                QUICK, first_backoff_seconds=600.0, max_backoff_seconds=600.0, grace_seconds=60.0
            )
            async with bench.delivering(patient) as role:
                await bench.until(lambda: bench.states() == {"waiting": 20, "failed": 20})
                await tool.until(lambda: len(tool.at("/well")) == 20)
                role.cancel()
            assert await bench.outcomes() == []

            log.stuck = False
            tool.script("/ill", Answer(200))
            bench.store.run(partial(parked.release, ids=[row.id for row in bench.rows(state="waiting")], due_at=0))
            async with bench.delivering():
                await bench.until_committed()
                await bench.until(lambda: bench.states() == {"delivered": 20, "failed": 20})
            books = await bench.books()
            assert books[ill] == {("matched", ""): 20, ("delivered", ""): 20}
            assert books[bad] == {("matched", ""): 20, ("failed_delivery", "BAD_REQUEST"): 20}
            assert books[well] == {("matched", ""): 20, ("delivered", ""): 20}
            assert all(events > 0 for events in (await bench.cells()).values())
            assert len(tool.at("/bad")) == 20, "what had failed for good is not sent again by the chunk"
            assert len(tool.at("/well")) == 40, "what was only delivered is sent again: at least once"

    asyncio.run(scenario())


def test_a_delivery_that_ended_before_the_crash_is_counted_from_its_beginning(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = LogThatNeverCommits()
        bench = Bench(tmp_path, log)
        async with Recorder() as tool:
            tool.script("/slow", Answer(mischief="hang"))
            slow = bench.connect(url=tool.url("/slow"))
            await bench.put(12, slow)
            async with bench.delivering() as role:
                await bench.until(lambda: bench.states() == {"waiting": 12})
                tool.release()
                await bench.until(lambda: bench.states() == {"delivered": 12})
                role.cancel()
            log.stuck = False
            async with bench.delivering():
                await bench.until_committed()
            assert (await bench.books())[slow] == {("matched", ""): 12, ("delivered", ""): 12}
            assert all(events > 0 for events in (await bench.cells()).values())
            assert len(tool.at("/slow")) == 12

    asyncio.run(scenario())


def test_a_request_cut_off_by_a_crash_is_due_again_when_its_lease_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/slow", Answer(mischief="hang"))
            slow = bench.connect(url=tool.url("/slow"))
            await bench.put(1, slow)
            async with bench.delivering() as role:
                await bench.until_committed()
                row = bench.rows()[0]
                assert row.state == "waiting"
                assert 60_000 < row.due_at - row.parked_at <= 120_000
                role.cancel()

    asyncio.run(scenario())


def test_stopping_in_order_gives_requests_under_way_back_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/slow", Answer(mischief="hang"))
            slow = bench.connect(url=tool.url("/slow"))
            await bench.put(30, slow)
            async with bench.delivering(QUICK):
                await tool.until(lambda: len(tool.at("/slow")) == 8)
            assert await bench.log.lag("deliver", PROCESSED, 0) == 0
            assert bench.states() == {"waiting": 30}
            assert all(row.due_at - row.parked_at < 5_000 for row in bench.rows())
            tool.release()
            async with bench.delivering(QUICK):
                await bench.until(lambda: bench.states() == {"delivered": 30})
            assert (await bench.books())[slow] == {("matched", ""): 30, ("delivered", ""): 30}

    asyncio.run(scenario())
