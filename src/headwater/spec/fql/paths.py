"""Paths: dots lead into objects, and a backslash makes the character after it part of a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

Read = Callable[[dict[str, Any]], Any]
"""From an event's body to a value in it, or None where there is none."""

SNAKE: Final = {"received_at": "receivedAt", "sent_at": "sentAt", "original_timestamp": "originalTimestamp"}
"""Top-level moments that queries also name so; they are read where the event has no field of that very name (6.6)."""

_STRANGE: Final = re.compile(r"[^A-Za-z0-9_-]", re.DOTALL)


def split(run: str) -> tuple[str, ...]:
    """The parts of a path, without their backslashes; a part is empty where a name is missing."""
    parts: list[list[str]] = [[]]
    signs = iter(run)
    for sign in signs:
        if sign == ".":
            parts.append([])
        else:
            parts[-1].append(next(signs, "") if sign == "\\" else sign)
    return tuple("".join(part) for part in parts)


def join(parts: tuple[str, ...]) -> str:
    """The path with a backslash before each character that needs one."""
    return ".".join(_STRANGE.sub(r"\\\g<0>", part) for part in parts)


def follow(parts: tuple[str, ...]) -> Read:
    """The function that reads a path."""
    first, rest = parts[0], parts[1:]
    if not rest:
        other = SNAKE.get(first)
        if other is not None:
            return lambda body: body[first] if first in body else body.get(other)
        return lambda body: body.get(first)

    def deep(body: dict[str, Any]) -> Any:
        found: Any = body.get(first)
        for part in rest:
            if not isinstance(found, dict):
                return None
            found = cast("dict[str, Any]", found).get(part)
        return found

    return deep
