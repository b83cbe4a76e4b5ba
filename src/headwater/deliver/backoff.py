"""When a failed delivery is tried again (contract: connections 6.3).

Before attempt n + 1 a delivery waits anything from nothing to the first wait doubled n - 1 times, at most the longest
(full jitter), so that deliveries which failed together come back as far apart as can be.
"""

from __future__ import annotations

MAX_HORIZON_HOURS = 720.0


def wait_seconds(attempts: int, *, first: float, longest: float, chance: float) -> float:
    """How long to wait after so many attempts. `chance` is a random number from 0 to 1."""
    doubled = longest if attempts > 60 else min(first * 2.0 ** max(attempts - 1, 0), longest)
    return doubled * chance


def horizon_ms(own_hours: object, house_hours: float) -> int:
    """How long a delivery is tried, in milliseconds: the destination's own wish if it is a number, within bounds."""
    hours = own_hours if isinstance(own_hours, int | float) and not isinstance(own_hours, bool) else house_hours
    return int(min(max(float(hours), 0.0), MAX_HORIZON_HOURS) * 3_600_000)
