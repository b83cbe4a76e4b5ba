"""Names as paths: dots lead into objects, `$` into every entry of a list, and a backslash keeps a dot literal.

Any number of backslashes before a dot escape it, since a query in JSON needs four of them where one is meant
(contract: profiles-governance 3.13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

EACH = "$"
"""The part of a path that stands for every entry of a list."""

Path = tuple[str, ...]


@lru_cache(maxsize=1024)
def split(name: str) -> Path:
    """The parts of a path."""
    parts, part, slashes = [""], "", 0
    for sign in name:
        if sign == "\\":
            slashes += 1
            continue
        if sign == "." and not slashes:
            parts[-1] = part
            parts.append("")
            part = ""
            continue
        part += sign if sign == "." else "\\" * slashes + sign
        slashes = 0
    parts[-1] = part + "\\" * slashes
    return tuple(parts)


def follow(path: Path) -> Callable[[Any], Any]:
    """A function from an object to the value at the path, or None. The path has no `$`."""
    first, rest = path[0], path[1:]
    if not rest:
        return lambda root: root.get(first)

    def deep(root: Any) -> Any:
        found = root.get(first)
        for part in rest:
            if not isinstance(found, dict):
                return None
            found = found.get(part)
        return found

    return deep


def follow_each(path: Path) -> Callable[[Any], list[Any]]:
    """A function from an object to all values at a path with `$`; those that are missing are left out."""
    return lambda root: [found for found in _spread(root, path, 0) if found is not None]


def _spread(root: Any, path: Path, at: int) -> Iterator[Any]:
    for here in range(at, len(path)):
        if path[here] == EACH:
            if isinstance(root, list):
                for entry in root:
                    yield from _spread(entry, path, here + 1)
            return
        if not isinstance(root, dict):
            return
        root = root.get(path[here])
    yield root
