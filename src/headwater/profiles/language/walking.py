"""Walks over the tree of a query: every part, and what it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import msgspec

from headwater.profiles.language.paths import Path, split
from headwater.profiles.language.tree import Context, Entity, Node, Property, Query, Reduced, Stream, Trait


class References(msgspec.Struct, frozen=True):
    """What a query names. `traits` are keys, without the way into an object; `audiences` are some of them."""

    events: frozenset[str]
    traits: frozenset[str]
    audiences: frozenset[str] = frozenset()


class Needs(msgspec.Struct, frozen=True):
    """The paths that a query reads of the events of one name."""

    properties: frozenset[Path] = frozenset()
    context: frozenset[Path] = frozenset()


def parts(node: Any) -> Iterator[Node]:
    """The node and every part of it."""
    if isinstance(node, Node):
        yield node
        for name in node.__struct_fields__:
            yield from parts(getattr(node, name))
    elif isinstance(node, tuple):
        for each in node:  # pyright: ignore[reportUnknownVariableType]
            yield from parts(each)


def references(query: Query, audiences: Set[str] = frozenset()) -> References:
    """The events and traits that a query names. `audiences` are the keys of those that exist."""
    found = list(parts(query.body))
    events = frozenset(node.of.name for node in found if isinstance(node, Stream) and not isinstance(node.of, Entity))
    traits = frozenset(split(node.name)[0] for node in found if isinstance(node, Trait))
    return References(events, traits, traits & audiences)


def columns(query: Query) -> dict[str, Needs]:
    """What must be read of which events, beside their type, name, source, message id and timestamp."""
    found: dict[str, Needs] = {}
    for event, node in _fields(query.body, ()):
        needs = found.setdefault(event, Needs())
        if isinstance(node, Context):
            found[event] = Needs(needs.properties, needs.context | {split(node.name)})
        elif node is not None:
            found[event] = Needs(needs.properties | {split(node.name)}, needs.context)
    return found


def _fields(node: Any, around: tuple[str, ...]) -> Iterator[tuple[str, Property | Context | None]]:
    """Every stream, and every field with the event whose field it is. `around` are the events, the nearest first."""
    if isinstance(node, Reduced) and not isinstance(node.stream.of, Entity):
        around = (node.stream.of.name, *around)
        yield around[0], None
    if isinstance(node, Property | Context):
        of_parent = isinstance(node, Property) and node.parent
        if of_parent < len(around):
            yield around[of_parent], node
    elif isinstance(node, Node):
        for name in node.__struct_fields__:
            yield from _fields(getattr(node, name), around)
    elif isinstance(node, tuple):
        for each in node:  # pyright: ignore[reportUnknownVariableType]
            yield from _fields(each, around)


def events_in(node: Reduced) -> int:
    """How many events stand inside each other in a funnel; one where there is no funnel."""
    inner = [each for filtered in node.stream.filters for each in parts(filtered) if isinstance(each, Reduced)]
    return 1 + max((events_in(each) for each in inner), default=0)


def find_cycle(definitions: Mapping[str, Query]) -> tuple[str, ...] | None:
    """A way from an audience or trait over what it refers to back to itself, or None. Keys are those of traits."""
    settled: set[str] = set()
    for start in sorted(definitions):
        way: list[str] = [start]
        open_ways = [_refers(definitions, start)]
        while way:
            further = next(open_ways[-1], None)
            if further is None:
                settled.add(way.pop())
                open_ways.pop()
            elif further in way:
                return (*way[way.index(further) :], further)
            elif further not in settled:
                way.append(further)
                open_ways.append(_refers(definitions, further))
    return None


def _refers(definitions: Mapping[str, Query], key: str) -> Iterator[str]:
    return iter(sorted(references(definitions[key]).traits & definitions.keys()))
