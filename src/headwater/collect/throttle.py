"""How much each source may send: a budget of events a second, told to the sender on every answer (contract: 1.5, 1.6).

A budget is of one process: with several collectors each gives out its own.
"""

from __future__ import annotations

from math import ceil

import msgspec


class Budget(msgspec.Struct, frozen=True):
    """What a source may still send. `reset` is in whole seconds: until the budget is full, or when it is spent until
    a request may succeed. `spent` says that this request may not.
    """

    limit: int
    remaining: int
    reset: int
    spent: bool = False


class Bucket:
    """Refilled by `rate` a second up to `rate`. A request is let in while there is one left, and may leave a debt, so
    that a batch larger than the bucket passes too and is paid for afterwards.
    """

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        """`now` is in seconds of any steady clock."""
        self.rate = rate
        self._left = rate
        self._at = now

    def take(self, cost: float, now: float) -> bool:
        """Pay for a request, or say that the bucket is spent."""
        self._left = min(self.rate, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= cost
        return True

    def budget(self, *, spent: bool) -> Budget:
        """What is left, in whole numbers."""
        missing = (1 - self._left) if spent else (self.rate - self._left)
        reset = max(ceil(missing / self.rate), 1 if spent else 0)
        return Budget(int(self.rate), max(int(self._left), 0), reset, spent)


class Throttle:
    """The buckets of all sources that have a limit."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def take(self, source_id: str, rate: int, events: int, now: float) -> Budget:
        """Pay for a request's events. `rate` is the source's limit in events a second, above 0."""
        bucket = self._buckets.get(source_id)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[source_id] = Bucket(rate, now)
        return bucket.budget(spent=not bucket.take(events, now))
