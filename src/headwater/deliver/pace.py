"""A rate limit: at most so many requests a second, evenly, with a tenth of a second's worth of catching up."""

from __future__ import annotations

_CATCH_UP_SECONDS = 0.1


class Pace:
    """`per_second` 0 is without limit. Time is passed in, in seconds."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second if per_second > 0 else 0.0
        self._next = 0.0

    def wait(self, now: float) -> float:
        """How long until a request may start; 0 when it may now."""
        return max(self._next - now, 0.0)

    def start(self, now: float) -> None:
        """A request starts."""
        if self._gap:
            self._next = max(self._next, now - _CATCH_UP_SECONDS) + self._gap
