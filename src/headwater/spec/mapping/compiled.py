"""From a mapping to a function: closures over what is mapped, built once and called for each event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from headwater.spec.limits import MAX_DEPTH
from headwater.spec.mapping.checking import check, directive_of
from headwater.spec.mapping.directives import DIRECTIVES, Scope, never
from headwater.spec.mapping.errors import MappingError, MappingFailed, Problem
from headwater.spec.mapping.paths import Read
from headwater.spec.mapping.values import UNDEFINED, kind
from headwater.spec.wire import JSON

INTERNAL: Final = "__segment_internal_"
"""How the keys of a mapping begin that say something of the mapping; none is a field of what it makes."""

DIRECTIVE: Final = "__segment_internal_directive"
"""A directive around the whole mapping: the other keys become its `mapping`."""

SYNC_MODE: Final = "__segment_internal_sync_mode"
MATCHING_KEY: Final = "__segment_internal_matching_key"


def compile_mapping(mapping: dict[str, Any]) -> Callable[[dict[str, Any]], JSON]:
    """The mapping as a function of an event's body. Raises MappingError with all that is wrong with it.

    The function makes an object, or None or whatever else the directive around the whole mapping gives. It never
    changes the event; what it makes may share parts with it, so neither may be changed later. It raises MappingFailed
    if it can make nothing of an event.
    """
    own = {key: each for key, each in mapping.items() if key == DIRECTIVE or not key.startswith(INTERNAL)}
    make = _whole(own)

    def run(event: dict[str, Any]) -> JSON:
        try:
            made = make(event)
        except RecursionError:
            raise MappingFailed("is given or makes something of too many levels") from None
        return None if made is UNDEFINED else made

    return run


def rooted(mapping: dict[str, Any]) -> Any:
    """The mapping inside the directive around it, if it has one. Raises MappingError for one that is none."""
    if DIRECTIVE not in mapping:
        return mapping
    around: Any = mapping[DIRECTIVE]
    if not isinstance(around, dict) or len(cast("dict[str, Any]", around)) != 1:
        raise MappingError([Problem(f"/{DIRECTIVE}", "is one directive and nothing beside it")])
    ((name, argument),) = cast("dict[str, Any]", around).items()
    if not isinstance(argument, dict):
        if isinstance(argument, list):
            return {name: argument}
        raise MappingError([Problem(f"/{DIRECTIVE}/{name}", "is an object")])
    inner = {key: each for key, each in mapping.items() if key != DIRECTIVE}
    return {name: {**cast("dict[str, Any]", argument), "mapping": inner}}


def _whole(mapping: dict[str, Any], depth: int = 0) -> Read:
    whole = rooted(mapping)
    if problems := list(check(whole)):
        raise MappingError(problems)
    make = _build(whole, Scope("", depth, raw=False, build=_build, whole=_whole))

    def run(event: Any) -> Any:
        if isinstance(event, dict):
            return make(cast("dict[str, Any]", event))
        if event is UNDEFINED:
            return make({})
        raise MappingFailed(f"maps an object, not {kind(event)}")

    return run


def _build(node: Any, scope: Scope) -> Read:
    if scope.depth > MAX_DEPTH:
        raise MappingError([Problem(scope.path, f"is more than {MAX_DEPTH} levels deep")])
    if isinstance(node, list):
        return _list([scope.inside(each, index) for index, each in enumerate(cast("list[Any]", node))], scope)
    if not isinstance(node, dict):
        return lambda value: node
    entries = cast("dict[str, Any]", node)
    name = directive_of(entries)
    if name is None:
        return _object([(key, scope.inside(each, key)) for key, each in entries.items()], scope)
    if name not in DIRECTIVES:
        return never(scope, f"has no known directive: {name}")
    return DIRECTIVES[name](entries[name], scope.at(name))


def _object(entries: list[tuple[str, Read]], scope: Scope) -> Read:
    if scope.raw:
        return lambda value: {key: read(value) for key, read in entries}

    def make(value: Any) -> dict[str, Any]:
        return {key: made for key, read in entries if (made := read(value)) is not UNDEFINED}

    return make


def _list(items: list[Read], scope: Scope) -> Read:
    if scope.raw:
        return lambda value: [read(value) for read in items]
    return lambda value: [None if (made := read(value)) is UNDEFINED else made for read in items]
