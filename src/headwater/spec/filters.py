"""Destination filters: what keeps events, or parts of them, from a destination (contract: connections 6.5, 6.7, 13.3).

A filter has a condition in FQL and actions that are done where it holds. Over all filters of a destination the actions
go by kind: first samples, then drops, then what deletes keys, and then what keeps only some. All conditions look at the
event as it came. A filter that cannot be read keeps every event back: what should not have left never leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

import msgspec

from headwater.spec.errors import SenderError
from headwater.spec.fql import FqlError, Holds, compile_query, parse
from headwater.spec.workspace import DestinationFilter

MOST_FILTERS: Final = 10
"""Filters that one destination may have."""

MOST_TITLE: Final = 64
"""Characters of a title."""

KINDS: Final = ("SAMPLE", "DROP", "DROP_PROPERTIES", "ALLOW_PROPERTIES")
"""What an action may be, in the order in which they are done."""

_NAMES: Final = {
    "drop_event": "DROP",
    "sample_event": "SAMPLE",
    "whitelist_fields": "ALLOW_PROPERTIES",
    "blocklist_fields": "DROP_PROPERTIES",
}
Event = dict[str, Any]
Change = Callable[[Event], Event]


class Filtered(msgspec.Struct, frozen=True):
    """What is left of an event; or `dropped`, the title of the filter that keeps it back."""

    event: Event
    dropped: str = ""


class _Rule(msgspec.Struct, frozen=True):
    """One action of one filter, ready: a sample and a drop say whether an event goes, the others change it."""

    title: str
    kind: str
    holds: Holds
    goes: Callable[[Event], bool] | None = None
    change: Change | None = None


def compile_filters(filters: Iterable[DestinationFilter]) -> Callable[[Event], Filtered]:
    """The filters that are switched on as one function. It changes nothing that it is given, and never raises."""
    rules: list[_Rule] = []
    for each in filters:
        if each.enabled:
            rules += _rules(each)
    rules.sort(key=lambda rule: KINDS.index(rule.kind))

    def filtered(event: Event) -> Filtered:
        left = event
        for rule in rules:
            if not rule.holds(event):
                continue
            if rule.goes is not None and not rule.goes(event):
                return Filtered(event, rule.title)
            if rule.change is not None:
                left = rule.change(left)
        return Filtered(left)

    return filtered


def check_filter(condition: str, actions: Sequence[dict[str, Any]]) -> None:
    """Raises FqlError for a condition, and SenderError for actions, that cannot be read."""
    compile_query(parse(condition))
    if not actions:
        raise SenderError("A filter needs at least one action.", code="invalid_filter")
    for action in actions:
        _rule("", lambda event: True, action)


def _rules(each: DestinationFilter) -> list[_Rule]:
    title = each.title or each.id or "A filter"  # one without a title must not be taken for none
    try:
        holds = compile_query(parse(each.condition))
        return [_rule(title, holds, action) for action in each.actions]
    except (FqlError, SenderError):
        return [_Rule(title, "DROP", lambda event: True, goes=_never)]


def kind_of(named: str) -> str:
    """The kind of an action by any of its names, in any case; what is none comes back in capitals."""
    return _NAMES.get(named.lower(), named.upper())


def _rule(title: str, holds: Holds, action: dict[str, Any]) -> _Rule:
    named = str(action.get("type", ""))
    kind = kind_of(named)
    match kind:
        case "DROP":
            return _Rule(title, kind, holds, goes=_never)
        case "SAMPLE":
            return _Rule(title, kind, holds, goes=_sampler(action))
        case "DROP_PROPERTIES":
            return _Rule(title, kind, holds, change=_changes(action, _without))
        case "ALLOW_PROPERTIES":
            return _Rule(title, kind, holds, change=_changes(action, _only))
        case _:
            raise SenderError(f"{named!r} is no action of a filter; use one of {', '.join(KINDS)}.", code="no_action")


def _never(event: Event) -> bool:
    return False


def _sampler(action: dict[str, Any]) -> Callable[[Event], bool]:
    """Keep a share of the events: by the value at a path, or by the messageId, so that one event always fares alike."""
    percent: Any = action.get("percent")
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        raise SenderError("A sample needs a percent from 0 to 1.", code="invalid_filter")
    path = action.get("path") or "messageId"
    if not isinstance(path, str):
        raise SenderError("The path of a sample is text, such as userId.", code="invalid_filter")
    keys = path.split(".")

    def kept(event: Event) -> bool:
        return percent >= 1 or (percent > 0 and _share(_at(event, keys)) < percent)

    return kept


def _share(value: Any) -> float:
    """A number from 0 to 1 that is always the same for a value: the first 8 bytes of the MD5 of its JSON (6.7)."""
    digest = hashlib.md5(msgspec.json.encode(value), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _at(event: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if not isinstance(event, dict):
            return None
        event = cast("dict[str, Any]", event).get(key)
    return event


def _changes(action: dict[str, Any], change: Callable[[Any, frozenset[str]], Any]) -> Change:
    fields: Any = action.get("fields")
    named = cast("dict[Any, Any]", fields) if isinstance(fields, dict) else {}
    if not named:
        raise SenderError('The action needs fields, such as {"properties": ["price"]}.', code="invalid_filter")
    steps: list[tuple[list[str], frozenset[str]]] = []
    for path, keys in named.items():
        if (
            not isinstance(path, str)
            or not isinstance(keys, list)
            or not all(isinstance(k, str) for k in cast("list[Any]", keys))
        ):
            raise SenderError("The fields of an action are lists of keys by path.", code="invalid_filter")
        steps.append((path.split(".") if path else [], frozenset(cast("list[str]", keys))))

    def changed(event: Event) -> Event:
        for path, keys in steps:
            event = _changed(event, path, keys, change)
        return event

    return changed


def _changed(node: Any, path: Sequence[str], keys: frozenset[str], change: Callable[[Any, frozenset[str]], Any]) -> Any:
    """The node with what stands at a path changed, in each element where a list is on the way; else the same node."""
    if isinstance(node, list):
        items = cast("list[Any]", node)
        found = [_changed(item, path, keys, change) for item in items]
        return items if all(one is other for one, other in zip(found, items, strict=True)) else found
    if not isinstance(node, dict):
        return node
    held = cast("dict[str, Any]", node)
    if not path:
        return change(held, keys)
    below = held.get(path[0])
    after = _changed(below, path[1:], keys, change)
    return held if after is below else {**held, path[0]: after}


def _without(node: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return node if keys.isdisjoint(node) else {key: value for key, value in node.items() if key not in keys}


def _only(node: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return node if keys.issuperset(node) else {key: value for key, value in node.items() if key in keys}
