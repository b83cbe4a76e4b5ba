"""From fields to a function: closures over a payload, built once and called for each event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final, cast

from headwater.spec.destination import Field
from headwater.spec.mapping.values import UNDEFINED, kind, number, number_text, text
from headwater.spec.payload.coercing import FITS, coercion
from headwater.spec.payload.formats import FORMATS
from headwater.spec.payload.schema import Schema, read
from headwater.spec.wire import JSON

Prepare = Callable[[JSON, bool], tuple[dict[str, Any], list[str]]]
"""From what a mapping made, and whether it is one of a batch, to the payload and what is wrong with it."""

Clean = Callable[[Any], Any]
"""From a value to the same without what is empty; UNDEFINED if that is the value itself."""

Problems = list[tuple[str, str]]
"""Paths, from the value that is looked at, and what is wrong there."""

Check = Callable[[Any, Problems], Any]
"""From a value to the value converted; what is wrong with it is added to the list."""

SHOWN: Final = 50
"""Problems of one payload that are told; of any others, only how many there are."""

EXEMPT: Final = "dynamicAuthSettings"
"""A field that is never looked at."""

_CHOICES_SHOWN: Final = 20
_WORDS: Final = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "undefined": "nothing",
}


def compile_fields(fields: Sequence[Field]) -> Prepare:
    """The function that prepares payloads for an action with these fields. Without any, payloads stay as they are."""
    schema = read(fields)
    cleans = {key: _cleaner(each) for key, each in (schema.properties or {}).items()}
    lists = [key for key, each in (schema.properties or {}).items() if each.types == ("array",)]
    check = _checker(schema)

    def prepare(payload: JSON, batch: bool) -> tuple[dict[str, Any], list[str]]:
        if not isinstance(payload, dict):
            return {}, [f"/ is an object, not {_WORDS[kind(payload)]}."]
        given = cast("dict[str, Any]", payload)
        if not fields:
            return given, []
        kept = _cleaned(given, cleans)
        if not batch:
            kept = {key: value for key, value in kept.items() if value != ""}
        for key in lists:
            if key in kept and kept[key] is not None and not isinstance(kept[key], list):
                kept[key] = [kept[key]]
        problems: Problems = []
        made = check(kept, problems)
        told = [f"{path} {sentence}." for path, sentence in problems[:SHOWN]]
        if len(problems) > SHOWN:
            told.append(f"/ has {len(problems) - SHOWN:,} more problems.")
        return (made | {EXEMPT: kept[EXEMPT]} if EXEMPT in kept else made), told

    return prepare


def _cleaned(value: dict[str, Any], cleans: dict[str, Clean]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, item in value.items():
        clean = cleans.get(key)
        made = item if clean is None else clean(item)
        if made is not UNDEFINED:
            kept[key] = made
    return kept


def _cleaner(schema: Schema) -> Clean:
    """Removes null and empty text where they cannot be meant. Items of lists are dropped or stay as they are."""
    null, empty = "null" in schema.types, "string" in schema.types
    item = _cleaner(schema.items) if schema.items else None
    cleans = {key: _cleaner(each) for key, each in schema.properties.items()} if schema.properties else None

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value if value or empty else UNDEFINED
        if value is None:
            return None if null else UNDEFINED
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return items if item is None else [each for each in items if item(each) is not UNDEFINED]
        if cleans is not None and isinstance(value, dict):
            return _cleaned(cast("dict[str, Any]", value), cleans)
        return value

    return clean


def _checker(schema: Schema) -> Check:
    if not FITS.keys() >= set(schema.types):
        return lambda value, problems: value
    fit, *more = [FITS[each] for each in schema.types]
    coerce = coercion(schema.types)
    wanted = " or ".join(_WORDS[each] for each in schema.types)
    inner = _inner(schema)

    def check(value: Any, problems: Problems) -> Any:
        if not fit(value) and not any(other(value) for other in more):
            made = coerce(value)
            if made is UNDEFINED:
                problems.append(("", f"is {wanted}, not {_WORDS[kind(value)]}"))
                return value
            value = made
        for each in inner:
            value = each(value, problems)
        return value

    return check


def _inner(schema: Schema) -> list[Check]:
    """What is asked of a value beyond its type."""
    found: list[Check] = []
    if schema.choices:
        found.append(_choice(schema))
    if schema.format in FORMATS:
        found.append(_format(schema.format))
    if schema.minimum is not None or schema.maximum is not None:
        found.append(_limits(schema.minimum, schema.maximum))
    if schema.items is not None:
        found.append(_items(_checker(schema.items)))
    if schema.properties is not None:
        found.append(_properties(schema))
    return found


def _choice(schema: Schema) -> Check:
    """One of the choices, which are kept as texts whatever they are."""
    numeric = schema.types[0] in ("number", "integer")
    choices = {number_text(number(each)) if numeric else each for each in schema.choices}
    choices |= {each.lower() for each in choices if "boolean" in schema.types}
    more = len(schema.choices) - _CHOICES_SHOWN
    words = ", ".join(schema.choices[:_CHOICES_SHOWN]) + (f" or one of {more:,} others" if more > 0 else "")

    def check(value: Any, problems: Problems) -> Any:
        if not (value is None and "null" in schema.types) and text(value) not in choices:
            problems.append(("", f"is one of {words}"))
        return value

    return check


def _format(name: str) -> Check:
    holds, words = FORMATS[name]

    def check(value: Any, problems: Problems) -> Any:
        if isinstance(value, str) and not holds(value):
            problems.append(("", f"is {words}"))
        return value

    return check


def _limits(minimum: float | None, maximum: float | None) -> Check:
    """Limits of a number, or of the length of a text in characters."""
    low = float("-inf") if minimum is None else minimum
    high = float("inf") if maximum is None else maximum

    def check(value: Any, problems: Problems) -> Any:
        size = len(value) if isinstance(value, str) else value
        if size is not None and isfinite(size) and not low <= size <= high:
            unit = " characters" if isinstance(value, str) else ""
            limit = f"at least {low:g}" if size < low else f"at most {high:g}"
            problems.append(("", f"{'has' if unit else 'is'} {limit}{unit}"))
        return value

    return check


def _items(check: Check) -> Check:
    def each(value: Any, problems: Problems) -> Any:
        if not isinstance(value, list):
            return value
        made: list[Any] = []
        for index, item in enumerate(cast("list[Any]", value)):
            told = len(problems)
            made.append(check(item, problems))
            _place(problems, told, index)
        return made

    return each


def _place(problems: Problems, told: int, key: str | int) -> None:
    """Put the key before the paths of what was told since."""
    if len(problems) > told:
        problems[told:] = [(f"/{key}{path}", sentence) for path, sentence in problems[told:]]


def _properties(schema: Schema) -> Check:
    checks = {key: _checker(each) for key, each in (schema.properties or {}).items()}

    def check(value: Any, problems: Problems) -> Any:
        found = dict(cast("dict[str, Any]", value))
        missing = [key for key in schema.required if key not in found]
        missing += [key for condition in schema.conditions if (key := condition(found)) is not None]
        problems += [(f"/{key}", "is missing") for key in dict.fromkeys(missing)]
        made: dict[str, Any] = {}
        for key, item in found.items():
            if key in checks:
                told = len(problems)
                made[key] = checks[key](item, problems)
                _place(problems, told, key)
            elif schema.additional:
                made[key] = item
        return made

    return check
