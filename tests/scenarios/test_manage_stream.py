"""The live tail: what comes, where it is taken up again, and what happens to a slow reader."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from manage_house import ADMIN, ManageHouse, running

from headwater.contracts.shape import HouseLog
from headwater.eventlog import Chunk
from headwater.eventlog.streams import PROCESSED, Stream
from headwater.manage import front
from headwater.manage.feeds import Feeds
from headwater.manage.tail import BEHIND, Missed, Seen, Wanted, tail

BEARER = {"Authorization": f"Bearer {ADMIN}"}


async def read(response: aiohttp.ClientResponse, count: int) -> list[tuple[str, str, dict[str, Any]]]:
    """So many events of a stream: id, kind and content."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    async for block in _blocks(response):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
        if len(found) == count:
            break
    return found


async def _blocks(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    held = b""
    async for some in response.content.iter_any():
        held += some
        *whole, held = held.split(b"\n\n")
        for block in whole:
            yield block.decode()


def test_events_come_as_they_are_processed_and_a_reader_takes_up_where_it_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, aiohttp.ClientSession(headers=BEARER) as session:
            source = await house.source()
            await house.process(source, "before")
            url = house.url("/headwater/events/stream")
            async with session.get(url) as response:
                assert response.content_type == "text/event-stream"
                await response.content.readany()
                await house.process(source, "m1", "m2")
                first = await read(response, 1)
            assert first[0][0] == "0:1"
            assert first[0][2]["messageId"] == "m1"
            assert first[0][2]["event"]["event"] == "E"
            await house.process(source, "m3")
            async with session.get(url, headers={"Last-Event-ID": first[0][0]}) as response:
                assert [event["messageId"] for _, _, event in await read(response, 2)] == ["m2", "m3"]
            async with session.get(house.url("/headwater/events/stream?from=position")) as response:
                assert [place for place, _, _ in await read(response, 4)] == ["0:0", "0:1", "0:2", "0:3"]

    asyncio.run(scenario())


def test_a_stream_ends_when_its_reader_is_taken_the_token_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "LOOK_SECONDS", 0.0)

    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, aiohttp.ClientSession(headers=BEARER) as session:
            made = (await house.ask("POST", "/headwater/tokens", {"name": "Reader", "scopes": ["events:read"]})).data
            bearer = {"Authorization": f"Bearer {made['text']}"}
            streamed = session.get(house.url("/headwater/events/stream"), headers=bearer)
            framed = session.ws_connect(house.url("/headwater/events/socket"), headers=bearer)
            async with asyncio.timeout(20), streamed as response, framed as socket:
                await response.content.readany()
                await house.ask("DELETE", f"/headwater/tokens/{made['token']['id']}")
                await house.process(await house.source(), "a-secret-event")
                assert b"a-secret-event" not in await response.read()
                said = await socket.receive_json(loads=json.loads)
                assert said["errors"][0]["type"] == "unauthorized"
                assert (await socket.receive()).data == 1008

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("source=shop", ["m2"]),
        ("event=Order%20Completed", ["m3"]),
        ("filter=MESSAGEID%22:%22M1", []),
        ("filter=%22m3%22", ["m3"]),
        ("type=page", []),
        ("user=u", ["m1", "m2", "m3"]),
    ],
)
def test_a_reader_gets_only_what_it_asks_for(tmp_path: Path, query: str, expected: list[str]) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, aiohttp.ClientSession(headers=BEARER) as session:
            web, shop = await house.source("web"), await house.source("shop")
            await house.process(web, "m1")
            await house.process(shop, "m2")
            await house.process(web, "m3", name="Order Completed")
            async with session.get(house.url(f"/headwater/events/stream?from=position&{query}")) as response:
                found = await asyncio.wait_for(read(response, max(1, len(expected))), 10) if expected else []
                assert [event["messageId"] for _, _, event in found] == expected

    asyncio.run(scenario())


def test_several_partitions_are_taken_up_each_where_it_stood(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path, partitions=2)
        async with running(house), aiohttp.ClientSession(headers=BEARER) as session:
            source = await house.source()
            await house.process(source, "a1", "a2", partition=0)
            await house.process(source, "b1", "b2", partition=1)
            async with session.get(house.url("/headwater/events/stream?from=position")) as response:
                had = await read(response, 3)
            async with session.get(
                house.url("/headwater/events/stream"), headers={"Last-Event-ID": had[-1][0]}
            ) as response:
                rest = await read(response, 1)
            ids = [event["messageId"] for _, _, event in [*had, *rest]]
            assert sorted(ids) == ["a1", "a2", "b1", "b2"]

    asyncio.run(scenario())


def test_a_reader_that_asks_nonsense_is_told_so_before_the_stream_begins(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for query in ("source=none", "from=somewhere", "lastEventId=x"):
                refused = await house.ask("GET", f"/headwater/events/stream?{query}")
                assert refused.status == 422, query
            blind = house.token("Blind", "sources:read")
            assert (await house.ask("GET", "/headwater/events/stream", token=blind)).status == 401

    asyncio.run(scenario())


def test_the_same_events_come_over_a_websocket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, aiohttp.ClientSession() as session:
            source = await house.source()
            await house.process(source, "m1", "m2")
            url = house.url("/headwater/events/socket?from=position")
            async with session.ws_connect(url, headers=BEARER) as socket:
                assert [json.loads((await socket.receive()).data)["messageId"] for _ in range(2)] == ["m1", "m2"]
                await house.process(source, "m3")
                assert json.loads((await socket.receive()).data)["id"] == "0:2"
            async with session.ws_connect(house.url("/headwater/events/socket")) as socket:
                assert json.loads((await socket.receive()).data)["errors"][0]["type"] == "unauthorized"
                await socket.receive()
                assert socket.close_code == 1008

    asyncio.run(scenario())


def test_stopping_ends_streams_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            running(ManageHouse(tmp_path)) as house,
            aiohttp.ClientSession(headers=BEARER) as session,
            session.get(house.url("/headwater/events/stream")) as response,
        ):
            await response.content.readany()
            house.stopping.set()
            assert b"event:" not in await response.content.read()

    asyncio.run(scenario())


def test_a_reader_of_the_newest_that_is_too_slow_is_moved_on_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        stopping = asyncio.Event()
        total = BEHIND + 2_000
        await house.process("s", *(f"m{number}" for number in range(total)))
        events = Feeds().follow(house.log, Wanted(), {0: 0}, stopping)
        seen, missed = 0, 0
        async for found in events:
            match found:
                case Seen():
                    seen += 1
                    last = found.position
                case Missed():
                    missed += found.events
                case None:
                    pass
            if seen + missed == total:
                break
        await events.aclose()
        assert missed > 0
        assert last == total - 1
        house.store.close()

    asyncio.run(scenario())


def test_a_reader_that_named_its_place_misses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        total = BEHIND + 2_000
        await house.process("s", *(f"m{number}" for number in range(total)))
        events = tail(house.log, Wanted(), {0: 0}, asyncio.Event())
        places: list[int] = []
        async for found in events:
            if isinstance(found, Seen):
                places.append(found.position)
            if len(places) == total:
                break
        await events.aclose()
        assert places == list(range(total))
        house.store.close()

    asyncio.run(scenario())


def test_a_reader_who_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            await house.process(source, *(f"m{number}" for number in range(4_000)), name="x" * 2_000)
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1_024)
            writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
            path = "/headwater/events/stream?from=position"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\r\n".encode())
            async with (
                aiohttp.ClientSession(headers=BEARER) as session,
                session.get(house.url("/headwater/events/stream?from=position")) as response,
            ):
                assert len(await read(response, 4_000)) == 4_000
            assert (await house.ask("GET", "/")).status == 200
            _, end = await house.log.bounds(PROCESSED, 0)
            assert end == 4_000
            writer.close()
            del reader

    asyncio.run(scenario())


def test_readers_of_the_newest_share_one_reading_of_the_log(tmp_path: Path) -> None:
    class Counting(HouseLog):
        reads = 0

        async def read(self, stream: Stream, partition: int, position: int, **how: Any) -> Chunk:
            chunk = await super().read(stream, partition, position, **how)
            self.reads += bool(chunk.records)
            return chunk

    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        house.log = log = Counting()
        feeds, stopping = Feeds(), asyncio.Event()
        readers = [feeds.follow(log, Wanted(), {0: 0}, stopping) for _ in range(20)]
        first = [asyncio.ensure_future(anext(reader)) for reader in readers]
        await asyncio.sleep(0)
        await house.process("s", "m1", "m2")
        assert [seen.position for seen in await asyncio.gather(*first) if isinstance(seen, Seen)] == [0] * 20
        rest = await asyncio.gather(*(anext(reader) for reader in readers))
        assert [seen.position for seen in rest if isinstance(seen, Seen)] == [1] * 20
        assert log.reads == 1
        late = feeds.follow(log, Wanted(), {0: 1}, stopping)
        assert [seen.position for seen in [await anext(late)] if isinstance(seen, Seen)] == [1]
        for reader in [*readers, late]:
            await reader.aclose()
        house.store.close()

    asyncio.run(scenario())


def test_a_sample_is_of_the_newest_and_what_is_passed_over_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        await house.process("s", *(f"m{number}" for number in range(20_000)))
        events = Feeds().follow(house.log, Wanted(), {0: 0}, asyncio.Event(), sample=50)
        seen, missed, last = 0, 0, 0
        async for found in events:
            match found:
                case Seen():
                    seen += 1
                    last = found.position
                case Missed():
                    missed += found.events
                case None:
                    if seen + missed == 20_000:
                        break
        await events.aclose()
        assert 50 <= seen < 500
        assert last == 19_999
        house.store.close()

    asyncio.run(scenario())


def test_a_sampled_reader_gets_everything_while_that_is_little(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, aiohttp.ClientSession(headers=BEARER) as session:
            source = await house.source()
            async with session.get(house.url("/headwater/events/stream?sample=50")) as response:
                await response.content.readany()
                await house.process(source, "m1", "m2")
                assert [event["messageId"] for _, _, event in await read(response, 2)] == ["m1", "m2"]
            assert (await house.ask("GET", "/headwater/events/stream?sample=-1")).status == 422

    asyncio.run(scenario())
