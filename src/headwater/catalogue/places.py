"""How much a worker may have under way: so many calls, and so many bytes of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Places:
    """Whoever finds none waits in turn. One that is larger than all there is goes alone."""

    def __init__(self, calls: int, size: int) -> None:
        """`size` is in bytes."""
        self._most_calls = calls
        self._most_bytes = size
        self._calls = 0
        self._bytes = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, size: int, seconds: float) -> AsyncGenerator[None]:
        """Hold a place for so many bytes. Raises TimeoutError when there is none within so many seconds."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self._fits(size))
            self._calls += 1
            self._bytes += size
            self._changed.notify()
        try:
            yield
        finally:
            self._calls -= 1
            self._bytes -= size
            async with self._changed:
                self._changed.notify()

    def _fits(self, size: int) -> bool:
        return self._calls < self._most_calls and (not self._calls or self._bytes + size <= self._most_bytes)
