"""The way out: what is asked for arrives whole."""

import asyncio

from headwater.contracts.doubles import Recorder
from headwater.deliver.transport import Transport
from headwater.spec.destination import Request

KB = 1_024


def test_a_body_of_any_size_arrives_whole() -> None:
    async def scenario() -> None:
        bodies = [bytes(range(256)) * (size // 256) + b"." for size in (256, 63 * KB, 64 * KB, 1_024 * KB, 3_000 * KB)]
        async with Recorder() as tool, Transport(("127.0.0.0/8",)) as transport:
            for body in [b"", *bodies]:
                answer = await transport.exchange(Request("POST", tool.url("/"), {"Content-Type": "x/y"}, body))
                assert answer.status == 200
        assert [each.body for each in tool.requests] == [b"", *bodies]
        assert {each.headers["content-type"] for each in tool.requests} == {"x/y"}
        assert [each.headers["content-length"] for each in tool.requests] == [str(len(body)) for body in [b"", *bodies]]

    asyncio.run(scenario())
