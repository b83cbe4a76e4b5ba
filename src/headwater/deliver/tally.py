"""The metrics of events, added up before they are told: with many destinations telling costs more than counting."""

from __future__ import annotations

from collections import Counter

from headwater import telemetry

_EVERY_SECONDS = 5.0
_AT_ONCE = 50
"""So many are told at a time, so that telling of a thousand destinations holds up no request."""


class Tally:
    """Counts by destination, step and reason. Time is passed in, in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._telling: list[tuple[tuple[str, str, str], int]] = []
        self._told = 0.0

    def add(self, destination_id: str, step: str, reason: str, events: int) -> None:
        """So many events met a step."""
        self._counts[destination_id, step, reason] += events

    def tell(self, now: float, *, at_once: bool = False) -> None:
        """Bring the metrics up to date: some of them, unless it is to be all `at_once`, and each every five seconds."""
        if at_once or (not self._telling and now - self._told >= _EVERY_SECONDS):
            self._told = now
            self._telling += self._counts.items()
            self._counts.clear()
        left = 0 if at_once else max(len(self._telling) - _AT_ONCE, 0)
        for labels, events in self._telling[left:]:
            telemetry.DELIVER_EVENTS.labels(*labels).inc(events)
        del self._telling[left:]
