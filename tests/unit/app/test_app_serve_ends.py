"""A process ends although a task is left that hears no cancellation."""

import asyncio
import contextlib

from headwater.app.serve import end_all_others


def test_what_hears_no_cancellation_is_left_behind_and_all_else_ends() -> None:
    ended: list[str] = []

    async def deaf() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()

    async def polite() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("polite")

    async def scenario() -> None:
        kept = [asyncio.create_task(deaf()), asyncio.create_task(polite())]
        await asyncio.sleep(0)
        await end_all_others(0.1)
        assert [task.done() for task in kept] == [False, True]

    asyncio.run(scenario())
    assert ended == ["polite"]
