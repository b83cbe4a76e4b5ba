"""The triggers that definitions suggest, in the one form that everybody reads alike.

Some definitions write `AND`, leave the quotes of a text away, or write `==` or a comma. Segment's own reading passes
over a word that it does not know, so that `AND` means `and`; we refuse what says something else than it looks like.
"""

from __future__ import annotations

import re
from typing import Final

_PIECES: Final = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?P<sign>!=|<=|>=|==|[=<>!(),"'])|(?P<word>[^\s=!<>(),"']+)"""
)
_VALUES: Final = frozenset(("true", "false", "null"))
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")


def plain(trigger: str) -> str:
    """The trigger as it is meant. What is in plain form already, and what is none, stays as it is."""
    made: list[str] = []
    done, depth, compared = 0, 0, False
    for found in _PIECES.finditer(trigger):
        piece = found[0]
        depth += (piece == "(") - (piece == ")")
        if piece == "AND":
            piece = "and"
        elif piece == "==":
            piece = "="
        elif piece == "," and depth == 0:
            piece = " and"
        elif compared and found["word"] and piece not in _VALUES and not _NUMBER.fullmatch(piece):
            piece = f'"{piece}"'
        compared = found[0] in ("=", "==", "!=")
        made += [trigger[done : found.start()], piece]
        done = found.end()
    return "".join([*made, trigger[done:]])
