"""What the owner sets: pausing, credentials, settings that cannot work, switching off and removing."""

import asyncio
from pathlib import Path

import msgspec

from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Answer, Recorder


def test_a_paused_destination_keeps_its_events_until_it_is_resumed(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            hook = bench.connect(url=tool.url("/hook"))
            bench.change(hook, paused=True)
            await bench.put(10, hook)
            async with bench.delivering():
                await bench.until_committed()
                assert tool.requests == []
                assert (await bench.books())[hook] == {("matched", ""): 10, ("pending", "PAUSED"): 10}
                bench.change(hook, paused=False)
                await bench.until(lambda: bench.states() == {"delivered": 10})
            assert (await bench.books())[hook] == {("matched", ""): 10, ("delivered", ""): 10}

    asyncio.run(scenario())


def test_refused_credentials_pause_the_destination_and_keep_its_backlog(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/v1/batch", Answer(401, body=b"who are you"))
            other = bench.connect("headwater", endpoint=tool.url(""), writeKey=bench.secrets.seal("old-key"))
            await bench.put(5, other)
            async with bench.delivering():
                await bench.until(lambda: bench.destination(other).paused)
                await bench.until_committed()
                assert (await bench.books())[other] == {("matched", ""): 5, ("pending", "PAUSED"): 5}
                assert len(tool.requests) == 1
                assert "who are you" in bench.rows()[0].detail
                tool.script("/v1/batch", Answer(200))
                settings = {"endpoint": tool.url(""), "writeKey": bench.secrets.seal("new-key")}
                bench.change(other, paused=False, settings=settings)
                await bench.until(lambda: bench.states() == {"delivered": 5})
            assert tool.requests[-1].headers["authorization"] == "Basic bmV3LWtleTo="
            assert (await bench.books())[other] == {("matched", ""): 5, ("delivered", ""): 5}

    asyncio.run(scenario())


def test_settings_that_cannot_work_fail_events_without_a_request_and_can_be_mended(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        hook = bench.connect(url="not a url")
        await bench.put(3, hook)
        async with bench.delivering():
            await bench.until_committed()
        assert (await bench.books())[hook] == {("matched", ""): 3, ("failed_delivery", "INVALID_SETTINGS"): 3}
        assert "whole http or https address" in bench.rows()[0].detail

    asyncio.run(scenario())


def test_events_for_a_destination_that_is_off_or_gone_are_filtered(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        off, gone = bench.connect(url="http://127.0.0.1:1/"), bench.connect(url="http://127.0.0.1:1/")
        bench.change(off, enabled=False)
        bench.remove(gone)
        await bench.put(4, off, gone)
        async with bench.delivering():
            await bench.until_committed()
        expected = {("matched", ""): 4, ("filtered_at_destination", "UNKNOWN_INTEGRATION"): 4}
        assert await bench.books() == {off: expected, gone: expected}
        assert len((await bench.outcomes())[0].set_aside) == 8

    asyncio.run(scenario())


def test_waiting_deliveries_of_a_removed_destination_fail(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", Answer(503))
            hook = bench.connect(url=tool.url("/hook"))
            await bench.put(4, hook)
            async with bench.delivering(QUICK):
                await bench.until_committed()
                bench.remove(hook)
                await bench.until(lambda: bench.states() == {"failed": 4})
            expected = {("matched", ""): 4, ("failed_delivery", "UNKNOWN_INTEGRATION"): 4}
            assert (await bench.books())[hook] == expected

    asyncio.run(scenario())


def test_new_settings_are_used_without_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            hook = bench.connect(url=tool.url("/old"))
            await bench.put(1, hook)
            async with bench.delivering():
                await bench.until_committed()
                bench.change(hook, settings={"url": tool.url("/new")})
                number = 1
                while not tool.at("/new"):
                    await bench.put(1, hook, first=number)
                    await bench.until_committed()
                    number += 1
            assert len(tool.requests) == number

    asyncio.run(scenario())


def test_a_private_address_is_refused_for_good(tmp_path: Path) -> None:
    async def scenario() -> None:
        from headwater.spec.settings import DeliverSettings

        bench = Bench(tmp_path)
        async with Recorder() as tool:
            named = bench.connect(url=tool.url("/").replace("127.0.0.1", "localhost"))
            plain = bench.connect(url=tool.url("/"))
            await bench.put(1, named, plain)
            async with bench.delivering(DeliverSettings()):
                await bench.until_committed()
            assert tool.requests == []
            expected = {("matched", ""): 1, ("failed_delivery", "PRIVATE_ADDRESS"): 1}
            assert await bench.books() == {named: expected, plain: expected}

    asyncio.run(scenario())


def test_a_thousand_destinations_get_every_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            ids = [bench.connect(url=tool.url(f"/{number}"), batch_size=100) for number in range(1_000)]
            await bench.put(3, *ids)
            async with bench.delivering(msgspec.structs.replace(QUICK, grace_seconds=10.0)):
                await bench.until_committed(seconds=60)
            assert sum(len(request.json()) for request in tool.requests) == 3_000
            assert {request.path for request in tool.requests} == {f"/{number}" for number in range(1_000)}
            books = await bench.books()
            assert all(books[each] == {("matched", ""): 3, ("delivered", ""): 3} for each in ids)

    asyncio.run(scenario())
