"""Destinations that misbehave: every event is accounted for, and arrives when the destination recovers."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from headwater.contracts.delivering import QUICK, Bench
from headwater.contracts.doubles import Answer, Recorder, refusing_port
from headwater.deliver.transport import Transport
from headwater.spec.destination import NoAnswer, Request

BREAKS = msgspec.structs.replace(QUICK, breaker_failures=3)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Answer(500), "RETRY"),
        (Answer(429, {"Retry-After": "0"}), "RETRY"),
        (Answer(mischief="half"), "UNREACHABLE"),
        (Answer(mischief="garbage"), "UNREACHABLE"),
        (Answer(mischief="abort"), "UNREACHABLE"),
    ],
    ids=["500", "429", "half an answer", "garbage", "reset"],
)
def test_events_outlast_a_destination_that_misbehaves_for_a_while(tmp_path: Path, bad: Answer, reason: str) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", bad, bad, bad, Answer(200))
            hook, well = bench.connect(url=tool.url("/hook")), bench.connect(url=tool.url("/well"))
            await bench.put(6, hook, well)
            async with bench.delivering():
                await bench.until_committed()
                await bench.until(lambda: set(bench.states()) == {"delivered"})
            assert (await bench.books())[hook] == {("matched", ""): 6, ("delivered", ""): 6}
            assert {row.notes[0]["reason"] for row in bench.rows()} == {reason}
            assert {event.json()["messageId"] for event in tool.at("/hook")} == {f"m{number}" for number in range(6)}

    asyncio.run(scenario())


def test_a_port_that_refuses_is_left_alone_by_the_breaker_and_costs_others_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        with refusing_port() as port:
            async with Recorder() as tool:
                dead, well = bench.connect(url=f"http://127.0.0.1:{port}/"), bench.connect(url=tool.url("/well"))
                calm = msgspec.structs.replace(BREAKS, breaker_seconds=600.0, first_backoff_seconds=600.0)
                await bench.put(300, dead, well)
                async with bench.delivering(calm):
                    await bench.until_committed()
                assert len(tool.at("/well")) == 300
                assert (await bench.books())[well] == {("matched", ""): 300, ("delivered", ""): 300}
                books = (await bench.books())[dead]
                assert books[("matched", "")] == 300
                assert books[("pending", "CIRCUIT_OPEN")] >= 290
                assert 3 <= books[("pending", "UNREACHABLE")] <= 10

    asyncio.run(scenario())


def test_an_open_breaker_lets_one_request_probe_and_then_everything_through(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", *[Answer(503)] * 12, Answer(200))
            hook = bench.connect(url=tool.url("/hook"))
            await bench.put(100, hook)
            async with bench.delivering(BREAKS):
                await bench.until_committed()
                await bench.until(lambda: set(bench.states()) == {"delivered"})
            assert (await bench.books())[hook] == {("matched", ""): 100, ("delivered", ""): 100}
            assert len(tool.at("/hook")) == 112

    asyncio.run(scenario())


def test_retry_after_rests_the_destination(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", Answer(429, {"Retry-After": "3600"}))
            hook = bench.connect(url=tool.url("/hook"))
            calm = msgspec.structs.replace(QUICK, breaker_seconds=600.0)
            await bench.put(50, hook)
            async with bench.delivering(calm):
                await bench.until_committed()
            assert len(tool.at("/hook")) <= 8
            told = [row for row in bench.rows() if row.attempts]
            assert all(3_590_000 < row.due_at - row.parked_at <= 3_600_000 for row in told)
            assert {row.reason for row in bench.rows() if not row.attempts} == {"CIRCUIT_OPEN"}

    asyncio.run(scenario())


def test_a_huge_answer_counts_and_is_not_read_to_its_end() -> None:
    async def scenario() -> None:
        async with Recorder() as tool, Transport(("127.0.0.0/8",)) as transport:
            tool.script("/", Answer(200, mischief="huge"))
            answer = await transport.exchange(Request("POST", tool.url("/")))
            assert answer.status == 200
            assert len(answer.body) == Request("GET", "").most
            assert (await transport.exchange(Request("POST", tool.url("/fine")))).status == 200

    asyncio.run(scenario())


def test_a_redirect_is_not_followed() -> None:
    async def scenario() -> None:
        async with Recorder() as tool, Transport(("127.0.0.0/8",)) as transport:
            tool.script("/", Answer(307, {"Location": tool.url("/inside")}))
            assert (await transport.exchange(Request("POST", tool.url("/")))).status == 307
            assert tool.at("/inside") == []

    asyncio.run(scenario())


def test_an_answer_that_takes_too_long_is_a_time_out() -> None:
    async def scenario() -> None:
        async with Recorder() as tool, Transport(("127.0.0.0/8",)) as transport:
            tool.script("/", Answer(mischief="hang"))
            with pytest.raises(NoAnswer) as caught:
                await transport.exchange(Request("POST", tool.url("/"), timeout=0.05))
            assert caught.value.reason == "TIMEOUT"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}/", "PRIVATE_ADDRESS"),
        ("http://localhost:{port}/", "PRIVATE_ADDRESS"),
        ("http://2130706433:{port}/", "PRIVATE_ADDRESS"),
        ("http://0x7f000001:{port}/", "PRIVATE_ADDRESS"),
        ("http://0x7f.0.0.1:{port}/", "PRIVATE_ADDRESS"),
        ("http://0177.0.0.1:{port}/", "PRIVATE_ADDRESS"),
        ("http://127.1:{port}/", "PRIVATE_ADDRESS"),
        ("http://127.0.0.1.:{port}/", "PRIVATE_ADDRESS"),
        ("http://0:{port}/", "PRIVATE_ADDRESS"),
        ("http://0.0.0.0:{port}/", "PRIVATE_ADDRESS"),
        ("http://[::1]:{port}/", "PRIVATE_ADDRESS"),
        ("http://[::]:{port}/", "PRIVATE_ADDRESS"),
        ("http://[::ffff:127.0.0.1]:{port}/", "PRIVATE_ADDRESS"),
        ("http://[::ffff:7f00:1]:{port}/", "PRIVATE_ADDRESS"),
        ("http://[64:ff9b::7f00:1]:{port}/", "PRIVATE_ADDRESS"),
        ("http://①②⑦.0.0.1:{port}/", "PRIVATE_ADDRESS"),
        ("http://user:secret@127.0.0.1:{port}/", "PRIVATE_ADDRESS"),
        ("http://169.254.169.254/latest/meta-data", "PRIVATE_ADDRESS"),
        ("file:///etc/passwd", "INVALID_SETTINGS"),
        ("ftp://127.0.0.1:{port}/", "INVALID_SETTINGS"),
        ("gopher://127.0.0.1:{port}/", "INVALID_SETTINGS"),
        ("http://", "INVALID_SETTINGS"),
        ("http://host:port/", "INVALID_SETTINGS"),
        ("/only/a/path", "INVALID_SETTINGS"),
    ],
)
def test_no_spelling_gets_around_the_guard(url: str, reason: str) -> None:
    async def scenario() -> None:
        async with Recorder() as tool, Transport() as transport:
            port = tool.url("").rpartition(":")[2]
            with pytest.raises(NoAnswer) as caught:
                await transport.exchange(Request("GET", url.format(port=port), timeout=2.0))
            assert caught.value.reason == reason, caught.value.detail
            assert tool.requests == []

    asyncio.run(scenario())


def test_a_user_and_password_in_the_url_become_a_header() -> None:
    async def scenario() -> None:
        async with Recorder() as tool, Transport(("127.0.0.0/8",)) as transport:
            await transport.exchange(Request("GET", tool.url("/").replace("://", "://user:pass@")))
            assert tool.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNz"

    asyncio.run(scenario())
