"""Globs: `*` any run, `?` any character, `[a-z]` one of a set, `[^a-z]` one that is not, `\\x` the character x.

The whole text must match, in upper and lower case as it stands. Stars never make a matcher go back: a glob of letters
and stars is sought piece by piece, and any other is run over the text once with the set of all places in the glob where
the text may stand, as the bits of a number (contract: connections 6.6).
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_END: Final = sys.maxunicode + 1
_STAR: Final[list[tuple[int, int]]] = []

Matches = Callable[[str], bool]
_Ranges = list[tuple[int, int]]
"""Characters, as their numbers: from the first up to and without the second. A star is the empty list."""


def never(text: str) -> bool:
    """Matches nothing, as a glob that is wrong does."""
    return False


def compile_glob(glob: str) -> Matches:
    """The function that says whether a whole text matches. A wrong glob matches nothing."""
    if (parts := _read(glob)) is None:
        return never
    if all(isinstance(part, str) or part is _STAR for part in parts):
        return _pieces(parts)
    return _places([[(ord(part), ord(part) + 1)] if isinstance(part, str) else part for part in parts])


lately = lru_cache(maxsize=16)(compile_glob)
"""The same for globs that are fields of events, of which a few are remembered."""


def _read(glob: str) -> list[str | _Ranges] | None:
    """The glob's characters and sets; None if a set or an escape has no end."""
    parts: list[str | _Ranges] = []
    at = 0
    while at < len(glob):
        sign = glob[at]
        at += 1
        if sign == "*":
            if not parts or parts[-1] is not _STAR:
                parts.append(_STAR)
        elif sign == "?":
            parts.append([(0, _END)])
        elif sign == "[":
            found = _set(glob, at)
            if found is None:
                return None
            ranges, at = found
            parts.append(ranges)
        elif sign == "\\":
            if at == len(glob):
                return None
            parts.append(glob[at])
            at += 1
        else:
            parts.append(sign)
    return parts


def _set(glob: str, at: int) -> tuple[_Ranges, int] | None:
    """The characters of the set that opens before this place, and the place after it; None if it is wrong."""
    negated = glob.startswith("^", at)
    at += negated
    ranges: _Ranges = []
    while at < len(glob) and (glob[at] != "]" or not ranges):
        first = _one(glob, at)
        if first is None:
            return None
        low, at = first
        high = low
        if glob.startswith("-", at) and at + 1 < len(glob) and glob[at + 1] != "]":
            last = _one(glob, at + 1)
            if last is None:
                return None
            high, at = last
        if high < low:
            return None
        ranges.append((low, high + 1))
    if at >= len(glob):
        return None
    return _joined(ranges, negated=negated), at + 1


def _one(glob: str, at: int) -> tuple[int, int] | None:
    """A character of a set and the place after it; an empty set, or an escape without an end, has none."""
    if glob[at] == "]":
        return None
    if glob[at] != "\\":
        return ord(glob[at]), at + 1
    return (ord(glob[at + 1]), at + 2) if at + 1 < len(glob) else None


def _joined(ranges: _Ranges, *, negated: bool) -> _Ranges:
    """The same characters, or all others, as ranges in order that do not touch."""
    joined: _Ranges = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    if not negated:
        return joined
    ends = [0, *(end for both in joined for end in both), _END]
    return [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True) if low < high]


def _pieces(parts: list[str | _Ranges]) -> Matches:
    """A glob of characters and stars: each piece is sought where the last one ended, and nowhere before."""
    pieces = [[""]]
    for part in parts:
        if isinstance(part, str):
            pieces[-1].append(part)
        else:
            pieces.append([""])
    texts = ["".join(piece) for piece in pieces]
    if len(texts) == 1:
        return texts[0].__eq__
    first, *middle, last = texts
    shortest = sum(map(len, texts))

    def matches(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return matches


def _places(parts: list[_Ranges]) -> Matches:
    """Any glob. Bit n of `here` says that the text so far matches the first n characters of the glob.

    A star adds no character; it says that whoever stands there may stay. `bounds` are the characters at which the set
    of bits that a character moves on changes, and `masks` these sets.
    """
    stays = count = 0
    turns: defaultdict[int, int] = defaultdict(int)
    for ranges in parts:
        if ranges is _STAR:
            stays |= 1 << count
            continue
        for low, high in ranges:
            turns[low] ^= 1 << count
            turns[high] ^= 1 << count
        count += 1
    bounds, masks, mask = [0], [turns.pop(0, 0)], 0
    mask = masks[0]
    for bound in sorted(turns):
        mask ^= turns[bound]
        bounds.append(bound)
        masks.append(mask)
    whole = 1 << count

    def matches(text: str) -> bool:
        here = 1
        for sign in text:
            here = ((here & masks[bisect_right(bounds, ord(sign)) - 1]) << 1) | (here & stays)
            if not here:
                return False
        return here & whole != 0

    return matches
