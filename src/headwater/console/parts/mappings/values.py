"""What a field of a mapping gets, as a form shows it: a kind and a text, from the value and back. Pure (6.10)."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, cast

Kind = Literal["nothing", "field", "text", "template", "json"]
KINDS: Final[dict[str, str]] = {
    "nothing": "Not set",
    "field": "Event field",
    "text": "Fixed value",
    "template": "Template",
    "json": "Mapping (JSON)",
}
"""Each kind as people read it."""

PLAIN_KINDS: Final = {"nothing": "Not set", "text": "Value", "json": "JSON"}
"""The kinds of what is a value, and no mapping from events."""

OBJECT_KINDS: Final = {"nothing": "Not set", "json": "JSON"}
"""The kinds of what is an object, key by key."""

HINTS: Final[dict[str, str]] = {
    "nothing": "",
    "field": "Where it stands in the event, such as $.properties.email.",
    "text": "The same for every event.",
    "template": "Text with fields in it, such as {{userId}} of {{context.groupId}}.",
    "json": 'A directive such as {"@if": {"exists": {"@path": "$.userId"}, "then": ...}}, or any JSON.',
}
"""What is typed for each kind."""

_NUMBERS: Final = ("number", "integer")


def shown(value: Any) -> tuple[Kind, str]:
    """The kind and text of a value; what no kind but JSON can show is JSON."""
    if value is None:
        return "nothing", ""
    if isinstance(value, str):
        return "text", value
    if isinstance(value, bool | int | float):
        return "text", json.dumps(value)
    if isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        if len(held) == 1:
            if isinstance(path := held.get("@path"), str):
                return "field", path
            if isinstance(template := held.get("@template"), str):
                return "template", template
    return "json", json.dumps(value, indent=2, ensure_ascii=False)


def given(kind: str, text: str, type: str) -> Any:
    """The value of a kind and text for a field of a type; None for nothing. Raises ValueError with what is wrong."""
    match kind:
        case "nothing":
            return None
        case "field":
            if not text.strip():
                raise ValueError("Say where it stands in the event.")
            return {"@path": text.strip()}
        case "template":
            return {"@template": text}
        case "json":
            try:
                return json.loads(text)
            except ValueError as error:
                raise ValueError(f"This is not JSON: {error}") from None
        case _:
            return _fixed(text, type)


def _fixed(text: str, type: str) -> Any:
    if type == "boolean":
        if text.strip().lower() not in ("true", "false"):
            raise ValueError("It is true or false.")
        return text.strip().lower() == "true"
    if type in _NUMBERS:
        try:
            return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
        except ValueError:
            raise ValueError("It is a number.") from None
    return text


def literals(mapping: Any) -> Any:
    """What of a mapping is the same for every event: its values, without directives and what holds one."""
    if isinstance(mapping, dict):
        held = cast("dict[str, Any]", mapping)
        return {key: literals(value) for key, value in held.items() if not is_directive(value)}
    if isinstance(mapping, list):
        return [literals(value) for value in cast("list[Any]", mapping) if not is_directive(value)]
    return mapping


def is_directive(value: Any) -> bool:
    """Does this say where a value comes from, instead of being one?"""
    return isinstance(value, dict) and any(str(key).startswith("@") for key in cast("dict[Any, Any]", value))


def with_key(text: str, key: str) -> str:
    """The JSON of an object with one key more, which gets the event's property of that name.

    Raises ValueError if the text is JSON of anything else, or none.
    """
    held: Any = json.loads(text) if text.strip() else {}
    if not isinstance(held, dict) or is_directive(cast("Any", held)):
        raise ValueError("Keys are added to a JSON object only.")
    found = {key: {"@path": f"$.properties.{key}"}, **cast("dict[str, Any]", held)}
    return json.dumps(found, indent=2, ensure_ascii=False)
