"""Two sets of requests beside each other: what differs, by request and place. Pure.

Requests are compared as they are shown, so secrets that are hidden in both count as equal. Equal requests belong
together wherever they stand; the others are compared in their order.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, cast

import msgspec

from headwater.manage.attempting import Shown
from headwater.spec.wire import JSON

MOST: Final = 50
"""Differences that are told of one event."""

_INDEX = re.compile(r"\[\d+\]")
_MISSING: Final = object()


class Difference(msgspec.Struct, frozen=True):
    """One place in which the requests of an event differ.

    `request` counts from 0. `where` is request (one side makes none), method, url, header or body; `path` is the name
    of the header or the place in the body. What a side lacks is null, and so is what null stands in.
    """

    request: int
    where: str
    path: str
    first: JSON
    second: JSON


def compare(first: Sequence[Shown], second: Sequence[Shown], ignored: Collection[str] = ()) -> list[Difference]:
    """What differs, at most 50 places. `ignored` are places in bodies, such as `sentAt` or `batch[].sentAt`."""
    found: list[Difference] = []
    for number, (one, other) in enumerate(_pairs(first, second)):
        for difference in _of_requests(number, one, other):
            if difference.where != "body" or not _is_ignored(difference.path, ignored):
                found.append(difference)
            if len(found) == MOST:
                return found
    return found


def _pairs(first: Sequence[Shown], second: Sequence[Shown]) -> Iterator[tuple[Shown | None, Shown | None]]:
    left = list(second)
    unlike: list[Shown] = []
    for one in first:
        if one in left:
            left.remove(one)
            yield one, one
        else:
            unlike.append(one)
    yield from zip_longest(unlike, left)


def _of_requests(number: int, one: Shown | None, other: Shown | None) -> Iterator[Difference]:
    if one is None or other is None:
        yield Difference(number, "request", "", _line(one), _line(other))
        return
    if one.method != other.method:
        yield Difference(number, "method", "", one.method, other.method)
    if one.url != other.url:
        yield Difference(number, "url", "", one.url, other.url)
    yield from _of_headers(number, _lowered(one.headers), _lowered(other.headers))
    if one.body != other.body:
        yield from _of_values(number, "", _read(one.body), _read(other.body))


def _line(request: Shown | None) -> str | None:
    return None if request is None else f"{request.method} {request.url}"


def _of_headers(number: int, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield Difference(number, "header", name, one.get(name), other.get(name))


def _of_values(number: int, path: str, one: Any, other: Any) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        ones, others = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        for key in sorted(ones.keys() | others.keys()):
            below = f"{path}.{key}" if path else key
            yield from _of_values(number, below, ones.get(key, _MISSING), others.get(key, _MISSING))
    elif isinstance(one, list) and isinstance(other, list):
        pairs = zip_longest(cast("list[Any]", one), cast("list[Any]", other), fillvalue=_MISSING)
        for index, (each, beside) in enumerate(pairs):
            yield from _of_values(number, f"{path}[{index}]", each, beside)
    elif one is _MISSING or other is _MISSING or type(one) is not type(other) or one != other:
        yield Difference(number, "body", path, None if one is _MISSING else one, None if other is _MISSING else other)


def _is_ignored(path: str, ignored: Collection[str]) -> bool:
    plain = _INDEX.sub("[]", path)
    return any(each in (path, plain, plain.rpartition(".")[2]) for each in ignored)


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _read(body: bytes) -> JSON:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace")
