"""Jobs of partitions: one that fails is begun anew and stops no other; what cannot be mended so ends all."""

import asyncio

import pytest

from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import COLLECTED
from headwater.spec.errors import SetupError


def test_a_job_that_fails_is_begun_anew_and_the_other_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[int] = []

    async def scenario() -> None:
        stopping = asyncio.Event()

        async def job(partition: int, leaving: asyncio.Event) -> None:
            begun.append(partition)
            if partition == 0:
                if begun.count(0) == 1:
                    raise ValueError("an event that nobody foresaw")
                stopping.set()
            await leaving.wait()

        async with asyncio.timeout(10):
            await work(MemoryLog(partitions=2), "pipeline", COLLECTED, job, stopping)

    asyncio.run(scenario())
    assert (begun.count(0), begun.count(1)) == (2, 1)
    assert "Partition 0 of pipeline stands still" in caplog.text
    assert "an event that nobody foresaw" in caplog.text


@pytest.mark.parametrize("error", [SetupError("no such folder"), AssertionError("cannot be")])
def test_what_no_repetition_mends_ends_all(error: Exception) -> None:
    async def job(partition: int, leaving: asyncio.Event) -> None:
        if partition == 0:
            raise error
        await leaving.wait()

    async def scenario() -> None:
        async with asyncio.timeout(10):
            await work(MemoryLog(partitions=2), "pipeline", COLLECTED, job, asyncio.Event())

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(scenario())
    assert raised.value.subgroup(lambda found: found is error)
