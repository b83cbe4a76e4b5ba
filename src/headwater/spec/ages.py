"""How old events were when something happened to them: a histogram in fixed buckets, and the quantiles read off it.

Bucket `n` holds the ages above `BOUNDS[n - 1]` and up to `BOUNDS[n]` milliseconds; the first takes everything up to
1 ms and the last everything above the one before, so that an age of days counts as one of 24 hours. Each bound
is 1.6 times the one before, so a quantile is off by less than that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

BUCKETS: Final = 40
DAY_MS: Final = 86_400_000
BOUNDS: Final = tuple(round(DAY_MS ** (number / (BUCKETS - 1)), 3) for number in range(BUCKETS))
"""The upper end of each bucket, in milliseconds: from 1 ms to 24 hours."""

_ENDS = BOUNDS[:-1]


class Ages(msgspec.Struct, array_like=True, frozen=True):
    """How many events a destination got at which age in a minute: bucket to events.

    The age of a delivered event is from its receipt by collect to the destination's accept (contract: connections 8.5).
    `minute` is the number of minutes since 1970 of the acceptance.
    """

    source_id: str
    destination_id: str
    minute: int
    buckets: dict[int, int]


def bucket_of(ms: float) -> int:
    """The bucket of an age in milliseconds. A negative one, of clocks that differ, counts as none."""
    return bisect_left(_ENDS, ms)


def add_ages(buckets: list[int], received: Sequence[int], at: int) -> None:
    """Add events received at these instants and accepted at `at` (milliseconds) to a list with an entry a bucket.

    They mostly come in order, which is quickly put right where it is not; then a bucket's events stand together.
    """
    moments = sorted(received)
    start = 0
    while start < len(moments):
        bucket = bucket_of(at - moments[start])
        stop = bisect_left(moments, at - int(_ENDS[bucket - 1])) if bucket else len(moments)
        buckets[bucket] += stop - start
        start = stop


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """The age in milliseconds that a share `q` (0 to 1) of the events did not exceed; None when there are no events.

    Within a bucket events count as spread evenly on the logarithmic scale.
    """
    total = sum(buckets.values())
    if total <= 0:
        return None
    wanted = min(max(q, 0.0), 1.0) * total
    passed = 0
    for bucket in sorted(buckets):
        events = buckets[bucket]
        if events > 0 and passed + events >= wanted:
            upper = BOUNDS[bucket]
            lower = BOUNDS[bucket - 1] if bucket else upper / 2
            return lower * (upper / lower) ** ((wanted - passed) / events)
        passed += events
    return BOUNDS[max(buckets)]
