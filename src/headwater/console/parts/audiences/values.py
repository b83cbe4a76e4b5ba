"""Values as people type them into a form: numbers as they stand, text with quotes where it needs them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

Value = str | int | float | bool
_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,30})?(e[-+]?\d{1,3})?")
_WORDS: Final[dict[str, bool]] = {"true": True, "false": False}
_QUOTED: Final = re.compile(r"\s*'((?:[^'\\]|\\.)*)'\s*(?:,|$)", re.DOTALL)


def read_value(text: str) -> Value:
    """A value from what was typed: a number, true or false, or text. In single quotes everything is text."""
    stripped = text.strip()
    quoted = _QUOTED.fullmatch(stripped)
    if quoted and not stripped.endswith(","):
        return _unescape(quoted[1])
    if stripped in _WORDS:
        return _WORDS[stripped]
    if _NUMBER.fullmatch(stripped):
        return float(stripped) if "." in stripped or "e" in stripped else int(stripped)
    return stripped


def write_value(value: Value) -> str:
    """What would be typed for a value, which `read_value` reads back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    plain = read_value(value)
    return value if isinstance(plain, str) and plain == value and value else _quote(value)


def read_values(text: str) -> tuple[Value, ...]:
    """Values that are separated by commas; a comma within quotes belongs to its text."""
    found: list[Value] = []
    rest = text
    while rest.strip():
        quoted = _QUOTED.match(rest)
        if quoted:
            found.append(_unescape(quoted[1]))
            rest = rest[quoted.end() :]
            continue
        one, _, rest = rest.partition(",")
        if one.strip():
            found.append(read_value(one))
    return tuple(found)


def write_values(values: Sequence[Value]) -> str:
    """What would be typed for several values, which `read_values` reads back."""
    return ", ".join(_quote(one) if isinstance(one, str) and "," in one else write_value(one) for one in values)


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
