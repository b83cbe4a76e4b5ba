"""A writer of Kafka that fails for good: nobody waits for ever, and another one writes."""

import asyncio

import pytest

from headwater.contracts.kafka import BEGIN_TO_PRODUCE, WHY_NOT, kafka_cluster
from headwater.eventlog import Record
from headwater.eventlog.kafka.appending import Appender
from headwater.eventlog.kafka.reach import reach
from headwater.eventlog.streams import COLLECTED
from headwater.spec.errors import Unavailable

CLUSTER_AUTHORIZATION_FAILED = 31
RECORD = Record(b"k", b"h", b"v")


def test_after_a_fatal_error_all_who_wait_are_answered_and_another_writer_goes_on() -> None:
    async def scenario(servers: str) -> None:
        log = Appender(reach(f"kafka://{servers}/t"), lambda: 1)
        async with asyncio.timeout(10):
            appends = [log.append(COLLECTED, 0, [RECORD]) for _ in range(3)]
            answers = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable] * 3
        async with asyncio.timeout(20):
            while True:
                try:
                    first = await log.append(COLLECTED, 0, [RECORD])
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)
        assert await log.append(COLLECTED, 0, [RECORD]) == first + 1
        await log.close()

    with kafka_cluster() as cluster:
        if cluster is None:
            pytest.skip(WHY_NOT)
        cluster.make("t.collected")
        cluster.fail_next(CLUSTER_AUTHORIZATION_FAILED, kind=BEGIN_TO_PRODUCE)
        asyncio.run(scenario(cluster.servers))


def test_what_is_too_large_is_refused_and_others_are_not() -> None:
    async def scenario(servers: str) -> None:
        log = Appender(reach(f"kafka://{servers}/t", ["message.max.bytes=100000"]), lambda: 1)
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable, match="too large"):
                await log.append(COLLECTED, 0, [Record(b"", b"", b"x" * 200_000)])
            assert await log.append(COLLECTED, 0, [RECORD]) == 0
            await log.close()

    with kafka_cluster() as cluster:
        if cluster is None:
            pytest.skip(WHY_NOT)
        cluster.make("t.collected")
        asyncio.run(scenario(cluster.servers))
