"""Segment's snake case, by which tables and columns of a warehouse are named (contract: connections 9.4, 13.4).

And event names as they are counted.
"""

from __future__ import annotations

import re
from functools import lru_cache

SHORT_CHARS = 200
_ALREADY = re.compile(r"_?[a-z0-9]+(?:_[a-z0-9]+)*")
_WORD = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z]+")
_LONGEST_KEPT = 256  # longer names are converted each time, so that strangers cannot fill the memory with them


def snake_case(name: str) -> str:
    """`Order Completed` becomes `order_completed`; may be empty when nothing of the name is a letter or digit."""
    return _kept(name) if len(name) <= _LONGEST_KEPT else _convert(name)


def _convert(name: str) -> str:
    if _ALREADY.fullmatch(name):
        return name
    return "_".join(_WORD.findall(name)).lower()


_kept = lru_cache(maxsize=65_536)(_convert)


def short_name(name: str) -> str:
    """An event name as it is counted and shown: at most 200 characters, and without NUL, which no database takes."""
    return name[:SHORT_CHARS].replace("\0", "")
