"""Types of columns, and the casting of values to them (contract: connections 9.6). Pure.

A column's type is fixed by its first value. A later value of another type is cast as well as can be; when that loses
anything, what it was is handed back as a *misfit*, so that the row's `_overflow` can keep it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headwater.spec.timestamps import parse_moment

ArrowArray = Any
ArrowTable = Any
"""Arrow's arrays and tables, whose own types are incomplete."""

Misfits = dict[int, Any]
"""Values that their column could not hold, or not exactly, by their place in the column."""

_MIN, _MAX = -(2**63), 2**63 - 1
_INTEGER = re.compile(r"\s*[+-]?\d{1,19}\s*", re.ASCII)
_FLOAT = re.compile(r"\s*[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?\s*", re.ASCII)
_BOOLEANS: Final[dict[Any, bool]] = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}
_NO = object()


class Kind(StrEnum):
    """The five types of a warehouse column."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


ARROW: Final = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIMESTAMP: pa.timestamp("us"),
}
"""How each type travels to an engine; timestamps are in UTC without saying so."""


def kind_of(value: Any) -> Kind:
    """The type that a column takes from its first value, which is not None.

    Integers beyond 64 bits make a text column, which keeps every digit.
    """
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, int):
        return Kind.INTEGER if _MIN <= value <= _MAX else Kind.TEXT
    if isinstance(value, float):
        return Kind.FLOAT
    return Kind.TIMESTAMP if parse_moment(value) is not None else Kind.TEXT


class Column:
    """The values of one column of a batch. Casting is remembered, since several tables share the common columns."""

    def __init__(self, values: Sequence[Any], *, nul: bool = True) -> None:
        """`nul` says whether the engine's text may hold the character NUL."""
        self.values = values
        self._nul = nul
        self._cast: dict[Kind, tuple[ArrowArray, Misfits]] = {}

    @classmethod
    def of_moments(cls, moments: Sequence[int]) -> Column:
        """A column of timestamps that are known in milliseconds."""
        column = cls(moments)
        column._cast[Kind.TIMESTAMP] = pa.array(moments, pa.timestamp("ms")).cast(ARROW[Kind.TIMESTAMP]), {}
        return column

    @classmethod
    def of_integers(cls, integers: Sequence[int]) -> Column:
        """A column of integers of 64 bits."""
        column = cls(integers)
        column._cast[Kind.INTEGER] = pa.array(integers, ARROW[Kind.INTEGER]), {}
        return column

    def cast(self, kind: Kind) -> tuple[ArrowArray, Misfits]:
        """The column as an Arrow array of that type, and what did not fit. Never raises."""
        found = self._cast.get(kind)
        if found is None:
            found = self._cast[kind] = cast_values(self.values, kind, nul=self._nul)
        return found


def cast_values(values: Sequence[Any], kind: Kind, *, nul: bool = True) -> tuple[ArrowArray, Misfits]:
    """Cast values to a type: at Arrow's speed when all are of it, and one by one when not."""
    try:
        array = _all_at_once(values, kind)
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        array = None
    if array is not None and (nul or kind is not Kind.TEXT or not _has_nul(array)):
        return array, {}
    return _one_by_one(values, kind, nul=nul)


def _all_at_once(values: Sequence[Any], kind: Kind) -> ArrowArray | None:
    if kind is Kind.TIMESTAMP:
        moments = pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC"))
        return moments.cast(ARROW[kind])
    if kind is Kind.INTEGER:
        array = pa.array(values)  # with a type given, Arrow would cut decimals off in silence
        return array.cast(pa.int64()) if array.type in (pa.int64(), pa.null()) else None
    array = pa.array(values, ARROW[kind])
    if kind is Kind.FLOAT and pc.call_function("all", [pc.call_function("is_finite", [array])]).as_py() is False:
        return None
    return array


def _has_nul(array: ArrowArray) -> bool:
    found = pc.call_function("match_substring", [array], pc.MatchSubstringOptions("\x00"))
    return pc.call_function("any", [found]).as_py() is True


def _one_by_one(values: Sequence[Any], kind: Kind, *, nul: bool) -> tuple[ArrowArray, Misfits]:
    misfits: Misfits = {}
    fitted: list[Any] = [None] * len(values)
    fit = _FITTERS[kind]
    for place, value in enumerate(values):
        if value is None:
            continue
        fitted[place], exact = fit(value)
        if kind is Kind.TEXT and not nul and "\x00" in fitted[place]:
            fitted[place], exact = fitted[place].replace("\x00", ""), False
        if not exact:
            misfits[place] = value
    if kind is Kind.TIMESTAMP:
        return pa.array(fitted, pa.timestamp("ms")).cast(ARROW[kind]), misfits
    return pa.array(fitted, ARROW[kind]), misfits


def _text(value: Any) -> tuple[Any, bool]:
    if isinstance(value, str):
        if value.isascii():
            return value, True
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), True
    return as_json(value), True


def _integer(value: Any) -> tuple[Any, bool]:
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else _NO
    if isinstance(value, float) and math.isfinite(value):
        whole = int(value)
        return (whole, value.is_integer()) if _MIN <= whole <= _MAX else (None, False)
    if isinstance(value, int) and _MIN <= value <= _MAX:
        return int(value), True
    return None, False


def _float(value: Any) -> tuple[Any, bool]:
    if isinstance(value, str):
        value = float(value) if _FLOAT.fullmatch(value) else _NO
    if isinstance(value, int | float):
        try:
            near = float(value)
        except OverflowError:
            return None, False
        return (near, near == value) if math.isfinite(near) else (None, False)
    return None, False


def _boolean(value: Any) -> tuple[Any, bool]:
    if isinstance(value, bool):
        return value, True
    word = value.strip().lower() if isinstance(value, str) else value
    found = _BOOLEANS.get(word) if isinstance(word, str | int) else None
    return found, found is not None


def _timestamp(value: Any) -> tuple[Any, bool]:
    moment = parse_moment(value)
    return moment, moment is not None


_FITTERS: Final = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _timestamp,
}


def as_json(value: Any) -> str:
    """A value as JSON text; whatever JSON cannot say is written as null."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeError, ValueError, TypeError, OverflowError, RecursionError):
        return msgspec.json.encode(_sayable(value, 64)).decode()


def _sayable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict) and depth:
        items = cast("dict[Any, Any]", value).items()
        return {_sayable(str(key), 1): _sayable(item, depth - 1) for key, item in items}
    if isinstance(value, list | tuple) and depth:
        return [_sayable(item, depth - 1) for item in cast("list[Any]", value)]
    return value if isinstance(value, bool | int | float) and abs(value) < 2**64 else None
