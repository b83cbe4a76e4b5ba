"""How many requests may be under way at once over all lanes, and whose turn it is when there are more.

More requests at once than the machine can work on only make each of them slower. So lanes take turns, one request
each, when all slots are taken. A request that is late is waited for and not worked on; its slot goes to somebody else,
so that destinations that hang cannot take all of them. Late is what has been out for longer than the grace and several
times as long as requests take these days, so that a machine with too much to do does not blame the destinations.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

SLOTS = 128
_TIMES_TYPICAL = 4
_MEMORY = 64
_RECLAIM_EVERY = 0.02

J = TypeVar("J", covariant=True)


class Sender(Protocol[J]):
    """Who stands in line. `job` is a request that starts now, holding a slot, if there is one after all."""

    def job(self) -> J | None: ...

    def wants(self) -> bool: ...


class Slots(Generic[J]):
    """`start` runs a job in a task of its own, for turns that come when no task is at hand."""

    def __init__(self, limit: int, grace: float, start: Callable[[J], object]) -> None:
        """`grace` is in seconds."""
        self._limit = limit
        self._grace = grace
        self._start = start
        self._typical = 0.0
        self._held: dict[int, float] = {}
        self._line: dict[Sender[J], None] = {}
        self._tickets = 0
        self._reclaimed = 0.0

    @property
    def crowded(self) -> bool:
        """Is somebody waiting for a turn?"""
        return bool(self._line)

    @property
    def patience(self) -> float:
        """How long a request may be out before it is late, in seconds."""
        return max(self._grace, _TIMES_TYPICAL * self._typical)

    def took(self, seconds: float) -> None:
        """A request was delivered in that time."""
        self._typical += (seconds - self._typical) / _MEMORY if self._typical else seconds

    def free(self, sender: Sender[J]) -> bool:
        """May a request start at once? If not, the sender stands in line."""
        if not self._line and self._room():
            return True
        self.line_up(sender)
        return False

    def line_up(self, sender: Sender[J]) -> None:
        """Stand at the end of the line, or stay where one stands."""
        self._line[sender] = None

    def enter(self) -> int:
        """A request starts. Returns the ticket to leave with."""
        self._tickets += 1
        self._held[self._tickets] = time.monotonic()
        return self._tickets

    def leave(self, ticket: int) -> None:
        """A request ended. Who leaves asks for `following` and runs it, or calls `serve`."""
        self._held.pop(ticket, None)

    def following(self) -> J | None:
        """The job whose turn it is, if there is one and a slot for it."""
        while self._line and self._room():
            sender = next(iter(self._line))
            del self._line[sender]
            job = sender.job()
            if job is not None:
                if sender.wants():
                    self._line[sender] = None
                return job
        return None

    def serve(self) -> None:
        """Start all jobs whose turn it is."""
        while (job := self.following()) is not None:
            self._start(job)

    def _room(self) -> bool:
        return len(self._held) < self._limit or self._reclaim()

    def _reclaim(self) -> bool:
        """Take back the slots of late requests. Returns whether there were any."""
        now = time.monotonic()
        if now - self._reclaimed < _RECLAIM_EVERY:
            return False
        self._reclaimed = now
        late = now - self.patience
        before = len(self._held)
        while self._held and self._held[first := next(iter(self._held))] < late:
            del self._held[first]
        return len(self._held) < before
