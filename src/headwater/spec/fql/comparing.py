"""When two values are equal, in order, or one in the other; none is converted for it (contract: connections 6.6)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, TypeGuard, cast

from headwater.spec.timestamps import parse_moment

Relation = Callable[[Any, Any], bool]


def is_number(value: Any) -> TypeGuard[float]:
    """Is it a number? True and false are none, and NaN is none that matches anything."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Any, right: Any) -> bool:
    """Are they of one type and value? Lists and objects are, if their JSON would read alike, order of keys included."""
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        mine, yours = cast("list[Any]", left), cast("list[Any]", right)
        return len(mine) == len(yours) and all(map(same, mine, yours))
    if isinstance(left, dict) and isinstance(right, dict):
        one, other = cast("dict[str, Any]", left), cast("dict[str, Any]", right)
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return left == right


def differ(left: Any, right: Any) -> bool:
    """Are they not the same? NaN neither is nor is not anything."""
    return left == left and right == right and not same(left, right)


def within(value: Any, values: Any) -> bool:
    """Is the value one of a list?"""
    return isinstance(values, list) and any(same(value, each) for each in cast("list[Any]", values))


def _ordered(holds: Relation) -> Relation:
    """An order of numbers, and of texts that both spell a moment; no other values are in any order."""

    def compare(left: Any, right: Any) -> bool:
        if is_number(left) and is_number(right):
            return holds(left, right)
        if isinstance(left, str) and isinstance(right, str):
            one, other = parse_moment(left), parse_moment(right)
            return one is not None and other is not None and holds(one, other)
        return False

    return compare


ORDERS: Final[dict[str, Relation]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
"""The signs that compare numbers, as functions of two numbers."""

RELATIONS: Final[dict[str, Relation]] = {
    "=": same,
    "!=": differ,
    "in": within,
    **{sign: _ordered(holds) for sign, holds in ORDERS.items()},
}
"""Every sign as a function of two values."""
