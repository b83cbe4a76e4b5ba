"""Work that waits until nobody has asked for it anew for a moment, such as while somebody types."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import background_tasks, ui

from headwater.console.parts.pieces import attempt


class Later:
    """Does the work so many seconds after it was wanted last. Refusals are told to the person."""

    def __init__(self, seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
        self._seconds = seconds
        self._work = work
        self._wanted = 0
        self._client = ui.context.client

    def want(self, *_: Any) -> None:
        """Want the work done; whoever wants it again within the time puts it off."""
        self._wanted += 1
        background_tasks.create(self._run(self._wanted), name="later")

    async def _run(self, mine: int) -> None:
        await asyncio.sleep(self._seconds)
        if mine != self._wanted or self._client.is_deleted:
            return
        with self._client:
            await attempt(self._work)()
