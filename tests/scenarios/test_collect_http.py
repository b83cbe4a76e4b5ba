"""The tracking API over real HTTP: what clients and proxies do to a server."""

import asyncio
import gzip
import json
import socket
from pathlib import Path

import pytest
from collect_house import EVENT, KEY, GatedLog, collect_house, head, read_answer

from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.spec.errors import SetupError
from headwater.store import workspace as workspaces


def test_a_call_is_in_the_log_when_it_is_answered(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path, SqliteLog(tmp_path / "log")) as house:
            answer = await house.send("/v1/track", user_agent="curl/8")
            assert (answer.status, answer.json) == (200, {"success": True})
            assert answer.headers["content-type"] == "application/json"
            ((header, value),) = await house.kept()
            assert (header.kind, header.write_key, header.ip, header.user_agent) == (
                "track",
                KEY,
                "127.0.0.1",
                "curl/8",
            )
            assert header.source_id == house.snapshot.current.sources[0].id
            assert value == EVENT

    asyncio.run(run())


def test_nothing_is_answered_before_the_append_has_returned(tmp_path: Path) -> None:
    async def run() -> None:
        log = GatedLog()
        async with collect_house(tmp_path, log) as house:
            log.flowing.clear()
            reader, writer = await house.connect()
            writer.write(head("/v1/track", f"Content-Length: {len(EVENT)}") + EVENT)
            await log.asked.wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
            log.flowing.set()
            assert (await read_answer(reader))[0] == 200
            writer.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "", "x"]
)
def test_the_content_type_does_not_matter(tmp_path: Path, content_type: str) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            assert (await house.send("/v1/track", content_type=content_type)).status == 200

    asyncio.run(run())


def test_kotlin_sends_gzip_in_chunks_as_text_with_the_key_in_the_body(tmp_path: Path) -> None:
    async def run() -> None:
        body = json.dumps({"batch": [{"type": "track", "anonymousId": "a", "event": "E"}], "writeKey": KEY}).encode()
        packed = gzip.compress(body)
        async with collect_house(tmp_path) as house:
            reader, writer = await house.connect()
            writer.write(
                b"POST /v1/b HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
                b"Transfer-Encoding: chunked\r\nX-Retry-Count: 3\r\n\r\n"
            )
            for part in (packed[:10], packed[10:]):
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            assert (await read_answer(reader))[0] == 200
            writer.close()
            ((header, value),) = await house.kept()
            assert (header.kind, header.direct, value) == ("batch", True, body)
            assert header.source_id == house.snapshot.current.sources[0].id

    asyncio.run(run())


def test_requests_on_one_connection_are_answered_in_their_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            reader, writer = await house.connect()
            good = head("/v1/track", f"Content-Length: {len(EVENT)}") + EVENT
            bad = head("/v1/track", "Content-Length: 2") + b"{}"
            writer.write(good + bad + good)
            assert [(await read_answer(reader))[0] for _ in range(3)] == [200, 400, 200]
            writer.write(good)
            assert (await read_answer(reader))[0] == 200, "the connection is kept alive"
            writer.close()

    asyncio.run(run())


def test_an_oversized_batch_is_read_to_its_end_so_that_the_sender_sees_the_400(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            answer = await house.send("/v1/batch", b'{"batch":["' + b"x" * 3_000_000 + b'"]}')
            assert (answer.status, answer.json["code"]) == (400, "message_too_large")

    asyncio.run(run())


def test_a_gzip_bomb_is_a_400(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            answer = await house.send("/v1/batch", gzip.compress(b" " * 100_000_000), content_encoding="gzip")
            assert (answer.status, answer.json["code"]) == (400, "message_too_large")

    asyncio.run(run())


def test_half_a_body_costs_nobody_but_its_sender(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path, read_seconds=0.4) as house:
            slow, slow_writer = await house.connect()
            slow_writer.write(head("/v1/track", f"Content-Length: {len(EVENT)}") + EVENT[:5])
            chunked, chunked_writer = await house.connect()
            chunked_writer.write(head("/v1/track", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
            _, gone_writer = await house.connect()
            gone_writer.write(head("/v1/track", "Content-Length: 100") + b"abc")
            gone_writer.close()
            assert (await house.send("/v1/track")).status == 200
            for reader in (slow, chunked):
                status, body = await read_answer(reader)
                assert (status, json.loads(body)["code"]) == (408, "request_timeout")
                assert await reader.read() == b"", "the connection is closed"
            slow_writer.close()
            chunked_writer.close()
            assert len(await house.kept()) == 1

    asyncio.run(run())


def test_when_too_much_waits_the_answer_is_503_at_once_and_all_is_well_afterwards(tmp_path: Path) -> None:
    async def run() -> None:
        log = GatedLog()
        async with collect_house(tmp_path, log, max_waiting_bytes=10 * len(EVENT)) as house:
            log.flowing.clear()
            lines = [await house.connect() for _ in range(14)]
            request = head("/v1/track", f"Content-Length: {len(EVENT)}") + EVENT
            for _, writer in lines:
                writer.write(request)
            waiting = {asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in lines}
            refused: set[asyncio.Task[bytes]] = set()
            while len(refused) < 4:
                done, _ = await asyncio.wait(waiting - refused, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
            log.flowing.set()
            assert all(b" 503 " in task.result() and b"retry-after: 1\r\n" in task.result() for task in refused)
            assert all(b" 200 " in answer for answer in await asyncio.gather(*(waiting - refused)))
            for _, writer in lines:
                writer.close()
            assert (await house.send("/v1/track")).status == 200
            assert len(await house.kept()) == 11, "what was refused was not kept"

    asyncio.run(run())


def test_a_log_that_is_away_is_503_and_unhealthy_until_it_is_back(tmp_path: Path) -> None:
    async def run() -> None:
        log = GatedLog()
        async with collect_house(tmp_path, log) as house:
            assert (await house.send("/health", None, method="GET")).json == {"status": "ok"}
            log.away = True
            answer = await house.send("/v1/batch", b'{"batch":[{"type":"page","userId":"u"}]}')
            assert (answer.status, answer.headers["retry-after"]) == (503, "2")
            assert (await house.send("/health", None, method="GET")).status == 503
            pixel = await house.send("/v1/pixel/page?userId=u", None, method="GET")
            assert (pixel.status, pixel.headers["content-type"]) == (200, "image/gif")
            log.away = False
            assert (await house.send("/v1/track")).status == 200
            assert (await house.send("/health", None, method="GET")).status == 200

    asyncio.run(run())


def test_told_to_stop_the_role_finishes_what_it_holds_and_listens_no_more(tmp_path: Path) -> None:
    async def run() -> None:
        log = GatedLog()
        async with collect_house(tmp_path, log) as house:
            idle, _ = await house.connect()
            log.flowing.clear()
            waiting = asyncio.create_task(house.send("/v1/track"))
            await log.asked.wait()
            house.stopping.set()
            while await _is_open(house.port):
                await asyncio.sleep(0.01)
            assert not waiting.done()
            log.flowing.set()
            assert (await waiting).status == 200
            assert house.role is not None
            await house.role
            assert await idle.read() == b""
            assert len(await house.kept()) == 1

    asyncio.run(run())


def test_two_roles_of_one_house_may_share_a_port_but_a_strangers_port_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            house = collect_house(tmp_path)
            async with house as running:
                from headwater.collect.loop import collect
                from headwater.spec.settings import CollectSettings

                taken = CollectSettings(port=stranger.getsockname()[1])
                with pytest.raises(SetupError, match=r"collect\.port"):
                    await collect(log=running.log, snapshot=running.snapshot, settings=taken, stopping=asyncio.Event())

    asyncio.run(run())


def test_a_new_source_is_known_when_the_snapshot_is_fresh(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            path = "/v1/projects/another-key/settings"
            assert (await house.send(path, None, method="GET")).status == 404
            await house.store.write(
                lambda connection: workspaces.create_source(connection, slug="x", name="X", write_key="another-key")
            )
            await house.store.write(workspaces.touch)
            await house.snapshot.refresh()
            answer = await house.send(path, None, method="GET")
            assert answer.json["integrations"]["Segment.io"]["apiHost"] == f"127.0.0.1:{house.port}/v1"
            assert (await house.send("/v1/track", key="another-key")).status == 200
            assert (await house.kept())[0][0].source_id == house.snapshot.current.sources[-1].id

    asyncio.run(run())


def test_a_browsers_preflight_over_http(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            answer = await house.send(
                "/v1/t",
                None,
                method="OPTIONS",
                key=None,
                origin="http://shop.example",
                access_control_request_method="POST",
                access_control_request_headers="authorization,x-retry-count",
            )
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["access-control-allow-origin"] == "http://shop.example"
            assert "x-retry-count" in answer.headers["access-control-allow-headers"].lower()

    asyncio.run(run())


def test_odd_paths_and_heads_are_answered(tmp_path: Path) -> None:
    async def run() -> None:
        async with collect_house(tmp_path) as house:
            assert (await house.send("/v1/track?debug=1&x=%ff")).status == 200
            assert (await house.send("/v1/%74rack/")).status == 200
            assert (await house.send("/v1/%ff%fe")).status == 404
            head_answer = await house.send("/v1/track", None, method="HEAD")
            assert (head_answer.status, head_answer.body) == (200, b"")
            assert (await house.send("/v1/track", None, method="PUT")).status == 405

    asyncio.run(run())


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
