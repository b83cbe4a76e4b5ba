"""How many attempts keep a sample of their request and answer: a few a second for each destination, and in all."""

from __future__ import annotations

SUCCESSES_PER_SECOND = 5
FAILURES_PER_SECOND = 20
IN_ALL = 10
"""All destinations together may keep as many times what one may."""


class Samples:
    """The budget of one destination, or of all. Time is passed in, in seconds."""

    def __init__(self, within: Samples | None = None, *, times: int = 1) -> None:
        """`within` is the budget of all, which must have room too; `times` makes a budget larger."""
        self._within = within
        self._limits = {True: SUCCESSES_PER_SECOND * times, False: FAILURES_PER_SECOND * times}
        self._second = 0
        self._taken = {True: 0, False: 0}

    def wanted(self, now: float, *, success: bool) -> bool:
        """May this attempt keep its sample? Asking takes from the budget."""
        if int(now) != self._second:
            self._second = int(now)
            self._taken = {True: 0, False: 0}
        if self._taken[success] >= self._limits[success]:
            return False
        if self._within is not None and not self._within.wanted(now, success=success):
            return False
        self._taken[success] += 1
        return True
