"""Reducers as accumulators: made empty, given values in any order, merged, and read (3.2, 3.13).

Nothing depends on the order in which values come, except what a full accumulator drops: sums are kept as exact partial
sums, the first and last value with their moment. An accumulator is made of lists, dicts and scalars only.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum
from typing import Any

import msgspec

from headwater.profiles.language.tree import Reading, Reducer
from headwater.profiles.language.values import number, plain, text

MAX_VALUES = 10_000
"""Different values that a list or a count of frequencies holds; those that come later are dropped (3.2)."""


class Accumulator(msgspec.Struct, frozen=True):
    """What one reducer does. Values are as a state keeps them, and not null; a moment and a message id come along."""

    new: Callable[[], Any]
    add: Callable[[Any, Any, int, str], Any]
    """From an accumulator, which it may change, to the one that also knows this value."""
    merge: Callable[[Any, Any], Any]
    """One accumulator of both; it changes neither."""
    read: Callable[[Any], Any]
    """The value so far, or None if there is none."""


def accumulator(by: Reducer, reading: Reading, least: int) -> Accumulator:
    """What the reducer does, with its options built in."""
    match by:
        case "count":
            return Accumulator(int, _count, lambda one, other: one + other, lambda held: held)
        case "sum":
            return Accumulator(list, _sum, _merge_sums, lambda held: plain(fsum(held[1:])) if held else None)
        case "avg":
            return Accumulator(list, _sum, _merge_sums, lambda held: plain(fsum(held[1:]) / held[0]) if held else None)
        case "max" | "min":
            return _extreme(max if by == "max" else min, text if reading == "string" else _number)
        case "first":
            return _at_the_end(lambda one, other: one < other)
        case "last":
            return _at_the_end(lambda one, other: one >= other)  # of several in one list the last
        case "mode":
            add = _tally(_number_text if reading == "number" else text)
            return Accumulator(dict, add, _merge_tallies, _most_frequent(least, numeric=reading == "number"))
        case "unique":
            return Accumulator(dict, _tally(text), _merge_tallies, _sorted)


def _count(held: int, _value: Any, _at: int, _id: str) -> int:
    return held + 1


def _number(value: Any) -> Any:
    found = number(value)
    return None if found is None else plain(found)


def _number_text(value: Any) -> str | None:
    return text(_number(value))


# A sum is how many numbers there were, and floats that add up to it exactly and do not overlap.


def _sum(held: list[Any], value: Any, _at: int, _id: str) -> list[Any]:
    found = number(value)
    if found is None:
        return held
    if not held:
        return [1, float(found)]
    held[0] += 1
    _add_exactly(held, float(found))
    return held


def _add_exactly(held: list[Any], value: float) -> None:
    """Add to the partial sums without rounding: the rounding error of each addition stays as a partial of its own."""
    kept = 1
    for partial in held[1:]:
        large, small = (value, partial) if abs(value) >= abs(partial) else (partial, value)
        value = large + small
        error = small - (value - large)
        if error:
            held[kept] = error
            kept += 1
    held[kept:] = [value]


def _merge_sums(one: list[Any], other: list[Any]) -> list[Any]:
    if not one or not other:
        return list(one or other)
    held = list(one)
    for partial in other[1:]:
        _add_exactly(held, partial)
    held[0] += other[0]
    return held


def _extreme(choose: Callable[[Any, Any], Any], read: Callable[[Any], Any]) -> Accumulator:
    def add(held: Any, value: Any, _at: int, _id: str) -> Any:
        found = read(value)
        if found is None or held is None:
            return held if found is None else found
        return choose(held, found)

    def merge(one: Any, other: Any) -> Any:
        return choose(one, other) if one is not None and other is not None else other if one is None else one

    return Accumulator(lambda: None, add, merge, lambda held: held)


def _at_the_end(better: Callable[[Any, Any], bool]) -> Accumulator:
    """The value whose moment and message id, in this order, come before or after those of all others."""

    def choose(one: Any, other: Any) -> Any:
        return one if not other or (one and better((one[0], one[1]), (other[0], other[1]))) else other

    def add(held: Any, value: Any, at: int, message_id: str) -> Any:
        return choose([at, message_id, value], held)

    return Accumulator(list, add, lambda one, other: list(choose(one, other)), lambda held: held[2] if held else None)


# Tallies count each value by its text.


def _tally(read: Callable[[Any], str | None]) -> Callable[[Any, Any, int, str], Any]:
    def add(held: dict[str, int], value: Any, _at: int, _id: str) -> dict[str, int]:
        found = read(value)
        if found is not None and (found in held or len(held) < MAX_VALUES):
            held[found] = held.get(found, 0) + 1
        return held

    return add


def _merge_tallies(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    held = dict(one)
    for found, times in other.items():
        if found in held or len(held) < MAX_VALUES:
            held[found] = held.get(found, 0) + times
    return held


def _sorted(held: dict[str, int]) -> list[str] | None:
    return sorted(held) or None


def _most_frequent(least: int, *, numeric: bool) -> Callable[[dict[str, int]], Any]:
    def read(held: dict[str, int]) -> Any:
        if not held:
            return None
        times, first = min((-times, found) for found, times in held.items())
        if -times < least:
            return None
        return _number(first) if numeric else first

    return read
