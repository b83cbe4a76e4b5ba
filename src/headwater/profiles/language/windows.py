"""Which of the kept items of a stream count when it is asked, and when time alone would change that.

A window leaves out what is too old or too young, a funnel what is not after the event around it, a session what is not
of the latest. Ends are included, except that a funnel's event must be later than the one around it (3.4, 3.7, 3.13).
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

import msgspec

from headwater.profiles.language.conditions import Ask, Read, condition, conjuncts, every, is_settled
from headwater.profiles.language.here import Here
from headwater.profiles.language.items import is_many, reader
from headwater.profiles.language.keeping import at_of
from headwater.profiles.language.tree import (
    Between,
    Condition,
    Context,
    Entity,
    ExpiresAfter,
    Literal,
    Property,
    Reduced,
    Scalar,
    Sources,
    Where,
    Within,
)

_ALWAYS, _NEVER = -(2**62), 2**62
_COUNTS: dict[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "differs": operator.ne,
    "greater_than": operator.gt,
    "at_least": operator.ge,
    "less_than": operator.lt,
    "at_most": operator.le,
}


class Bounds(msgspec.Struct, frozen=True):
    """Which items of a stream count, as ages and lengths in milliseconds; None is no bound.

    `oldest` and `youngest` are ages at the time of asking, `after` is how long after the event around them, `gap` ends
    a session. A `nested` stream is one of a funnel.
    """

    oldest: int | None = None
    youngest: int | None = None
    after: int | None = None
    gap: int | None = None
    nested: bool = False


class Sorted(msgspec.Struct, frozen=True):
    """A stream's filters, by when they can be answered."""

    bounds: Bounds
    settled: Ask | None
    """Asked of an item when it comes."""
    later: tuple[Condition, ...]
    """Asked of an entry when the stream is."""


def name_of(node: Reduced) -> str:
    """The event that a stream is of."""
    assert not isinstance(node.stream.of, Entity), "check refuses entities"
    return node.stream.of.name


def sort_filters(node: Reduced, *, nested: bool) -> Sorted:
    """The filters of a stream. Their order does not matter: a session is one of what all others leave."""
    oldest, youngest, after, gaps = [], [], [], []
    asks: list[Ask] = []
    later: list[Condition] = []
    event = name_of(node)
    for each in node.stream.filters:
        match each:
            case Within():
                (after if each.parent else oldest).append(each.duration.ms)
            case Between():
                ages = sorted((each.start.ms, each.end.ms))
                youngest.append(ages[0])
                oldest.append(ages[1])
            case ExpiresAfter():
                gaps.append(each.gap.ms)
            case Sources():
                asks.append(_not_from(frozenset(each.exclude)))
            case Where():
                for part in conjuncts(each.condition):
                    if is_settled(part):
                        asks.append(_of_item(part, event))
                    else:
                        later.append(part)
    bounds = Bounds(
        oldest=min(oldest, default=None),
        youngest=max(youngest, default=None),
        after=min(after, default=None),
        gap=min(gaps, default=None),
        nested=nested,
    )
    return Sorted(bounds, every(asks) if asks else None, tuple(later))


def _not_from(sources: frozenset[str]) -> Ask:
    return lambda item: item.source_id not in sources


def _of_item(part: Condition, event: str) -> Ask:
    def read(scalar: Scalar) -> tuple[Read, bool]:
        if isinstance(scalar, Literal):
            value = scalar.value
            return lambda item: value, False
        assert isinstance(scalar, Property | Context)
        return reader(scalar, event), is_many(scalar)

    return condition(part, read, lambda _: None)


def choosing(index: int, bounds: Bounds, later: Ask | None) -> Callable[[Here], list[Any]]:
    """The entries that count, in the order of their moments. `later` is asked with the entry in its place."""
    span = _span(index, bounds, at_of)

    def choose(here: Here) -> list[Any]:
        held, first, end = span(here)
        chosen = held[first:end]
        if later is not None:
            entry, parent = here.entry, here.parent
            here.parent = entry
            found: list[Any] = []
            for here.entry in chosen:
                if later(here):
                    found.append(here.entry)
            here.entry, here.parent = entry, parent
            chosen = found
        if bounds.gap is not None:
            del chosen[: _session([entry[0] for entry in chosen], 0, len(chosen), bounds.gap)]
        return chosen

    return choose


def counting(index: int, bounds: Bounds) -> Callable[[Here], int]:
    """How many of the kept moments count."""
    span = _span(index, bounds, None)
    gap = bounds.gap

    def count(here: Here) -> int:
        held, first, end = span(here)
        if gap is not None:
            first = _session(held, first, end, gap)
        return max(0, end - first)

    return count


def counted(index: int, oldest: int, by: str, bound: float) -> Ask:
    """A count in a window of the past, compared with a number. It notes when the item leaves that tips the answer.

    Since items only leave as time passes, the answer turns with the first lower count that would be answered otherwise.
    """
    holds = _COUNTS[by]
    near = int(bound)
    turns = tuple(count for count in (near, near - 1) if count >= 0)

    def ask(here: Here) -> bool:
        held = here.state[index]
        count = len(held) - bisect_left(held, here.now - oldest)
        answer = holds(count, bound)
        for lower in turns:
            if lower < count and holds(lower, bound) != answer:
                here.note(held[-lower - 1] + oldest + 1)
                break
        return answer

    return ask


def _span(index: int, bounds: Bounds, key: Callable[[Any], int] | None) -> Callable[[Here], tuple[list[Any], int, int]]:
    """The items kept, and the first and the end of those within the bounds."""
    oldest, youngest, after, nested = bounds.oldest, bounds.youngest, bounds.after, bounds.nested

    def span(here: Here) -> tuple[list[Any], int, int]:
        held = here.state[index]
        low = _ALWAYS if oldest is None else here.now - oldest
        high = _NEVER if youngest is None else here.now - youngest
        if nested:
            around = here.entry[0]
            low = max(low, around + 1)
            high = high if after is None else min(high, around + after)
        first, end = bisect_left(held, low, key=key), bisect_right(held, high, key=key)
        if oldest is not None and first < end:
            here.note((held[first] if key is None else key(held[first])) + oldest + 1)
        if youngest is not None and end < len(held):
            enters = (held[end] if key is None else key(held[end])) + youngest
            if enters > here.now:
                here.note(enters)
        return held, first, end

    return span


def _session(moments: list[int], first: int, end: int, gap: int) -> int:
    """Where the last of the moments that follow each other by no more than the gap begin."""
    start = end - 1
    while start > first and moments[start] - moments[start - 1] <= gap:
        start -= 1
    return max(first, start)
