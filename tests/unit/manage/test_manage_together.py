"""Questions that come while others are answered are answered together, and one that fails is alone with it."""

import asyncio
from collections.abc import Sequence

import pytest

from headwater.manage.profile_api.together import Together
from headwater.spec.errors import Unavailable


class Answering:
    """Doubles numbers once it is let; cannot answer 13, and is away for 7."""

    def __init__(self, *, let: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        if let:
            self.gate.set()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.begun.set()
        await self.gate.wait()
        if 7 in numbers:
            raise Unavailable("away", retry_after=1.0)
        if 13 in numbers:
            raise ValueError(13)
        return [2 * number for number in numbers]


def test_who_asks_meanwhile_is_answered_together() -> None:
    async def scenario() -> None:
        answering = Answering(let=False)
        together = Together(answering, most=3, patience=60.0)
        first = asyncio.create_task(together.ask(0))
        await answering.begun.wait()
        others = [asyncio.create_task(together.ask(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
        answering.gate.set()
        assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
        assert answering.batches == [[0], [1, 2, 3], [4, 5]]
        assert await together.ask(9) == 18
        await together.close()

    asyncio.run(scenario())


def test_where_many_ask_a_batch_waits_for_more_until_it_is_full() -> None:
    async def scenario() -> None:
        answering = Answering()
        together = Together(answering, most=2, gather=60.0)
        assert await asyncio.gather(together.ask(1), together.ask(2)) == [2, 4]
        third = asyncio.create_task(together.ask(3))
        await asyncio.sleep(0)
        assert await together.ask(4) == 8
        assert await third == 6
        assert answering.batches == [[1, 2], [3, 4]]
        last = asyncio.create_task(together.ask(5))
        await asyncio.sleep(0)
        await together.close()
        assert await last == 10

    asyncio.run(scenario())


def test_one_that_cannot_be_answered_is_not_the_end_of_the_others() -> None:
    async def scenario() -> None:
        together = Together(Answering())
        answers = await asyncio.gather(*(together.ask(number) for number in (1, 13, 2)), return_exceptions=True)
        assert [answers[0], answers[2]] == [2, 4]
        assert isinstance(answers[1], ValueError)

    asyncio.run(scenario())


def test_when_the_store_is_away_it_is_asked_once_for_all() -> None:
    async def scenario() -> None:
        answering = Answering()
        together = Together(answering)
        answers = await asyncio.gather(*(together.ask(number) for number in (1, 7, 2)), return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert answering.batches == [[1, 7, 2]]

    asyncio.run(scenario())


def test_a_slow_batch_holds_up_no_other() -> None:
    async def scenario() -> None:
        answering = Answering(let=False)
        together = Together(answering, at_once=2, patience=0.001)
        slow = asyncio.create_task(together.ask(1))
        await answering.begun.wait()
        answering.begun.clear()
        next_one = asyncio.create_task(together.ask(2))
        await answering.begun.wait()
        assert answering.batches == [[1], [2]]
        assert not slow.done()
        answering.gate.set()
        assert await asyncio.gather(slow, next_one) == [2, 4]

    asyncio.run(scenario())


def test_nobody_is_asked_for_who_has_gone() -> None:
    async def scenario() -> None:
        answering = Answering(let=False)
        together = Together(answering, patience=60.0)
        first = asyncio.create_task(together.ask(1))
        await answering.begun.wait()
        gone, stays = (asyncio.create_task(together.ask(number)) for number in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        answering.gate.set()
        assert await asyncio.gather(first, stays) == [2, 6]
        assert answering.batches == [[1], [3]]

    asyncio.run(scenario())
