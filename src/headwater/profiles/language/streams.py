"""Streams of events made into places of a state, and into functions that read those places when they are asked.

A condition of `where` that the item alone decides is asked when the item comes; the others (traits, now, funnels) are
asked of the entries that are kept for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.profiles.language import keeping
from headwater.profiles.language.conditions import Ask, Read, condition, every
from headwater.profiles.language.here import Here
from headwater.profiles.language.items import is_many, reader
from headwater.profiles.language.keeping import MAX_ITEMS, Slot
from headwater.profiles.language.paths import EACH, follow, follow_each, split
from headwater.profiles.language.reducing import accumulator
from headwater.profiles.language.tree import (
    Compare,
    Condition,
    Context,
    Literal,
    Property,
    Reduced,
    Scalar,
    Size,
    Trait,
)
from headwater.profiles.language.values import json, kept
from headwater.profiles.language.walking import events_in
from headwater.profiles.language.windows import Bounds, Sorted, choosing, counted, counting, name_of, sort_filters

_FIRST_FIELD = 2  # after the moment and the message id
_COUNTED = frozenset({"equals", "differs", "greater_than", "at_least", "less_than", "at_most"})
_EMPTY = Slot("", list, lambda _state, _item: False, lambda one, _other: one)


class Scope:
    """One stream while it is compiled: the fields that its entries must hold, and the stream around it."""

    def __init__(self, event: str, bounds: Bounds, around: Scope | None) -> None:
        self.event = event
        self.around = around
        self.depth: int = 1 + (around.depth if around else 0)
        self.keep_ms = _shortest(bounds.oldest, around.keep_ms if around else None)
        self.fields: dict[tuple[Property | Context, bool], Read] = {}

    def field(self, node: Property | Context, *, whole: bool = False) -> int:
        """The place of a field in this stream's entries; `whole` takes a list as one value."""
        if isinstance(node, Property) and node.parent:
            node = Property(name=node.name)
        key = (node, whole)
        if key not in self.fields:
            self.fields[key] = _keeping(node, self.event, whole=whole)
        return list(self.fields).index(key) + _FIRST_FIELD


class Plan:
    """The places of a state, as they are found to be needed while a query is compiled."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self._made: dict[Reduced, tuple[int, Read]] = {}

    def ask(self, part: Condition) -> Ask:
        """A condition on a whole profile."""
        return condition(part, lambda scalar: self.read(scalar, None), self._count)

    def read(self, scalar: Scalar, scope: Scope | None) -> tuple[Read, bool]:
        """A scalar as a function of Here, and whether that gives several values."""
        match scalar:
            case Literal():
                value = scalar.value
                return lambda here: value, False
            case Trait():
                return read_trait(scalar)
            case Reduced():
                return self._reduced(scalar, scope)[1], False
            case Size():
                values = self._reduced(scalar.of, scope)[1]
                return lambda here: len(values(here) or ()), False
            case Property() if scalar.parent:
                assert scope is not None
                assert scope.around is not None
                around = scope.around.field(scalar)
                return lambda here: here.parent[around], is_many(scalar)
            case Property() | Context():
                assert scope is not None
                index = scope.field(scalar)
                return lambda here: here.entry[index], is_many(scalar)

    def _reduced(self, node: Reduced, around: Scope | None) -> tuple[int, Read]:
        """A reducer's place, and the function of Here that reads it. One that stands twice is kept once."""
        if around is None and node in self._made:
            return self._made[node]
        index = len(self.slots)
        self.slots.append(_EMPTY)  # the place is taken before those of the streams inside
        filters = sort_filters(node, nested=around is not None)
        if filters.bounds == Bounds() and not filters.later:
            self.slots[index], read = _accumulated(index, node, filters)
        else:
            scope = Scope(name_of(node), filters.bounds, around)
            self.slots[index], read = self._listed(index, node, filters, scope)
        if around is None:
            self._made[node] = index, read
        return index, read

    def _listed(self, index: int, node: Reduced, filters: Sorted, scope: Scope) -> tuple[Slot, Read]:
        """A place that keeps the items themselves."""
        limit = MAX_ITEMS[scope.depth + events_in(node) - 2]
        keep = keeping.Keep(index, scope.event, filters.settled, scope.keep_ms, limit)
        if node.of is None and not filters.later:
            return keeping.moments(keep), counting(index, filters.bounds)
        whole = node.reading == "array"
        place = None if node.of is None else scope.field(node.of, whole=whole)
        choose = choosing(index, filters.bounds, self._later(filters, scope))
        needs = None if filters.bounds.gap is not None else place
        slot = keeping.entries(keep, list(scope.fields.values()), needs=needs)
        if node.of is None or place is None:
            return slot, lambda here: len(choose(here))
        return slot, _reading(node, place, choose, many=is_many(node.of) and not whole)

    def _later(self, filters: Sorted, scope: Scope) -> Ask | None:
        def read(scalar: Scalar) -> tuple[Read, bool]:
            return self.read(scalar, scope)

        asks = [condition(part, read, lambda _: None) for part in filters.later]
        return every(asks) if asks else None

    def _count(self, part: Condition) -> Ask | None:
        """`count()` in a window, compared with a number: it is known whose leaving changes the answer."""
        if not isinstance(part, Compare) or part.by not in _COUNTED or not isinstance(part.left, Reduced):
            return None
        node, bound = part.left, part.arguments[0]
        if node.by != "count" or not isinstance(bound, Literal) or type(bound.value) not in (int, float):
            return None
        filters = sort_filters(node, nested=False)
        oldest = filters.bounds.oldest
        if filters.later or oldest is None or filters.bounds != Bounds(oldest=oldest):
            return None
        return counted(self._reduced(node, None)[0], oldest, part.by, float(bound.value))


def read_trait(node: Trait) -> tuple[Read, bool]:
    """A trait as a function of Here, and whether that gives several values."""
    path = split(node.name)
    walk = follow_each(path) if EACH in path else follow(path)
    return lambda here: walk(here.traits), EACH in path


def _accumulated(index: int, node: Reduced, filters: Sorted) -> tuple[Slot, Read]:
    """A place where every item counts alike for ever."""
    event, whole = name_of(node), node.reading == "array"
    reducer = accumulator(node.by, node.reading, node.least)
    field = None if node.of is None else _keeping(node.of, event, whole=whole)
    many = node.of is not None and is_many(node.of) and not whole
    keep = keeping.Keep(index, event, filters.settled)
    return keeping.accumulating(keep, reducer, field, many=many), lambda here: reducer.read(here.state[index])


def _reading(node: Reduced, place: int, choose: Callable[[Here], list[Any]], *, many: bool) -> Read:
    """The value of the entries that count."""
    reducer = accumulator(node.by, node.reading, node.least)
    add = reducer.add

    def read(here: Here) -> Any:
        held = reducer.new()
        for entry in choose(here):
            value = entry[place]
            for each in value if many else (value,):
                if each is not None:
                    held = add(held, each, entry[0], entry[1])
        return reducer.read(held)

    return read


def _keeping(node: Property | Context, event: str, *, whole: bool) -> Read:
    """A function from an item to what a state keeps of a field: a scalar, or a list of them."""
    read = reader(node, event)
    if not is_many(node):
        return lambda item: kept(read(item))
    if whole:
        return lambda item: kept(json(found)) if (found := read(item)) else None
    return lambda item: [found for each in read(item) if (found := kept(each)) is not None]


def _shortest(*lengths: int | None) -> int | None:
    return min((length for length in lengths if length is not None), default=None)
