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
