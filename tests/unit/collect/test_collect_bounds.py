"""The bounds of collect: on bodies, on what is held, on the unknown, and on the slow."""

import asyncio
import gzip
import zlib
from typing import Any

import pytest
from collect_doubles import Answered, Api, BrokenLog, ExchangeDouble, HeadersDouble, ScopeDouble, basic

from headwater.collect.inflate import inflate
from headwater.eventlog.streams import COLLECTED
from headwater.spec.errors import SenderError

KEY: dict[str, str | list[str]] = {"authorization": basic("k1")}
EVENT = b'{"userId":"u1","event":"E"}'
GZIP: dict[str, str | list[str]] = {**KEY, "content-encoding": "gzip"}


def padded(size: int) -> bytes:
    body = b'{"batch":[{"type":"page","userId":"u1"}],"x":""}'
    return body[:-2] + b"x" * (size - len(body)) + body[-2:]


def play(path: str, body: Any, headers: dict[str, str | list[str]]) -> tuple[Answered, list[Any], Api]:
    async def run() -> tuple[Answered, list[Any], Api]:
        api = Api()
        return await api.send(path, body, headers=headers), await api.kept(), api

    return asyncio.run(run())


def test_a_gzip_body_is_kept_inflated() -> None:
    answer, kept, _ = play("/v1/track", gzip.compress(EVENT), GZIP)
    assert answer.status == 200
    assert kept[0][1].value == EVENT


def test_gzip_in_several_members_is_one_body() -> None:
    answer, kept, _ = play("/v1/track", gzip.compress(EVENT[:10]) + gzip.compress(EVENT[10:]) + b"\0" * 8, GZIP)
    assert answer.status == 200
    assert kept[0][1].value == EVENT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (EVENT, "gzip"),
        (gzip.compress(EVENT, mtime=0)[:-4], "gzip"),
        (b"", "br"),
        (zlib.compress(EVENT), "deflate"),
        (gzip.compress(EVENT, mtime=0) + b"more", "gzip"),
    ],
)
def test_what_is_not_whole_gzip_is_a_bad_request(body: bytes, encoding: str) -> None:
    answer, kept, api = play("/v1/track", body, {**KEY, "content-encoding": encoding})
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert kept[0][0].refused == "bad_request"
    assert api.app._intake.held == 0


def test_identity_is_no_encoding() -> None:
    assert play("/v1/track", EVENT, {**KEY, "content-encoding": "identity"})[0].status == 200


def test_a_gzip_bomb_is_never_inflated_beyond_the_limit() -> None:
    bomb = gzip.compress(b"a" * 50_000_000)
    with pytest.raises(SenderError, match="512000"):
        inflate(bomb, "gzip", 512_000)
    answer, kept, api = play("/v1/batch", bomb, GZIP)
    assert (answer.status, answer.json["code"]) == (400, "message_too_large")
    assert kept[0][1].value == b""
    assert api.app._intake.held == 0


def test_a_batch_of_512_000_bytes_is_taken_and_one_byte_more_is_not() -> None:
    assert play("/v1/batch", padded(512_000), KEY)[0].status == 200
    answer, kept, _ = play("/v1/batch", padded(512_001), KEY)
    assert (answer.status, kept[0][0].refused) == (400, "message_too_large")


@pytest.mark.parametrize("size", [512_000, 512_001])
def test_the_limit_holds_for_inflated_bodies(size: int) -> None:
    assert play("/v1/batch", gzip.compress(padded(size)), GZIP)[0].status == (200 if size == 512_000 else 400)


def test_a_body_without_a_length_is_read_in_chunks_up_to_the_limit() -> None:
    answer, kept, _ = play("/v1/track", [EVENT[:5], EVENT[5:], b""], KEY)
    assert answer.status == 200
    assert kept[0][1].value == EVENT
    answer, kept, api = play("/v1/batch", [b"x" * 100_000] * 20, KEY)
    assert (answer.status, kept[0][0].refused) == (400, "message_too_large")
    assert api.app._intake.held == 0


def test_a_body_much_too_large_is_answered_without_being_read() -> None:
    async def run() -> None:
        api = Api()
        lines = HeadersDouble({**KEY, "content-length": "100000000000"})
        exchange = ExchangeDouble([None])
        await api.app.__rsgi__(ScopeDouble("/v1/batch", lines), exchange)
        assert exchange.answer is not None
        assert exchange.answer[0] == 400

    asyncio.run(run())


def test_beyond_the_bytes_that_may_wait_requests_are_answered_503_until_there_is_room() -> None:
    async def run() -> None:
        log = BrokenLog()
        api = Api(log, max_waiting_bytes=3 * len(EVENT))
        log.flowing.clear()
        waiting = [asyncio.create_task(api.send("/v1/track", EVENT, headers=KEY)) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await api.send("/v1/track", EVENT, headers=KEY)
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert (await api.send("/v1/track", [EVENT], headers=KEY)).status == 503
        log.flowing.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [200, 200, 200]
        assert (await api.send("/v1/track", EVENT, headers=KEY)).status == 200
        assert api.app._intake.held == 0
        assert len(await api.kept()) == 4

    asyncio.run(run())


def test_a_log_that_is_away_is_answered_503_and_a_pixel_is_counted_as_lost() -> None:
    async def run() -> None:
        log = BrokenLog()
        api = Api(log)
        log.away = True
        answer = await api.send("/v1/track", EVENT, headers=KEY)
        assert (answer.status, answer.headers["retry-after"], answer.json["code"]) == (503, "3", "unavailable")
        assert (await api.send("/v1/identify", b"{}", headers=KEY)).status == 503, "a refusal must be recorded too"
        pixel = await api.send("/v1/pixel/track", method="GET", query_string="userId=u&event=E&writeKey=k1")
        assert (pixel.status, pixel.headers["content-type"]) == (200, "image/gif")
        assert api.app._tally.lost_pixels == 1
        assert (await api.send("/health", method="GET")).status == 503
        log.away = False
        assert (await api.send("/v1/track", EVENT, headers=KEY)).status == 200
        assert (await api.send("/health", method="GET")).json == {"status": "ok"}

    asyncio.run(run())


def test_who_writes_a_body_too_slowly_is_answered_408_and_the_others_are_not_disturbed() -> None:
    async def run() -> None:
        api = Api(read_seconds=0.0)
        slow = asyncio.create_task(api.send("/v1/track", [EVENT[:5], None], headers=KEY))
        metrics = asyncio.create_task(api.send("/v1/m", [b"{", None]))
        await asyncio.sleep(0)
        api.app.sweep()
        assert (await slow).status == 408
        assert (await slow).headers["connection"] == "close"
        assert (await metrics).status == 408
        assert (await api.send("/v1/track", EVENT, headers=KEY)).status == 200
        assert api.app._intake.held == 0

    asyncio.run(run())


def test_strangers_cannot_fill_the_disk_with_bodies() -> None:
    async def run() -> None:
        api = Api()
        body = b'{"userId":"u1","event":"E","x":"' + b"x" * 8_000 + b'"}'
        for _ in range(20):
            answer = await api.send("/v1/track", body, headers={"authorization": basic("nobody")})
            assert (answer.status, answer.json) == (200, {"success": True})
        kept = await api.kept()
        assert len(kept) == 20
        assert {header.source_id for header, _ in kept} == {""}
        assert sum(len(record.value) for _, record in kept) <= 16_384 + 2 * len(body)
        assert {header.refused for header, record in kept if not record.value} == {"unknown_source"}
        assert {header.refused for header, record in kept if record.value} == {""}

    asyncio.run(run())


def test_a_fault_is_answered_500_and_does_not_end_the_room(caplog: pytest.LogCaptureFixture) -> None:
    class FaultyLog(BrokenLog):
        async def append(self, stream: Any, partition: int, records: Any) -> int:
            raise ZeroDivisionError

    answer = asyncio.run(Api(FaultyLog()).send("/v1/track", EVENT, headers=KEY))
    assert (answer.status, answer.json["code"]) == (500, "internal")
    assert "ZeroDivisionError" in caplog.text


def test_what_waits_is_appended_in_portions() -> None:
    async def run() -> None:
        log = BrokenLog()
        api = Api(log)
        log.flowing.clear()
        body = padded(500_000)
        sent = [asyncio.create_task(api.send("/v1/batch", body, headers=KEY)) for _ in range(40)]
        await asyncio.sleep(0)
        log.flowing.set()
        assert {answer.status for answer in await asyncio.gather(*sent)} == {200}
        assert await log.bounds(COLLECTED, 0) == (0, 40)
        assert log.appends >= 3

    asyncio.run(run())
