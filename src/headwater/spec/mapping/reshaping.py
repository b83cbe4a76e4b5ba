"""What directives do with objects and lists as a whole. Nothing that is given is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn, cast

from headwater.spec.limits import MAX_DEPTH
from headwater.spec.mapping.errors import TOO_LONG, MappingFailed
from headwater.spec.mapping.values import MAX_TEXT, UNDEFINED, characters
from headwater.spec.wire import JSON, decode, encode, too_deep


def flatten(value: Any, separator: str, *, lists: bool) -> dict[str, Any]:
    """An object of one level, whose keys are joined; of a value that is neither object nor list, under the key ``."""
    made: dict[str, Any] = {}
    room = MAX_TEXT

    def add(value: Any, prefix: str) -> None:
        nonlocal room
        if isinstance(value, dict):
            entries: Iterable[tuple[Any, Any]] = cast("dict[str, Any]", value).items()
        elif lists and isinstance(value, list):
            entries = enumerate(cast("list[Any]", value))
        else:
            made[prefix] = value
            return
        for key, item in entries:
            name = f"{prefix}{separator}{key}" if prefix else str(key)
            room -= len(name)
            if room < 0:
                raise MappingFailed(TOO_LONG)
            add(item, name)

    add(value, "")
    return made


def merge(objects: Iterable[Any]) -> dict[str, Any]:
    """One object with the keys of all, the last value of each. Texts and lists are objects of their places."""
    made: dict[str, Any] = {}
    for each in objects:
        if isinstance(each, dict):
            made |= cast("dict[str, Any]", each)
        elif isinstance(each, list | str):
            places: Iterable[Any] = characters(each) if isinstance(each, str) else cast("list[Any]", each)
            made |= {str(index): item for index, item in enumerate(places)}
    return made


def without_nulls(value: Any, *, raw: bool) -> Any:
    """The object without its keys that are null, and theirs; not inside lists. What is no object stays."""
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, Any]", value).items()
    if raw:
        return {key: UNDEFINED if item is None else without_nulls(item, raw=raw) for key, item in entries}
    return {key: without_nulls(item, raw=raw) for key, item in entries if item is not None}


def parse_json(written: str) -> JSON:
    """What a text of JSON says; the text itself if it is none, or one of more than MAX_DEPTH levels."""
    try:
        if too_deep(written.encode("utf-8", "surrogatepass")):
            return written
        found = json.loads(written, parse_constant=_refuse)
        return decode(encode(found)) if "\\u" in written else found  # which mends halves of characters
    except (ValueError, RecursionError):
        return written


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON; objects have at most {MAX_DEPTH} levels")
