"""Questions that come while others are being answered, answered together: one answer for many costs little more.

Who asks alone does not wait for others. Those who ask while others are answered are the next batch. It begins when the
one before is answered and, where many ask, when `gather` seconds have passed since that one began or it is full, as a
batch has a price of its own. It waits no longer than `patience`: a slow disk holds up those of one batch, not all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Generic, TypeVar

from headwater.spec.errors import Unavailable

Q = TypeVar("Q")
A = TypeVar("A")
_THINNER: Final = 0.1
"""How much fewer are taken to ask at once, with each batch that was smaller than was thought."""


class Together(Generic[Q, A]):
    """Answers questions in batches."""

    def __init__(
        self,
        answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 64,
        at_once: int = 2,
        gather: float = 0.002,
        patience: float = 0.1,
    ) -> None:
        """`answer` gives an answer for each of at most `most` questions, in their order, `at_once` batches at a time.

        `gather` and `patience` are in seconds.
        """
        self._answer = answer
        self._most = most
        self._at_once = at_once
        self._gather = gather
        self._patience = patience
        self._crowd = 0.0
        self._full = asyncio.Event()
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, question: Q) -> A:
        """The answer of one question. Raises what answering it alone raises, and Unavailable for all of a batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if len(self._waiting) >= self._most:
            self._full.set()
        if not self._running:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._patience, self._overtake)
        return await future

    async def close(self) -> None:
        """Wait until all that was asked is answered."""
        while self._running:
            self._full.set()
            await asyncio.wait(self._running)

    def _begin(self) -> None:
        task = asyncio.create_task(self._run(), name="profile-api-batch")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting and not self._running:
            self._begin()

    def _overtake(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        if len(self._running) < self._at_once:
            self._begin()
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._overtake)

    async def _run(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        batch = [one for one in batch if not one[1].done()]
        if not batch:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._answer_all(batch)
        self._crowd = max(len(batch), self._crowd - _THINNER)
        if self._crowd > 1 and len(self._waiting) < self._most:
            self._full.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(began + self._gather):
                    await self._full.wait()

    async def _answer_all(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._answer([question for question, _ in batch])
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                for _, future in batch:
                    _refuse(future, error)
                return
            for one in batch:  # so that one that cannot be answered is not the end of the others
                await self._answer_all([one])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _refuse(future: asyncio.Future[A], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
