"""Replaces literal text, with what JavaScript reads into the text that takes its place (6.10).

In that, `$&` is what was found, `` $` `` and `$'` are what is before and after it, and `$$` is one `$`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from headwater.spec.mapping.checking import MAX_PATTERN, MAX_REPLACEMENT, units
from headwater.spec.mapping.errors import TOO_LONG, MappingFailed
from headwater.spec.mapping.values import MAX_TEXT, truthy


def replacer(options: dict[str, Any]) -> Callable[[str], str]:
    """The function that the options of `@replace` describe. Options that are no text make everything empty."""
    pattern, replacement = options["pattern"], options.get("replacement", "")
    ignore_case, everywhere = options.get("ignorecase", False), options.get("global", True)
    texts = isinstance(pattern, str) and isinstance(replacement, str)
    if not texts or not isinstance(ignore_case, bool) or not isinstance(everywhere, bool):
        return lambda text: ""
    first = _replace(pattern, replacement, ignore_case=ignore_case, everywhere=everywhere)
    pattern, replacement = options.get("pattern2"), options.get("replacement2", "")
    if not truthy(pattern) or not isinstance(pattern, str) or not isinstance(replacement, str):
        return first
    second = _replace(pattern, replacement, ignore_case=ignore_case, everywhere=everywhere)
    return lambda text: second(first(text))


def _replace(pattern: str, replacement: str, *, ignore_case: bool, everywhere: bool) -> Callable[[str], str]:
    if units(pattern) > MAX_PATTERN or units(replacement) > MAX_REPLACEMENT:
        return _too_long
    if not ignore_case and "$" not in replacement:
        return _plainly(pattern, replacement, everywhere=everywhere)
    sought = fold(pattern) if ignore_case else pattern

    def run(text: str) -> str:
        made: list[str] = []
        room, done = MAX_TEXT, 0
        for start in _places(fold(text) if ignore_case else text, sought):
            end = start + len(sought)
            made += [text[done:start], _filled(replacement, text, start, end)]
            room -= len(made[-1])
            done = end
            if room < 0:
                raise MappingFailed(TOO_LONG)
            if not everywhere:
                break
        return "".join([*made, text[done:]])

    return run


def _plainly(pattern: str, replacement: str, *, everywhere: bool) -> Callable[[str], str]:
    times, more = -1 if everywhere else 1, len(replacement) - len(pattern)

    def run(text: str) -> str:
        if more > 0 and len(text) + more * text.count(pattern) > MAX_TEXT:
            raise MappingFailed(TOO_LONG)
        return text.replace(pattern, replacement, times)

    return run


def _too_long(text: str) -> str:
    raise MappingFailed(f"takes patterns and replacements of at most {MAX_PATTERN} characters")


def _places(text: str, sought: str) -> Iterator[int]:
    at = text.find(sought)
    while at >= 0:
        yield at
        at = text.find(sought, at + len(sought))


def _filled(replacement: str, text: str, start: int, end: int) -> str:
    """The replacement of what is found from `start` to `end`."""
    if "$" not in replacement:
        return replacement
    made: list[str] = []
    signs = iter(replacement)
    for sign in signs:
        after = next(signs, "") if sign == "$" else ""
        match sign + after:
            case "$$":
                made.append("$")
            case "$&":
                made.append(text[start:end])
            case "$`":
                made.append(text[:start])
            case "$'":
                made.append(text[end:])
            case other:
                made.append(other)
    return "".join(made)


def fold(text: str) -> str:
    """The text as it is compared when case does not matter: each character alone, in upper case if that is one."""
    if text.isascii():
        return text.upper()
    return "".join(map(_fold, text))


def _fold(sign: str) -> str:
    upper = sign.upper()
    same = len(upper) != 1 or sign > "\uffff" or upper > "\uffff" or (not sign.isascii() and upper.isascii())
    return sign if same else upper
