"""Values as the language of mappings sees them: what is missing, what counts as true, and how anything reads as text.

Mappings are written for an engine in JavaScript, so what is missing (undefined) is not null, and values become text as
they do there (contract: connections 6.10, 13.1).
"""

from __future__ import annotations

import re
from enum import Enum
from json.encoder import encode_basestring
from math import inf, isinf, isnan, nan
from typing import Any, Final, cast

from headwater.spec.mapping.errors import TOO_LONG, MappingFailed


class Undefined(Enum):
    """What is missing. Unlike null, it leaves no trace in what a mapping makes."""

    UNDEFINED = 0

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined.UNDEFINED

MAX_TEXT: Final = 1_000_000
"""The longest text that one directive makes, in characters. An event has at most 32 KB, so only a trick is longer."""

SPACES: Final = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What counts as white space at the ends of a text."""

_SAFE: Final = 2**53
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_RADIX: Final = {"0x": 16, "0o": 8, "0b": 2}
_LAST_INDEX: Final = 2**32 - 1


def truthy(value: Any) -> bool:
    """Does it count as true? Empty lists and objects do; 0, NaN, empty text, null and what is missing do not."""
    return isinstance(value, dict | list) or (bool(value) and value == value)


def kind(value: Any) -> str:
    """The name of its type: `undefined`, `null`, `boolean`, `number`, `string`, `array` or `object`."""
    if value is None or value is UNDEFINED:
        return "null" if value is None else "undefined"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def text(value: Any) -> str:
    """The value as text: `[object Object]`, `1,2`, `true`, and numbers as `number_text` has them.

    Null and what is missing are `null` and `undefined` alone, and nothing at all inside a list.
    """
    if isinstance(value, str):
        return value
    if value is None or value is UNDEFINED:
        return "null" if value is None else "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return ",".join(["" if each is None or each is UNDEFINED else text(each) for each in items])
    return "[object Object]"


def number_text(value: float) -> str:
    """A number as JavaScript writes it: `1` for 1.0, `1e+21`, `1e-7`; one of more than 53 bits is rounded to these."""
    if isinstance(value, int) and -_SAFE <= value <= _SAFE:
        return str(value)
    try:
        exact = float(value)
    except OverflowError:
        return "Infinity" if value > 0 else "-Infinity"
    if isnan(exact):
        return "NaN"
    if isinf(exact):
        return "Infinity" if exact > 0 else "-Infinity"
    if exact == 0:
        return "0"
    mantissa, _, exponent = repr(abs(exact)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + ("" if fraction == "0" else fraction)
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    return ("-" if exact < 0 else "") + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Significant digits with the point before the one at `point`, or with an exponent if that is far away."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = point - 1
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def number(value: Any) -> float:
    """The value as a number: 0 for null and empty text, NaN for what spells none."""
    if isinstance(value, bool) or value is None:
        return int(value or 0)
    if isinstance(value, int | float):
        return value
    if value is UNDEFINED:
        return nan
    spelled = text(value).strip(SPACES)
    if not spelled:
        return 0
    if spelled.lstrip("+-") == "Infinity" and len(spelled) < 10:
        return -inf if spelled[0] == "-" else inf
    if _NUMBER.fullmatch(spelled):
        return tidy(float(spelled))
    radix = _RADIX.get(spelled[:2].lower(), 0)
    try:
        return int(spelled[2:], radix) if radix and spelled[2:].isalnum() and len(spelled) < 200 else nan
    except ValueError:
        return nan


def tidy(value: float) -> float:
    """The same number, as an int if it is whole and small enough to be one."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def json_text(value: Any) -> str:
    """The value as JSON without spaces; keys that are whole numbers come first, in their order, as in JavaScript."""
    written: list[str] = []
    room = MAX_TEXT

    def write(part: str) -> None:
        nonlocal room
        room -= len(part)
        if room < 0:
            raise MappingFailed(TOO_LONG)
        written.append(part)

    def add(value: Any) -> None:
        if isinstance(value, str):
            write(_quoted(value))
        elif isinstance(value, dict):
            write("{")
            comma = ""
            for key, item in _ordered(cast("dict[str, Any]", value)):
                if item is not UNDEFINED:
                    write(f"{comma}{_quoted(key)}:")
                    add(item)
                    comma = ","
            write("}")
        elif isinstance(value, list):
            write("[")
            for index, item in enumerate(cast("list[Any]", value)):
                if index:
                    write(",")
                add(item)
            write("]")
        else:
            write(_scalar(value))

    add(value)
    return "".join(written)


def _scalar(value: Any) -> str:
    if value is None or value is UNDEFINED or (isinstance(value, float) and (isnan(value) or isinf(value))):
        return "null"
    return text(value)


def _quoted(value: str) -> str:
    quoted = encode_basestring(value)
    if quoted.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in quoted):
        return quoted
    return "".join(f"\\u{ord(sign):04x}" if "\ud800" <= sign <= "\udfff" else sign for sign in quoted)


def _ordered(value: dict[str, Any]) -> list[tuple[str, Any]]:
    items = list(value.items())
    if any(is_index(key) for key in value):
        items.sort(key=lambda item: int(item[0]) if is_index(item[0]) else _LAST_INDEX)
    return items


def is_index(key: str) -> bool:
    """Is it written as a place in a list: digits without a zero before them?"""
    return key.isascii() and key.isdigit() and (key[0] != "0" or key == "0") and len(key) < 11


def characters(value: str) -> str:
    """The characters of a text. Those beyond the first 65,536 of Unicode count as two halves, each of them U+FFFD."""
    if value.isascii() or max(value) <= "\uffff":
        return value
    return "".join(["\ufffd\ufffd" if sign > "\uffff" else sign for sign in value])


def without_undefined(value: Any) -> Any:
    """A copy in which missing keys are gone and missing items are null; the value itself if nothing is missing."""
    if value is UNDEFINED:
        return None
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        kept = {key: without_undefined(item) for key, item in mapping.items() if item is not UNDEFINED}
        same = len(kept) == len(mapping) and all(kept[key] is item for key, item in mapping.items())
        return mapping if same else kept
    if isinstance(value, list):
        items = cast("list[Any]", value)
        made = [without_undefined(item) for item in items]
        return items if all(one is other for one, other in zip(made, items, strict=True)) else made
    return value
