"""Whether a form shows a field, and whether it is needed, by the values of the others (6.8). Pure.

What a field is needed for is asked as the engine asks it, since it is the engine that would refuse. Nothing but forms
asks whether one is shown, so there a field that has no value is like one that is empty, and what a value comes to with
each event (`unknown`) hides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from headwater.spec.payload.conditions import compile_condition, same

_EMPTY = (None, "")


def is_needed(when: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Do the values meet the conditions on which a field is needed?"""
    return bool(when.get("conditions")) and compile_condition("", dict(when))(dict(values)) is not None


def is_shown(
    when: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    mode: str | None = None,
    unknown: Callable[[Any], bool] = lambda _: False,
) -> bool:
    """Do the values, and the mode in which records are synced, meet the conditions on which a field is shown?"""
    asked = cast("list[dict[str, Any]]", when.get("conditions") or [])
    if not asked:
        return True
    join = any if when.get("match") == "any" else all
    return join(_holds(one, mode if one.get("type") == "syncMode" else _value(one, values), unknown) for one in asked)


def _value(asked: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """The value at the key, which may be that of an object and one of its own."""
    found: Any = values
    for key in str(asked.get("fieldKey", "")).split("."):
        found = cast("dict[str, Any]", found).get(key) if isinstance(found, Mapping) else None
    return found


def _holds(asked: Mapping[str, Any], value: Any, unknown: Callable[[Any], bool]) -> bool:
    if unknown(value):
        return True
    wanted: Any = asked.get("value")
    any_of = cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]
    among = any(same(value, one) or (value in _EMPTY and one in _EMPTY) for one in any_of)
    return among is (asked.get("operator") != "is_not")
