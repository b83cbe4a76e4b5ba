"""How often each space may ask: so many requests in any second (contract: profiles-governance 2.6)."""

from __future__ import annotations

from collections import defaultdict, deque

import msgspec


class Granted(msgspec.Struct, frozen=True):
    """Whether a request may go on, and where its space stands. `wait` is the seconds until the next one may."""

    granted: bool
    limit: int
    remaining: int
    wait: float

    def headers(self) -> dict[str, str]:
        """The headers that tell the client."""
        told = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(self.remaining)}
        return told if self.granted else told | {"Retry-After": str(max(1, round(self.wait)))}


class Pace:
    """Remembers the requests of the last second that went on, of each space."""

    def __init__(self, per_second: int) -> None:
        """`per_second` 0 is without limit."""
        self._limit = per_second
        self._went: defaultdict[str, deque[float]] = defaultdict(deque)

    def count(self, space_id: str, now: float) -> Granted | None:
        """Count a request at an instant, in seconds; None when nothing is limited."""
        if self._limit <= 0:
            return None
        went = self._went[space_id]
        while went and now - went[0] >= 1.0:
            went.popleft()
        if len(went) >= self._limit:
            return Granted(False, self._limit, 0, went[0] + 1.0 - now)
        went.append(now)
        return Granted(True, self._limit, self._limit - len(went), 0.0)
