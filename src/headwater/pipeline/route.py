"""Where an event goes: the destinations and warehouses of its source, less those that the sender excluded.

Of the order of decisions (contract: connections 6.2) this stage takes what the event alone can tell: sent client side,
event type, integrations object. What depends on a destination's answer is deliver's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headwater.spec.event import EVENT_TYPES, Event
from headwater.spec.integrations import allows, allows_warehouse, bundled

_EVERYWHERE = {"All": True}


class Route(msgspec.Struct, frozen=True):
    """One destination that a source's events may go to; `names` are those that an integrations object may use.

    A `storage` keeps everything: the object does not matter to it (contract: connections 2.4).
    """

    destination_id: str
    names: tuple[str, ...]
    event_types: frozenset[str]
    storage: bool = False


class Decision(msgspec.Struct, frozen=True):
    """What was decided: `chosen` destination ids, and `(destination id, reason)` for each that was not."""

    chosen: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()


class Routes(msgspec.Struct, frozen=True):
    """The destinations of a source; `unless_asked` is the decision, by event type, for an event without wishes."""

    ways: tuple[Route, ...]
    unless_asked: dict[str, Decision]

    @classmethod
    def of(cls, ways: Sequence[Route]) -> Routes:
        return cls(tuple(ways), {kind: _decide(kind, ways, {}, frozenset()) for kind in EVENT_TYPES})


def route(event: Event, routes: Routes) -> Decision:
    """Choose the destinations of one event."""
    integrations = event.body["integrations"]
    served = bundled(event.body["_metadata"]) if "_metadata" in event.body else frozenset[str]()
    if not served and (not integrations or integrations == _EVERYWHERE):
        return routes.unless_asked[event.type]
    return _decide(event.type, routes.ways, integrations, served)


def excluded_warehouses(event: Event, warehouse_ids: Sequence[str]) -> tuple[str, ...]:
    """The warehouses that the sender excluded."""
    integrations = event.body["integrations"]
    if "Warehouses" not in integrations:
        return ()
    return tuple(each for each in warehouse_ids if not allows_warehouse(integrations, each))


def _decide(event_type: str, ways: Sequence[Route], integrations: Any, served: frozenset[str]) -> Decision:
    chosen: list[str] = []
    refused: list[tuple[str, str]] = []
    for way in ways:
        if not served.isdisjoint(way.names):
            refused.append((way.destination_id, "MESSAGE_SENT_CLIENT_SIDE"))
        elif event_type not in way.event_types:
            refused.append((way.destination_id, "UNSUPPORTED_EVENT_TYPE"))
        elif not (way.storage or allows(integrations, way.names)):
            refused.append((way.destination_id, "FILTERED_BY_INTEGRATIONS_OBJECT"))
        else:
            chosen.append(way.destination_id)
    return Decision(tuple(chosen), tuple(refused))
