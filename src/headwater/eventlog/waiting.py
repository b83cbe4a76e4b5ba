"""Waiting for records that another process may write: cheap looks at a file's size and time, and a bell at home."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

SHORTEST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.04
_GROWTH: Final = 1.25
_LOOK_ANYWAY: Final = 0.5
_CLOCK_TICK: Final = 0.02

Mark = tuple[int, int]
"""Size and time (ns) of a file; it differs when something was written. Times move in ticks, so a young mark may be the
same after a second write: what is found with it is looked up again when the tick is over."""


class Sleepers:
    """Readers that wait for records, by stream and partition. One for a log."""

    def __init__(self) -> None:
        self._sleeping: dict[tuple[str, int], list[asyncio.Future[bool]]] = {}

    def wake(self, partition: int, streams: set[str]) -> None:
        """Wake those on the running loop that wait for one of the streams; others find out by looking."""
        loop = asyncio.get_running_loop()
        for stream in streams:
            for sleeper in self._sleeping.get((stream, partition), ()):
                if sleeper.get_loop() is loop and not sleeper.done():
                    sleeper.set_result(True)

    async def sleep_while(
        self, key: tuple[str, int], mark: Mark, look: Callable[[], Mark], *, pause: float, deadline: float
    ) -> float:
        """Sleep until something may have been written, or it is time to look anyway.

        `pause` is what the last call returned (`SHORTEST_PAUSE` at first): the looks become rarer while nothing comes.
        """
        loop = asyncio.get_running_loop()
        young = time.time() - mark[1] / 1e9 < _CLOCK_TICK
        until = min(deadline, loop.time() + (_CLOCK_TICK if young else _LOOK_ANYWAY))
        while (left := until - loop.time()) > 0:
            if await self.sleep(key, min(pause, left)) or look() != mark:
                return SHORTEST_PAUSE
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        return pause

    async def sleep(self, key: tuple[str, int], seconds: float) -> bool:
        """Sleep, unless `wake` ends it. Returns whether it did."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[bool] = loop.create_future()
        alarm = loop.call_later(seconds, _ring, sleeper)
        sleeping = self._sleeping.setdefault(key, [])
        sleeping.append(sleeper)
        try:
            return await sleeper
        finally:
            alarm.cancel()
            sleeping.remove(sleeper)


def _ring(sleeper: asyncio.Future[bool]) -> None:
    if not sleeper.done():
        sleeper.set_result(False)
