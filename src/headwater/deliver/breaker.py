"""A destination's circuit breaker: leaves it alone for a while after failures in a row.

    closed    --failures in a row--> open
    open      --time passes--------> half open: one request is let through
    half open --it succeeds--------> closed
    half open --it fails-----------> open

The state is a value; time is passed in, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

import msgspec


class Breaker(msgspec.Struct, frozen=True):
    """`open_until` is 0 while the breaker is closed; `probing` says that the one request of half open is under way."""

    failures: int = 0
    open_until: float = 0.0
    probing: bool = False

    @property
    def closed(self) -> bool:
        return self.open_until == 0.0

    def resting(self, now: float) -> bool:
        """Is the destination to be left alone entirely?"""
        return now < self.open_until

    def allows(self, now: float) -> bool:
        """May a request start?"""
        return self.open_until == 0.0 or (now >= self.open_until and not self.probing)


CLOSED = Breaker()


def started(breaker: Breaker) -> Breaker:
    """A request starts that `allows` let through."""
    return breaker if breaker.closed else Breaker(breaker.failures, breaker.open_until, probing=True)


def succeeded(breaker: Breaker) -> Breaker:
    """The destination answered like one that works, whatever it said."""
    return breaker if breaker is CLOSED else CLOSED


def failed(breaker: Breaker, now: float, *, limit: int, seconds: float, at_once: bool = False) -> Breaker:
    """The destination failed. `at_once` opens the breaker without counting, as when it asks to be left alone."""
    failures = breaker.failures + 1
    if at_once or failures >= limit or not breaker.closed:
        return Breaker(failures, max(now + seconds, breaker.open_until))
    return Breaker(failures)


def abandoned(breaker: Breaker) -> Breaker:
    """The request ended without saying anything of the destination's health."""
    return breaker if breaker.closed else Breaker(breaker.failures, breaker.open_until)
