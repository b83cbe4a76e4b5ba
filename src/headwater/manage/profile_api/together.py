"""Questions that come while others are being answered, answered together: one answer for many costs little more.

Who asks first does not wait for others. Those who ask meanwhile are the next batch, which begins when the one before is
answered, or when that takes longer than `patience`: a slow disk holds up those of one batch, not all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from headwater.spec.errors import Unavailable

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Answers questions in batches."""

    def __init__(
        self,
        answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 64,
        at_once: int = 2,
        patience: float = 0.1,
    ) -> None:
        """`answer` gives an answer for each of at most `most` questions; `patience` is in seconds."""
        self._answer = answer
        self._most = most
        self._at_once = at_once
        self._patience = patience
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, question: Q) -> A:
        """The answer of one question. Raises what answering it alone raises, and Unavailable for all of a batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if not self._running:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._patience, self._overtake)
        return await future

    async def close(self) -> None:
        """Wait until all that was asked is answered."""
        while self._running:
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
        if batch:
            await self._answer_all(batch)

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
