"""The comparators of the language as a form names them, and what stands beside each. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Takes = Literal["nothing", "scalar", "value", "values", "moment", "duration"]


class Comparison(msgspec.Struct, frozen=True):
    """A comparator: how the form names it, and what it is compared with."""

    label: str
    takes: Takes


COMPARISONS: Final[dict[str, Comparison]] = {
    "equals": Comparison("is", "scalar"),
    "differs": Comparison("is not", "scalar"),
    "at_least": Comparison("is at least", "scalar"),
    "greater_than": Comparison("is more than", "scalar"),
    "at_most": Comparison("is at most", "scalar"),
    "less_than": Comparison("is less than", "scalar"),
    "one_of": Comparison("is one of", "values"),
    "none_of": Comparison("is none of", "values"),
    "contains": Comparison("contains one of", "values"),
    "omits": Comparison("does not contain", "value"),
    "starts_with": Comparison("begins with", "value"),
    "ends_with": Comparison("ends with", "value"),
    "exists": Comparison("is there", "nothing"),
    "absent": Comparison("is not there", "nothing"),
    "before_date": Comparison("is before the day", "moment"),
    "after_date": Comparison("is after the day", "moment"),
    "within_last": Comparison("was within the last", "duration"),
    "within_next": Comparison("is within the next", "duration"),
    "before_last": Comparison("was longer ago than", "duration"),
    "after_next": Comparison("is further away than", "duration"),
}
LABELS: Final = {name: one.label for name, one in COMPARISONS.items()}
HINTS: Final[dict[Takes, str]] = {
    "scalar": "50, pro or true",
    "value": "text",
    "values": "pro, team",
    "moment": "2024-01-31",
    "nothing": "",
    "duration": "",
}
"""What may be typed, as an example."""
