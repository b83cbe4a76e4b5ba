"""Counts of requests between two flushes: plain numbers on the way in, metrics once a second."""

from __future__ import annotations

from collections import Counter

from headwater import telemetry

_SAMPLES = 50


class Tally:
    """What happened since the last flush."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.bytes = 0
        self.lost_pixels = 0
        self.samples_wanted = _SAMPLES
        """How many more appends should be timed; a few of each second are."""
        self._seconds: list[float] = []

    def sample(self, seconds: float) -> None:
        """One append took so long."""
        self.samples_wanted -= 1
        self._seconds.append(seconds)

    def flush(self) -> None:
        """Add everything to the metrics and start anew."""
        for status, requests in self.statuses.items():
            telemetry.COLLECT_REQUESTS.labels(str(status)).inc(requests)
        for seconds in self._seconds:
            telemetry.COLLECT_APPEND.observe(seconds)
        telemetry.COLLECT_BYTES.inc(self.bytes)
        telemetry.COLLECT_LOST_PIXELS.inc(self.lost_pixels)
        self.statuses.clear()
        self.samples_wanted = _SAMPLES
        self._seconds.clear()
        self.bytes = self.lost_pixels = 0
