"""Deliver as a whole: events of the log reach destinations, once each, and the books say so."""

import asyncio
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec

from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Answer, Recorder
from headwater.store import redriving


def test_each_event_is_delivered_once_and_the_store_stays_untouched(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            one, two = bench.connect(url=tool.url("/one")), bench.connect(url=tool.url("/two"))
            sent = await bench.put(50, one, two)
            async with bench.delivering():
                await bench.until_committed()
            for path in ("/one", "/two"):
                assert sorted(request.json()["messageId"] for request in tool.at(path)) == sorted(sent)
            assert bench.rows() == []
            books = await bench.books()
            assert books[one] == books[two] == {("matched", ""): 50, ("delivered", ""): 50}

    asyncio.run(scenario())


def test_a_destination_with_batches_gets_arrays(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            bench_id = bench.connect(url=tool.url("/batch"), batch_size=40)
            sent = await bench.put(100, bench_id)
            async with bench.delivering():
                await bench.until_committed()
            bodies = [request.json() for request in tool.at("/batch")]
            assert sorted(event["messageId"] for body in bodies for event in body) == sorted(sent)
            assert [len(body) for body in bodies] == [40, 40, 20]
            assert (await bench.books())[bench_id] == {("matched", ""): 100, ("delivered", ""): 100}

    asyncio.run(scenario())


def test_a_failing_delivery_is_parked_and_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", Answer(503), Answer(503), Answer(500), Answer(200))
            hook = bench.connect(url=tool.url("/hook"))
            await bench.put(3, hook)
            async with bench.delivering():
                await bench.until_committed()
                await bench.until(lambda: bench.states() == {"delivered": 3})
            assert {request.json()["messageId"] for request in tool.at("/hook")} == {"m0", "m1", "m2"}
            assert len(tool.at("/hook")) == 6
            assert (await bench.books())[hook] == {("matched", ""): 3, ("delivered", ""): 3}
            assert {len(row.notes) for row in bench.rows()} == {2}
            assert all(row.payload == b"" for row in bench.rows())

    asyncio.run(scenario())


def test_what_waits_for_a_destination_is_tried_again_as_soon_as_that_is_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        years = msgspec.structs.replace(QUICK, first_backoff_seconds=1e9, max_backoff_seconds=1e9)
        async with Recorder() as tool:
            tool.script("/wrong", Answer(503))
            hook, other = bench.connect(url=tool.url("/wrong")), bench.connect(url=tool.url("/wrong"))
            await bench.put(3, hook, other)
            async with bench.delivering(years):
                await bench.until(lambda: [row.attempts for row in bench.rows()] == [1] * 6)
                bench.change(hook, settings={"url": tool.url("/right")})
                await bench.until(lambda: bench.states() == {"delivered": 3, "waiting": 3})
            assert {request.json()["messageId"] for request in tool.at("/right")} == {"m0", "m1", "m2"}
            assert len(tool.at("/right")) == 3
            assert {row.destination_id for row in bench.rows(state="waiting")} == {other}
            assert (await bench.books())[hook] == {("matched", ""): 3, ("delivered", ""): 3}

    asyncio.run(scenario())


def test_what_the_destination_refuses_for_good_is_kept_and_can_be_sent_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", Answer(400, body=b"no such field"))
            hook = bench.connect(url=tool.url("/hook"))
            await bench.put(2, hook)
            chosen = redriving.Filter(destination_id=hook, reason="BAD_REQUEST")
            async with bench.delivering():
                await bench.until_committed()
                assert bench.states() == {"failed": 2}
                assert (await bench.books())[hook] == {("matched", ""): 2, ("failed_delivery", "BAD_REQUEST"): 2}
                assert bench.rows()[0].detail == "400: no such field"
                tool.script("/hook", Answer(200))

                def redrive(dry_run: bool) -> int:
                    at = bench.rows()[0].parked_at
                    again = partial(redriving.redrive, chosen=chosen, now=at, horizon_ms=60_000, dry_run=dry_run)
                    return bench.store.run(again)

                assert redrive(dry_run=True) == 2
                assert bench.states() == {"failed": 2}
                assert redrive(dry_run=False) == 2
                await bench.until(lambda: bench.states() == {"delivered": 2})
            assert (await bench.books())[hook] == {("matched", ""): 2, ("delivered", ""): 2}
            assert [row.attempts for row in bench.rows()] == [2, 2]

    asyncio.run(scenario())


def test_retries_end_at_the_horizon(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", Answer(503, body=b"down for maintenance"))
            hook = bench.connect(url=tool.url("/hook"), horizon_hours=0.2 / 3600)
            await bench.put(1, hook)
            async with bench.delivering():
                await bench.until(lambda: bench.states() == {"failed": 1})
            row = bench.rows()[0]
            assert row.reason == "EXPIRED"
            assert "503: down for maintenance" in row.detail
            assert row.attempts == len(tool.at("/hook")) > 1
            assert (await bench.books())[hook] == {("matched", ""): 1, ("failed_delivery", "EXPIRED"): 1}

    asyncio.run(scenario())


def test_a_destination_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/stuck", Answer(mischief="hang"))
            stuck, well = bench.connect(url=tool.url("/stuck")), bench.connect(url=tool.url("/well"))
            await bench.put(500, stuck, well)
            async with bench.delivering(settings=QUICK):
                await bench.until_committed()
                assert len(tool.at("/well")) == 500
                assert len(tool.at("/stuck")) == 8
                assert bench.states() == {"waiting": 500}
                tool.release()
                await bench.until(lambda: bench.states() == {"delivered": 500})
            assert len(tool.at("/stuck")) == 500
            assert (await bench.books())[stuck] == {("matched", ""): 500, ("delivered", ""): 500}
            assert (await bench.books())[well] == {("matched", ""): 500, ("delivered", ""): 500}

    asyncio.run(scenario())


def test_chunks_that_one_destination_holds_up_make_way_together(tmp_path: Path) -> None:
    patient = msgspec.structs.replace(QUICK, chunk_events=1, grace_seconds=0.4)

    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/stuck", Answer(mischief="hang"))
            stuck = bench.connect(url=tool.url("/stuck"))
            await bench.put(12, stuck)
            async with bench.delivering(patient):
                await bench.until_committed()
            moments = sorted(row.parked_at for row in bench.rows())
            assert len(moments) == 12
            pauses = [later - earlier for earlier, later in pairwise(moments)]
            assert sum(pause > 50 for pause in pauses) < 4, pauses

    asyncio.run(scenario())
