"""How many requests may be under way at once over all lanes, and whose turn it is when there are more.

More requests at once than the machine can work on only make each of them slower. So lanes take turns, one request
each, when all slots are taken. A request that has been out for longer than `patience` is waited for and not worked on;
its slot goes to somebody else, so that destinations that hang cannot take all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SLOTS = 256


class Slots:
    """Lanes stand in line with a function that takes their turn and says whether they want another."""

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._held: dict[int, float] = {}
        self._line: dict[Callable[[], bool], None] = {}
        self._tickets = 0

    @property
    def crowded(self) -> bool:
        """Is somebody waiting for a turn?"""
        return bool(self._line)

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
        late = time.monotonic() - self._patience
        before = len(self._held)
        while self._held and self._held[first := next(iter(self._held))] < late:
            del self._held[first]
        return len(self._held) < before
