"""What one destination does with one event: filters first, then the subscriptions that match what is left. Pure.

Of the order of decisions (contract: connections 6.2) this is what depends on the destination's own rules; what the
event alone can tell was decided by the pipeline. An event takes as many ways as subscriptions match it (6.8).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from headwater.deliver.ways import Way
from headwater.spec.destination import Item
from headwater.spec.filters import Filtered

Event = dict[str, Any]


class Decision(msgspec.Struct, frozen=True):
    """The ways that an event takes, or why it takes none: a reason of `filtered_at_destination`, and more about it.

    `event` is what the filters left of it.
    """

    item: Item
    event: Event
    ways: Sequence[Way] = ()
    reason: str = ""
    detail: str = ""


Decide = Callable[[Item, Event], Decision]


_log = logging.getLogger("headwater.deliver")


def decider(ways: Sequence[Way], filters: Callable[[Event], Filtered] | None) -> Decide | None:
    """How a destination decides; None when it takes every event as it is, so that nobody has to read it.

    Where filters or triggers break, which they promise not to, the event is kept back (contract: connections 6.5).
    """
    if filters is None and all(way.holds is None for way in ways) and len(ways) == 1:
        return None

    def decide(item: Item, event: Event) -> Decision:
        try:
            return decided(item, event)
        except Exception as error:
            _log.exception("The filters and triggers of a destination cannot be applied to an event")
            why = f"The filters and triggers cannot be applied to it: {type(error).__name__}."
            return Decision(item, event, reason="FILTERED_BY_RULES", detail=why)

    def decided(item: Item, event: Event) -> Decision:
        if filters is not None:
            left = filters(event)
            if left.dropped:
                return Decision(item, event, reason="FILTERED_BY_RULES", detail=left.dropped)
            if left.event is not event:
                event = left.event
                item = msgspec.structs.replace(item, body=msgspec.json.encode(event))
        taken = [way for way in ways if way.holds is None or way.holds(event)]
        if not taken:
            return Decision(item, event, reason="NO_MATCHING_MAPPING")
        return Decision(item, event, taken)

    return decide


class Sorted(msgspec.Struct):
    """Items by the way they take and the request that they may share, and those that take none, by why not."""

    taken: dict[tuple[str, str], list[Item]] = {}
    kept: dict[tuple[str, str], list[Item]] = {}

    @property
    def deliveries(self) -> int:
        """How many deliveries there are, counting what takes no way as one."""
        return sum(map(len, self.taken.values())) + sum(map(len, self.kept.values()))


def sort(items: Sequence[Item], decide: Decide, read: Callable[[Item], Event], known: set[tuple[int, str]]) -> Sorted:
    """Decide on many items. `known` deliveries, by position and way, were made out before and are left out."""
    found = Sorted({}, {})
    before = {position for position, _ in known}
    for item in items:
        decision = decide(item, read(item))
        if decision.reason:
            if item.position not in before:
                found.kept.setdefault((decision.reason, decision.detail), []).append(item)
            continue
        for way in decision.ways:
            if known and (item.position, way.id) in known:
                continue
            key = way.key(decision.event) if way.key is not None else ""
            found.taken.setdefault((way.id, key), []).append(decision.item)
    return found
