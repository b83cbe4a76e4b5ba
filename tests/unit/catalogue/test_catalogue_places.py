"""How much a worker may have under way."""

import asyncio

import pytest

from headwater.catalogue.places import Places


def test_calls_and_bytes_are_bounded_and_waiters_go_in_turn() -> None:
    async def scenario() -> None:
        places = Places(2, 100)
        order: list[str] = []
        leave = {name: asyncio.Event() for name in ("a", "b", "c", "huge", "d")}

        async def work(name: str, size: int) -> None:
            async with places.taken(size, 10):
                order.append(name)
                await leave[name].wait()

        tasks = [
            asyncio.create_task(work(name, size))
            for name, size in (("a", 60), ("b", 60), ("c", 10), ("huge", 1_000), ("d", 1))
        ]
        for _ in range(10):
            await asyncio.sleep(0)
        assert order == ["a", "c"], "what does not fit lets pass what does"
        for name in ("a", "c", "b", "d", "huge"):
            leave[name].set()
        await asyncio.gather(*tasks)
        assert sorted(order) == ["a", "b", "c", "d", "huge"]

    asyncio.run(scenario())


def test_who_finds_no_place_in_time_gives_up_and_leaves_nothing() -> None:
    async def scenario() -> None:
        places = Places(1, 100)
        async with places.taken(10, 1):
            with pytest.raises(TimeoutError):
                async with places.taken(10, 0.01):
                    pass
        async with places.taken(1_000, 0.01):
            pass

    asyncio.run(scenario())
