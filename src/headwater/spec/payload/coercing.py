"""Which values are of a type, and how another is brought into it where nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final, cast

from headwater.spec.mapping.values import UNDEFINED, number, text


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and value % 1 == 0


FITS: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": _is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
"""Is a value of the type?"""


def _to_string(value: Any) -> Any:
    if value is None:
        return ""
    return text(value) if isinstance(value, bool | int | float) else UNDEFINED


def _to_number(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return int(value or 0)
    if not isinstance(value, str) or not value:
        return UNDEFINED
    found = number(value)
    return found if found == found else UNDEFINED


def _to_integer(value: Any) -> Any:
    found = _to_number(value)
    return found if found is UNDEFINED or not isfinite(found) or found % 1 == 0 else UNDEFINED


def _to_boolean(value: Any) -> Any:
    if value is None:
        return False
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return UNDEFINED
    return False if value in ("false", 0) else True if value in ("true", 1) else UNDEFINED


def _to_null(value: Any) -> Any:
    return None if isinstance(value, str | int | float) and value in ("", 0) else UNDEFINED


def _to_array(value: Any) -> Any:
    return [value] if value is None or isinstance(value, str | int | float) else UNDEFINED


_TO: Final[dict[str, Callable[[Any], Any]]] = {
    "string": _to_string,
    "number": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "null": _to_null,
    "array": _to_array,
}


def coercion(types: tuple[str, ...]) -> Callable[[Any], Any]:
    """The function that brings a value of no such type into the first that it can be; UNDEFINED if that is none.

    A list of one value counts as that value, but where there are several types only if that is converted, too: so does
    the schema library.
    """
    into = [_TO[each] for each in types if each in _TO]

    def coerce(value: Any) -> Any:
        if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
            value = value[0]
            if len(types) == 1 and FITS[types[0]](value):
                return value
        return next((made for to in into if (made := to(value)) is not UNDEFINED), UNDEFINED)

    return coerce if into else lambda value: UNDEFINED
