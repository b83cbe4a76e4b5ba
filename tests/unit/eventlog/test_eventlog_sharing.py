"""Jobs of partitions: one that fails is begun anew and stops no other; what cannot be mended so ends all."""

import asyncio

import pytest

from headwater.eventlog import Moved
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


class FencedLog(MemoryLog):
    """A log in memory that tells when others are shut out."""

    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self._told = told

    async def fence(self, group: str, partition: int) -> None:
        self._told.append(f"fence {group} {partition}")


def test_all_others_are_shut_out_each_time_before_a_job_begins() -> None:
    told: list[str] = []

    async def scenario() -> None:
        stopping = asyncio.Event()

        async def job(partition: int, leaving: asyncio.Event) -> None:
            told.append(f"job {partition}")
            if told.count("job 0") == 1:
                raise Moved("another worker had it meanwhile")
            stopping.set()
            await leaving.wait()

        async with asyncio.timeout(10):
            await work(FencedLog(told), "pipeline", COLLECTED, job, stopping)

    asyncio.run(scenario())
    assert told == ["fence pipeline 0", "job 0"] * 2


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
