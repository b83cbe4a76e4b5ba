"""How often a token may ask: a count for each minute (contract: public-api 6)."""

from __future__ import annotations

from email.utils import formatdate

import msgspec

_MINUTE = 60_000


class Allowance(msgspec.Struct, frozen=True):
    """Where a token stands after a request: what it has used, what is left, and when the minute ends (ms)."""

    consumed: int
    remaining: int
    resets_at: int
    granted: bool

    def headers(self) -> dict[str, str]:
        """The headers that tell the client."""
        return {
            "X-RateLimit-Consumed": str(self.consumed),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": formatdate(self.resets_at / 1000, usegmt=True),
        }


class Meter:
    """Counts the requests of each token in the running minute."""

    def __init__(self, per_minute: int) -> None:
        """`per_minute` 0 is without limit."""
        self._limit = per_minute
        self._minute = -1
        self._counts: dict[str, int] = {}

    def count(self, token_id: str, now: int) -> Allowance | None:
        """Count one request at an instant (ms); None when nothing is limited."""
        if self._limit <= 0:
            return None
        if now // _MINUTE != self._minute:
            self._minute = now // _MINUTE
            self._counts.clear()
        used = self._counts[token_id] = self._counts.get(token_id, 0) + 1
        granted = used <= self._limit
        return Allowance(min(used, self._limit), max(0, self._limit - used), (self._minute + 1) * _MINUTE, granted)
