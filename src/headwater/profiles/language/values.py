"""How values are read: as text, as a number, as a moment; when two are equal, and which comes first.

Numbers may come as text ("12.50"), and text equals a number that it spells; true is the text 'true'; lists and objects
read as their JSON text; NaN and infinities are no values (contract: profiles-governance 3.1, 3.3, 3.13, 3.15).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from headwater.profiles.language.tree import Value

LONGEST_TEXT = 1_000
"""Characters of a value that are kept in a state; longer text is cut."""

Number = int | float

_LARGEST = 1e200  # sums of numbers up to this cannot overflow
_EXACT = 2**53
_LEAST_WRITTEN, _MOST_WRITTEN = -(2**63), 2**64  # what msgpack can write
_LONGEST_NUMBER = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def number(value: Any) -> Number | None:
    """The number that the value is or spells, or None."""
    kind = type(value)
    if kind is str:
        return _spelled(value)
    if kind is not int and kind is not float:
        return None
    return value if -_LARGEST <= value <= _LARGEST else None


def _spelled(value: str) -> Number | None:
    if not value or len(value) > _LONGEST_NUMBER or "_" in value:
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if -_LARGEST <= found <= _LARGEST else None


def plain(value: float) -> Number:
    """The number as an integer where it is one, so that 30.0 is published as 30."""
    return int(value) if -_EXACT < value < _EXACT and value == int(value) else value


def text(value: Any) -> str | None:
    """The value as text, or None for null."""
    kind = type(value)
    if kind is str:
        return value
    if value is None:
        return None
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return repr(value) if _LEAST_WRITTEN <= value < _MOST_WRITTEN else json(value)
    if kind is float:
        return repr(plain(value)) if -_LARGEST <= value <= _LARGEST else None
    return json(value)


def json(value: Any) -> str | None:
    """The value as compact JSON, or None if it has none."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def kept(value: Any) -> Value | None:
    """The value as a state keeps it: a scalar that msgpack can write, and bounded."""
    kind = type(value)
    if kind is str:
        return sound(value[:LONGEST_TEXT])
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if _LEAST_WRITTEN <= value < _MOST_WRITTEN else number(value) and float(value)
    if kind is float:
        return number(value)
    found = json(value)
    return None if found is None else found[:LONGEST_TEXT]


def sound(value: str) -> str:
    """The text without lone surrogates, which cannot be written."""
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def moment(value: Any) -> int | None:
    """The moment in milliseconds that a text names with its zone, or None: a time without a zone is no moment (3.3)."""
    if type(value) is not str or len(value) > _LONGEST_NUMBER:
        return None
    try:
        found = datetime.fromisoformat(value)
        return None if found.tzinfo is None else (found - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None


def exists(value: Any) -> bool:
    """Is there a value? NaN is none."""
    return value is not None and (type(value) is not float or -_LARGEST <= value <= _LARGEST)


def equal(one: Any, other: Any) -> bool:
    """Are both there and the same?"""
    if one is None or other is None:
        return False
    kind, other_kind = type(one), type(other)
    if kind is str and other_kind is str:
        return one == other
    if kind is int or kind is float or other_kind is int or other_kind is float:
        left, right = number(one), number(other)
        if left is not None and right is not None:
            return left == right
    left_text = text(one)
    return left_text is not None and left_text == text(other)


def order(one: Any, other: Any) -> int | None:
    """Below zero if one comes before the other, zero if neither does, above zero if after; None if they have no order.

    Numbers, also in text, are compared as numbers; other text by its characters, which suits dates in one form.
    """
    left, right = number(one), number(other)
    if left is not None and right is not None:
        return (left > right) - (left < right)
    one, other = _letters(one), _letters(other)
    return None if one is None or other is None else (one > other) - (one < other)


def _letters(value: Any) -> str | None:
    """Text, lists and objects as text; numbers and truth have another order."""
    return value if type(value) is str else json(value) if isinstance(value, list | dict) else None
