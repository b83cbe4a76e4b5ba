"""Paths of mappings: `a.b[0].c`, `a['b']`, `$.a`; nothing and `.` are the whole of what is mapped (6.10).

A bracket without a digit or a quote in it is part of a name, and quotes are no part of any. A path that leads through
null, 0, false or empty text ends there, and gives that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast

from headwater.spec.mapping.values import UNDEFINED, characters, is_index

Read = Callable[[Any], Any]
"""From what is mapped (an event, or an item of a list in one) to a value."""

_PARTS: Final = re.compile(r"""\[(?=["'0-9])|\.|(?<=["'0-9])\]+""")


def split(path: str) -> tuple[str, ...]:
    """The names and places in a path."""
    return tuple(part.replace("'", "").replace('"', "") for part in _PARTS.split(path) if part)


def relative(path: str) -> str:
    """The path without the `$.` that it may begin with. One in its middle goes too, as everywhere else."""
    return path.replace("$.", "", 1)


def follow(path: str) -> Read:
    """The function that reads a path."""
    parts = split(path)
    if not parts:
        return lambda value: value
    if len(parts) == 1:
        (only,) = parts

        def field(value: Any) -> Any:
            return value.get(only, UNDEFINED) if type(value) is dict else step(value, only)

        return field

    def read(value: Any) -> Any:
        for part in parts:
            value = value.get(part, UNDEFINED) if type(value) is dict else step(value, part)
        return value

    return read


lately = lru_cache(maxsize=256)(follow)
"""The same for paths that come from events, of which some are remembered."""


def step(value: Any, part: str) -> Any:
    """What is called `part` in a value that is not quite a dict."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get(part, UNDEFINED)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if is_index(part):
            index = int(part)
            return items[index] if index < len(items) else UNDEFINED
        return len(items) if part == "length" else UNDEFINED
    if isinstance(value, str) and value:
        return _sign(value, part)
    return value if not value or value != value else UNDEFINED


def _sign(value: str, part: str) -> Any:
    """A character of a text, or how many it has."""
    if not is_index(part) and part != "length":
        return UNDEFINED
    signs = characters(value)
    if part == "length":
        return len(signs)
    return signs[int(part)] if int(part) < len(signs) else UNDEFINED
