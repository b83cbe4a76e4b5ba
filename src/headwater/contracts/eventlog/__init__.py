"""What every backend of the event log must keep: the promises of `headwater.eventlog`, one function each.

For authors of backends: describe yours in a `Backend` and call every function of `promises(backend)` with it and an
empty folder of its own. Each raises AssertionError when the promise is broken. Nothing here needs a test framework.

    @pytest.mark.parametrize("promise", promises(MINE), ids=lambda promise: promise.__name__)
    def test_my_log_keeps(promise, tmp_path):
        promise(MINE, tmp_path)
"""

from __future__ import annotations

from headwater.contracts.eventlog import appending, committing, outliving, sharing, trimming
from headwater.contracts.eventlog.promising import (
    PARTITIONS,
    Backend,
    Clock,
    Promise,
    SetClock,
    promises,
    read_all,
    record,
    texts,
)

__all__ = [
    "PARTITIONS",
    "Backend",
    "Clock",
    "Promise",
    "SetClock",
    "appending",
    "committing",
    "outliving",
    "promises",
    "read_all",
    "record",
    "sharing",
    "texts",
    "trimming",
]
