"""Fields that are needed only if others have certain values (6.8).

Conditions look at a payload before its values are converted, and one level deep at most: `a.b` is the field b of the
object a. Asking whether a field is null makes it so if it is loosely that (empty text, 0 or false), as in the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from headwater.spec.mapping.values import UNDEFINED

Object = dict[str, Any]
Test = Callable[[Object], bool]
Condition = Callable[[Object], str | None]
"""From an object, which it may change, to the path in it of what is needed and missing."""


def compile_condition(key: str, when: dict[str, Any]) -> Condition:
    """The condition on which the field `key` is needed: `{"match": "all" or "any", "conditions": [...]}`."""
    asked: list[dict[str, Any]] = when["conditions"]
    if len(asked) == 1:
        return _then(_single(asked[0]), _needed(key))
    tests = [_one_of_several(each) for each in asked]
    join = any if when.get("match") == "any" else all
    return _then(lambda found: join(test(found) for test in tests), lambda found: None if key in found else key)


def _then(test: Test, needed: Condition) -> Condition:
    return lambda found: needed(found) if test(found) else None


def _needed(key: str) -> Condition:
    """The field is there; of a field in an object, the object is, and the field is in it."""
    parent, dot, rest = key.partition(".")
    if not dot:
        return lambda found: None if key in found else key
    child = rest.partition(".")[0]

    def look(found: Object) -> str | None:
        if parent not in found:
            return parent
        inner = found[parent]
        return f"{parent}/{child}" if isinstance(inner, dict) and child not in inner else None

    return look


def _single(asked: dict[str, Any]) -> Test:
    key, positive = str(asked.get("fieldKey", "")), asked.get("operator") == "is"
    if "." in key or "value" in asked:
        return _one_of_several(asked)
    if positive:
        return lambda found: key not in found or _null(found, key)
    return lambda found: key in found and not _null(found, key)


def _one_of_several(asked: dict[str, Any]) -> Test:
    key, positive = str(asked.get("fieldKey", "")), asked.get("operator") == "is"
    parent, dot, rest = key.partition(".")
    wanted = asked.get("value", UNDEFINED)
    if dot:
        return _in_object(parent, rest.partition(".")[0], wanted, positive=positive)
    if wanted is UNDEFINED:
        return lambda found: (key not in found) is positive
    return lambda found: key in found and same(found[key], wanted) is positive


def _in_object(parent: str, child: str, wanted: Any, *, positive: bool) -> Test:
    """What is no object has every field."""

    def test(found: Object) -> bool:
        if parent not in found:
            return False
        inner: Any = found[parent]
        if not isinstance(inner, dict):
            return True
        fields = cast("Object", inner)
        return child in fields and (wanted is UNDEFINED or same(fields[child], wanted)) is positive

    return test


def _null(found: Object, key: str) -> bool:
    value: Any = found[key]
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = value[0]
    null = value is None or (isinstance(value, str | int | float) and value in ("", 0))
    if null:
        found[key] = None
    return null


def same(left: Any, right: Any) -> bool:
    """Are they of one type and value, at every level?"""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        mine, yours = cast("list[Any]", left), cast("list[Any]", right)
        return len(mine) == len(yours) and all(map(same, mine, yours))
    if isinstance(left, dict) and isinstance(right, dict):
        one, other = cast("Object", left), cast("Object", right)
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return left == right
