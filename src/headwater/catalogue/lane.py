"""A kind of worker: the one that is in use, a new one when it is gone or has grown, and how many calls it may have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from headwater.catalogue.places import Places
from headwater.catalogue.worker import Pace, Worker, WorkerEnded

_log = logging.getLogger(__name__)
_YOUNG_SECONDS = 60.0
_RETIRING_SECONDS = 60.0
_CALLS = 64
_BYTES = 48_000_000


class Lane:
    """Starts its worker when it is first asked for. One that dies young is started again ever more rarely."""

    def __init__(self, start: Callable[[], Awaitable[Worker]], pace: Pace) -> None:
        self.places = Places(_CALLS, _BYTES)
        self._start = start
        self._pace = pace
        self._current: Worker | None = None
        self._starting: asyncio.Task[Worker] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._deaths = 0

    async def worker(self) -> Worker:
        """A worker that can be asked. Raises WorkerEnded or OSError when none can be started."""
        current = self._current
        alive = current if current is not None and not current.ended.is_set() else None
        if alive is not None and alive.rss <= self._pace.memory:
            return alive
        if self._starting is None:
            self._starting = asyncio.create_task(self._replace(current))
            self._starting.add_done_callback(self._started)
        # One that has grown is used until the next is ready.
        return alive or await asyncio.shield(self._starting)

    async def close(self) -> None:
        """End its workers."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self._current is not None:
            await self._current.close()
        for task in self._retiring:
            task.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)

    async def _replace(self, old: Worker | None) -> Worker:
        if old is not None and old.ended.is_set():
            young = asyncio.get_running_loop().time() - old.began < _YOUNG_SECONDS
            self._deaths = self._deaths + 1 if young else 0
        if self._deaths > 1:
            await asyncio.sleep(min(0.25 * 2**self._deaths, self._pace.longest_wait))
        try:
            self._current = await self._start()
        except (WorkerEnded, OSError):
            self._deaths += 1
            raise
        if old is not None and not old.ended.is_set():
            _log.info("worker %d had grown to %d MB and is replaced", old.pid, old.rss // 1_000_000)
            self._retire(old)
        return self._current

    def _started(self, task: asyncio.Task[Worker]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()

    def _retire(self, worker: Worker) -> None:
        async def end() -> None:
            try:
                await worker.retire(_RETIRING_SECONDS)
            except asyncio.CancelledError:
                await worker.close()
                raise

        task = asyncio.create_task(end())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
