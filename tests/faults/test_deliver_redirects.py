"""Redirects on the only way out: counted, guarded at every hop, and bounded in time and size."""

import asyncio

import pytest

from headwater.contracts.doubles import Answer, Recorder
from headwater.deliver.transport import Transport
from headwater.spec.destination import NoAnswer, Request, Response

LOOPBACK = ("127.0.0.0/8",)


async def ask(tool: Recorder, path: str, **fields: object) -> Response:
    async with Transport(LOOPBACK) as transport:
        return await transport.exchange(Request("GET", tool.url(path), **fields))  # type: ignore[arg-type]


def test_redirects_are_followed_as_often_as_the_request_allows() -> None:
    async def scenario() -> None:
        async with Recorder() as tool:
            tool.script("/1", Answer(302, {"Location": "/2"}))
            tool.script("/2", Answer(307, {"Location": tool.url("/3")}))
            tool.script("/3", Answer(200, body=b"here"))
            assert (await ask(tool, "/1")).status == 302
            assert (await ask(tool, "/1", redirects=1)).status == 307
            assert (await ask(tool, "/1", redirects=2)).body == b"here"
            tool.script("/round", Answer(302, {"Location": "/round"}))
            assert (await ask(tool, "/round", redirects=5)).status == 302
            assert len(tool.at("/round")) == 6

    asyncio.run(scenario())


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/", "http://10.0.0.1/"])
def test_every_hop_is_guarded(location: str) -> None:
    async def scenario() -> None:
        async with Recorder() as tool:
            tool.script("/out", Answer(302, {"Location": location}))
            with pytest.raises(NoAnswer) as refused:
                await ask(tool, "/out", redirects=3)
            assert refused.value.reason == "PRIVATE_ADDRESS"

    asyncio.run(scenario())


def test_a_redirect_to_what_is_not_http_is_only_an_answer() -> None:
    async def scenario() -> None:
        async with Recorder() as tool:
            tool.script("/out", Answer(302, {"Location": "file:///etc/passwd"}))
            assert (await ask(tool, "/out", redirects=3)).status == 302

    asyncio.run(scenario())


def test_the_time_out_is_for_all_hops_together() -> None:
    async def scenario() -> None:
        async with Recorder() as tool:
            tool.script("/1", Answer(302, {"Location": "/slow"}))
            tool.script("/slow", Answer(mischief="hang"))
            with pytest.raises(NoAnswer) as late:
                await ask(tool, "/1", redirects=1, timeout=0.2)
            assert late.value.reason == "TIMEOUT"

    asyncio.run(scenario())


def test_an_answer_is_read_as_far_as_its_request_says() -> None:
    async def scenario() -> None:
        async with Recorder() as tool:
            tool.script("/big", Answer(200, body=b"x" * 100_000))
            assert len((await ask(tool, "/big", most=70_000)).body) == 70_000
            assert len((await ask(tool, "/big", most=200_000)).body) == 100_000

    asyncio.run(scenario())
