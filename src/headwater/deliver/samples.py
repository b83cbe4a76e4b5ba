"""How many attempts keep a sample of their request and answer: a few a second for each destination."""

from __future__ import annotations

SUCCESSES_PER_SECOND = 5
FAILURES_PER_SECOND = 20


class Samples:
    """The budget of one destination. Time is passed in, in seconds."""

    def __init__(self) -> None:
        self._second = 0
        self._successes = 0
        self._failures = 0

    def wanted(self, now: float, *, success: bool) -> bool:
        """May this attempt keep its sample? Asking takes from the budget."""
        if int(now) != self._second:
            self._second, self._successes, self._failures = int(now), 0, 0
        if success:
            self._successes += 1
            return self._successes <= SUCCESSES_PER_SECOND
        self._failures += 1
        return self._failures <= FAILURES_PER_SECOND
