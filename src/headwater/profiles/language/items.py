"""The items that queries are about: track, page and screen calls, each under the name that queries know it by (3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from headwater.profiles.language.paths import EACH, follow, follow_each, split
from headwater.profiles.language.tree import Context, Property

NAMES = {"page": "Page Viewed", "screen": "Screen Viewed"}
"""What `event(...)` calls page and screen calls."""

NAME_PROPERTIES = {"Page Viewed": ("page", "page_name"), "Screen Viewed": ("screen", "screen_name")}
"""The type of call, and the property that its name is known by."""


class Item(msgspec.Struct, frozen=True):
    """One event as queries see it. `name` is the event name, or the name of a page or screen.

    `at_ms` is the event's timestamp, in milliseconds. No two items of a profile have one message id.
    """

    type: str
    name: str
    source_id: str
    message_id: str
    at_ms: int
    properties: dict[str, Any]
    context: dict[str, Any]


def event_name(item_type: str, name: str) -> str | None:
    """The name that queries know an event by, or None for calls that they are not about."""
    return name if item_type == "track" else NAMES.get(item_type)


def is_many(node: Property | Context) -> bool:
    """May there be several values, because the path leads into the entries of a list?"""
    return EACH in split(node.name)


def reader(node: Property | Context, event: str) -> Callable[[Item], Any]:
    """A function from an item to the value, or to the list of values where `is_many`."""
    path = split(node.name)
    walk = follow_each(path) if EACH in path else follow(path)
    if isinstance(node, Context):
        return lambda item: walk(item.context)
    kind, name_property = NAME_PROPERTIES.get(event, ("", ""))
    if path == (name_property,):
        return lambda item: item.name if item.type == kind and item.name else item.properties.get(name_property)
    if len(path) == 1:
        first = path[0]
        return lambda item: item.properties.get(first)
    return lambda item: walk(item.properties)
