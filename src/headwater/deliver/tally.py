"""The metrics of events, added up before they are told: with many destinations telling costs more than counting."""

from __future__ import annotations

from collections import Counter

from headwater import telemetry

_EVERY_SECONDS = 5.0


class Tally:
    """Counts by destination, step and reason. Time is passed in, in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._told = 0.0

    def add(self, destination_id: str, step: str, reason: str, events: int) -> None:
        """So many events met a step."""
        self._counts[destination_id, step, reason] += events

    def tell(self, now: float, *, at_once: bool = False) -> None:
        """Bring the metrics up to date, at most every five seconds."""
        if at_once or now - self._told >= _EVERY_SECONDS:
            self._told = now
            for labels, events in self._counts.items():
                telemetry.DELIVER_EVENTS.labels(*labels).inc(events)
            self._counts.clear()
