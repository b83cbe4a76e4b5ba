"""What a person gave for the settings of a definition, as the values that operations take. Pure.

A field that was left as it is sends nothing; one that was emptied sends null, which removes the setting. A secret never
comes to the browser: what stands for it is `MASK`, and a secret that was not typed again stays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from headwater.manage.answers import Option
from headwater.manage.forms import MASK

Row = tuple[str, str | None]
"""A line of a map: its name and value; a value of None is a secret that stays as it is."""

REMOVE: Final = object()
"""Given for a secret that is to be removed."""

_PLAIN = {"string", "text", "password", "select", "number", "boolean", "map", "secrets", "list"}


def kind_of(option: Option, value: Any) -> str:
    """How a setting is asked for: its type, or `json` where the type is not known or the value has no simple form."""
    if option.type not in _PLAIN:
        return "json"
    if option.type == "list" and isinstance(value, list):
        return "list" if all(isinstance(item, str) for item in cast("list[Any]", value)) else "json"
    if option.type == "map" and isinstance(value, dict):
        return "map" if all(isinstance(item, str) for item in cast("dict[str, Any]", value).values()) else "json"
    if option.type == "select" and not option.choices:
        return "string"
    return option.type


def changes(
    options: Sequence[Option], given: Mapping[str, Any], before: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """What to ask for so that the settings become what was given, and what is wrong, by the setting's name."""
    wanted: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for option in options:
        key = option.name
        try:
            value = _value(kind_of(option, before.get(key)), given.get(key), before.get(key))
        except ValueError as error:
            wrong[key] = str(error)
            continue
        if value is REMOVE or (value is None and key in before and option.type != "password"):
            wanted[key] = None
        elif value is not None and value != before.get(key, option.default_value):
            wanted[key] = value
        if _is_missing(option, value, before):
            wrong[key] = "Needed."
    return {key: value for key, value in wanted.items() if key not in wrong}, wrong


def _is_missing(option: Option, value: Any, before: Mapping[str, Any]) -> bool:
    if not option.required or option.default_value is not None or value not in (None, REMOVE):
        return False
    return value is REMOVE or option.type != "password" or option.name not in before


def _value(kind: str, given: Any, before: Any) -> Any:
    match kind:
        case "boolean":
            return None if given is None else bool(given)
        case "number":
            return _number(given)
        case "list":
            return _lines(given)
        case "map" | "secrets":
            return _pairs(given or (), before)
        case "json":
            return _json(given)
        case "password":
            return given or None
        case _:
            return str(given).strip() or None if given is not None else None


def _number(given: Any) -> int | float | None:
    if given is None or given == "":
        return None
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise ValueError("This is not a number.") from None
    if not math.isfinite(number):
        raise ValueError("This is not a number.")
    return int(number) if number.is_integer() else number


def _lines(given: Any) -> list[str] | None:
    items = cast("list[str]", given) if isinstance(given, list) else str(given or "").splitlines()
    return [item.strip() for item in items if item.strip()] or None


def _pairs(rows: Sequence[Row], before: Any) -> dict[str, str] | None:
    known: Mapping[str, str] = before if isinstance(before, dict) else {}
    pairs: dict[str, str] = {}
    for name, value in rows:
        name = name.strip()
        if not name and not value:
            continue
        if not name:
            raise ValueError("A line has a value but no name.")
        if name in pairs:
            raise ValueError(f"“{name}” is there twice.")
        if value is None and name not in known:
            raise ValueError(f"“{name}” was renamed; type its value again.")
        pairs[name] = MASK if value is None else value
    return pairs or None


def _json(given: Any) -> Any:
    text = str(given or "").strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"This is not JSON: {error}") from None
