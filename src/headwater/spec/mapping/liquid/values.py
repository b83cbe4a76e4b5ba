"""Values in templates: they read as text, count as numbers and are compared as in JavaScript."""

from __future__ import annotations

from typing import Any, cast

from headwater.spec.mapping.values import UNDEFINED, number, text


def written(value: Any) -> str:
    """The value as the template writes it: nothing for null, the items of a list one after the other."""
    if isinstance(value, str):
        return value
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, list):
        return "".join(map(written, cast("list[Any]", value)))
    return text(value)


def counted(value: Any) -> float:
    """The value as a number for arithmetic, where what is none is 0."""
    found = number(value)
    return found if found == found else 0


def items(value: Any) -> list[Any]:
    """The value as a list: none for null, itself for a list, otherwise a list of it alone."""
    if value is None or value is UNDEFINED:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def true(value: Any) -> bool:
    """All but null and false is true."""
    return value is not None and value is not UNDEFINED and value is not False


def equal(left: Any, right: Any) -> bool:
    """Are they the same? Lists are if their items are; objects only if they are one and the same."""
    if isinstance(left, list):
        mine, yours = cast("list[Any]", left), cast("list[Any]", right)
        return isinstance(right, list) and len(mine) == len(yours) and all(map(equal, mine, yours))
    if left is None or left is UNDEFINED or right is None or right is UNDEFINED:
        return left is right
    if isinstance(left, bool) or isinstance(right, bool) or isinstance(left, dict):
        return left is right
    return left == right


def less(left: Any, right: Any) -> bool:
    """Is it smaller? Texts are compared letter for letter, anything else as numbers."""
    one, other = _comparable(left), _comparable(right)
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    return number(one) < number(other)


def at_most(left: Any, right: Any) -> bool:
    """Is it smaller or the same, as `less` compares them?"""
    one, other = _comparable(left), _comparable(right)
    if isinstance(one, str) and isinstance(other, str):
        return one <= other
    return number(one) <= number(other)


def _comparable(value: Any) -> Any:
    return text(cast("Any", value)) if isinstance(value, list | dict) else value


def contains(left: Any, right: Any) -> bool:
    """Has the list an item that equals it, or the text that text in it?"""
    if isinstance(left, list):
        return any(equal(each, right) for each in cast("list[Any]", left))
    return isinstance(left, str) and text(right) in left
