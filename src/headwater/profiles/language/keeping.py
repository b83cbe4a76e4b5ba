"""What a state keeps for one reducer, and how it takes an item in. A state is a list with one place for each.

Where every item counts alike for ever, an accumulator is enough. Where items leave a window, belong to a session or
must be judged later, the items themselves are kept in the order of their moments: as moments alone where only their
number is asked, or as lists `[moment, message id, values...]`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import msgspec

from headwater.profiles.language.conditions import Ask, Read
from headwater.profiles.language.items import Item
from headwater.profiles.language.reducing import Accumulator
from headwater.profiles.language.values import sound

State = list[Any]

MAX_ITEMS = (10_000, 1_000, 100)
"""Items kept by a reducer of one event, of each in a funnel of two events, and in one of three. The oldest go first."""

at_of = itemgetter(0)
"""The moment of an entry."""
_place_of = itemgetter(0, 1)


class Slot(msgspec.Struct, frozen=True):
    """One place of a state. `take` says whether the item was taken in."""

    event: str
    new: Callable[[], Any]
    take: Callable[[State, Item], bool]
    merge: Callable[[Any, Any], Any]
    keep_ms: int | None = None
    """Items older than this cannot matter any more; None if they always can."""
    key: Callable[[Any], int] | None = None
    """The moment of what is kept, where it is not the moment itself."""


class Keep(msgspec.Struct, frozen=True):
    """What is common to all places: where it is, of which event, and which items are taken and for how long."""

    index: int
    event: str
    settled: Ask | None
    keep_ms: int | None = None
    limit: int = MAX_ITEMS[0]


def accumulating(keep: Keep, accumulator: Accumulator, field: Read | None, *, many: bool) -> Slot:
    """A place that keeps an accumulator. Without a field every item adds itself."""
    index, settled, add = keep.index, keep.settled, accumulator.add

    def take(state: State, item: Item) -> bool:
        if settled is not None and not settled(item):
            return False
        value: Any = 1 if field is None else field(item)
        if value is None:
            return False
        held = state[index]
        for each in value if many else (value,):
            held = add(held, each, item.at_ms, sound(item.message_id))
        state[index] = held
        return True

    return Slot(keep.event, accumulator.new, take, accumulator.merge)


def moments(keep: Keep) -> Slot:
    """A place that keeps the moments of items."""
    index, settled, limit = keep.index, keep.settled, keep.limit

    def take(state: State, item: Item) -> bool:
        if settled is not None and not settled(item):
            return False
        held, at = state[index], item.at_ms
        if not held or at >= held[-1]:
            held.append(at)
        else:
            insort(held, at)
        if len(held) > limit:
            del held[0]
        return True

    def merge(one: list[int], other: list[int]) -> list[int]:
        return sorted(one + other)[-limit:]

    return Slot(keep.event, list, take, merge, keep.keep_ms)


def entries(keep: Keep, fields: list[Read], *, needs: int | None) -> Slot:
    """A place that keeps entries. An item that lacks the field at `needs` is not kept."""
    index, settled, limit = keep.index, keep.settled, keep.limit

    def take(state: State, item: Item) -> bool:
        if settled is not None and not settled(item):
            return False
        entry: list[Any] = [item.at_ms, sound(item.message_id)]
        entry += [field(item) for field in fields]
        if needs is not None and entry[needs] in (None, []):
            return False
        held = state[index]
        if not held or entry[:2] > held[-1][:2]:
            held.append(entry)
        else:
            insort(held, entry, key=_place_of)
        if len(held) > limit:
            del held[0]
        return True

    def merge(one: list[Any], other: list[Any]) -> list[Any]:
        return [list(entry) for entry in sorted(one + other, key=_place_of)[-limit:]]

    return Slot(keep.event, list, take, merge, keep.keep_ms, at_of)
