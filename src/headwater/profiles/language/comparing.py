"""Comparators as functions of a value, with what they compare to built in (contract: profiles-governance 3.3, 3.13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.profiles.language.here import Here
from headwater.profiles.language.tree import Value
from headwater.profiles.language.values import Number, equal, exists, moment, number, order, text
from headwater.spec.timestamps import parse_moment

Test = Callable[[Any], bool]

NEGATIONS = {"absent": "exists", "omits": "contains", "none_of": "one_of"}
"""Comparators that are the negation of another, also where there is no value."""

PAIRS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": equal,
    "differs": lambda one, other: exists(one) and not equal(one, other),
    "greater_than": lambda one, other: (order(one, other) or 0) > 0,
    "at_least": lambda one, other: (found := order(one, other)) is not None and found >= 0,
    "less_than": lambda one, other: (order(one, other) or 0) < 0,
    "at_most": lambda one, other: (found := order(one, other)) is not None and found <= 0,
}
"""Comparators of two values that are both only known when they are asked."""


def test(by: str, literals: tuple[Value, ...]) -> Test:
    """The test that a comparator makes of a value. `by` is neither relative to now nor a negation."""
    first = literals[0] if literals else ""
    if by == "exists":
        return exists
    if by == "one_of":
        return _one_of(literals)
    if by in ("contains", "starts_with", "ends_with"):
        return _TEXTUAL[by](tuple(text(each) or "" for each in literals))
    if by in ("before_date", "after_date"):
        return _dated(by, parse_moment(first))
    if by in _NUMERIC and isinstance(first, int | float) and not isinstance(first, bool):
        return _NUMERIC[by](first)
    if by == "equals" and isinstance(first, str) and number(first) is None:
        return lambda value: value == first if type(value) is str else equal(value, first)
    pair = PAIRS[by]
    return lambda value: pair(value, first)


def _one_of(literals: tuple[Value, ...]) -> Test:
    words = frozenset(each for each in literals if isinstance(each, str))
    if len(words) < len(literals) or any(number(each) is not None for each in words):
        return lambda value: any(equal(value, each) for each in literals)
    return lambda value: value in words if type(value) is str else text(value) in words


def _contains(parts: tuple[str, ...]) -> Test:
    def contains(value: Any) -> bool:
        found = text(value)
        return found is not None and any(part in found for part in parts)

    return contains


_TEXTUAL: dict[str, Callable[[tuple[str, ...]], Test]] = {
    "contains": _contains,
    "starts_with": lambda parts: lambda value: (text(value) or "").startswith(parts) and value is not None,
    "ends_with": lambda parts: lambda value: (text(value) or "").endswith(parts) and value is not None,
}


def _dated(by: str, instant: int | None) -> Test:
    assert instant is not None, "check has read it"
    if by == "before_date":
        return lambda value: (found := moment(value)) is not None and found < instant
    return lambda value: (found := moment(value)) is not None and found > instant


def _at_least(bound: Number) -> Test:
    def at_least(value: Any) -> bool:
        found = value if type(value) is int else number(value)
        return found is not None and found >= bound

    return at_least


_NUMERIC: dict[str, Callable[[Number], Test]] = {
    "at_least": _at_least,
    "greater_than": lambda bound: lambda value: (found := number(value)) is not None and found > bound,
    "at_most": lambda bound: lambda value: (found := number(value)) is not None and found <= bound,
    "less_than": lambda bound: lambda value: (found := number(value)) is not None and found < bound,
}


def relative(by: str, ms: int) -> Callable[[Any, Here], bool]:
    """A test of a moment against now. It notes when its answer changes; both ends are included."""

    def within_last(value: Any, here: Here) -> bool:
        found = moment(value)
        if found is None or found < here.now - ms:
            return False
        here.note(found if found > here.now else found + ms + 1)
        return found <= here.now

    def within_next(value: Any, here: Here) -> bool:
        found = moment(value)
        if found is None or found < here.now:
            return False
        here.note(found - ms if found > here.now + ms else found + 1)
        return found <= here.now + ms

    def before_last(value: Any, here: Here) -> bool:
        found = moment(value)
        if found is not None and found > here.now - ms:
            here.note(found + ms)
        return found is not None and found <= here.now - ms

    def after_next(value: Any, here: Here) -> bool:
        found = moment(value)
        if found is None or found < here.now + ms:
            return False
        here.note(found - ms + 1)
        return True

    made = {
        "within_last": within_last,
        "within_next": within_next,
        "before_last": before_last,
        "after_next": after_next,
    }
    return made[by]
