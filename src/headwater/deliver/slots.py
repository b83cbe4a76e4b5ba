"""How many requests may be under way at once over all lanes, and whose turn it is when there are more.

More requests at once than the machine can work on only make each of them slower. So lanes take turns, one request
each, when all slots are taken. A request that is late is waited for and not worked on; its slot goes to somebody else,
so that destinations that hang cannot take all of them. Late is what has been out for longer than the grace and several
times as long as requests take these days, so that a machine with too much to do does not blame the destinations.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SLOTS = 128
_TIMES_TYPICAL = 4
_MEMORY = 64


class Slots:
    """Lanes stand in line with a function that takes their turn and says whether they want another."""

    def __init__(self, limit: int, grace: float) -> None:
        """`grace` is in seconds."""
        self._limit = limit
        self._grace = grace
        self._typical = 0.0
        self._held: dict[int, float] = {}
        self._line: dict[Callable[[], bool], None] = {}
        self._tickets = 0

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

    def free(self, turn: Callable[[], bool]) -> bool:
        """May a request start at once? If not, the caller stands in line."""
        if not self._line and (len(self._held) < self._limit or self._reclaim()):
            return True
        self._line[turn] = None
        return False

    def enter(self) -> int:
        """A request starts. Returns the ticket to leave with."""
        self._tickets += 1
        self._held[self._tickets] = time.monotonic()
        return self._tickets

    def leave(self, ticket: int) -> None:
        """A request ended; whoever stands first in line takes the slot."""
        self._held.pop(ticket, None)
        if self._line:
            self.serve()

    def serve(self) -> None:
        """Give turns while there are slots and lanes in line."""
        while self._line and (len(self._held) < self._limit or self._reclaim()):
            turn = next(iter(self._line))
            del self._line[turn]
            if turn():
                self._line[turn] = None

    def _reclaim(self) -> bool:
        """Take back the slots of requests that have been out for long. Returns whether there were any."""
        late = time.monotonic() - self.patience
        before = len(self._held)
        while self._held and self._held[first := next(iter(self._held))] < late:
            del self._held[first]
        return len(self._held) < before
