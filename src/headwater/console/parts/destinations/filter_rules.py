"""What a destination filter does, as a form shows it, and back. Pure (contract: connections 6.5, 6.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from headwater.manage.operations.destination_filters import FilterAction

KINDS: Final = {
    "DROP": "Do not send the event",
    "SAMPLE": "Send only a share of them",
    "DROP_PROPERTIES": "Remove some properties",
    "ALLOW_PROPERTIES": "Keep only some properties",
}
"""What a filter can do, as people read it."""


class Rule(msgspec.Struct, frozen=True):
    """One action: `percent` from 0 to 100, and for properties the object and its keys, line by line."""

    kind: str = "DROP"
    percent: float = 10.0
    path: str = "userId"
    fields: str = "properties: email, phone"


def rule_of(action: FilterAction) -> Rule:
    """An action as a form has it."""
    percent = 100 * action.percent if action.percent is not UNSET else 10.0
    path = action.path if action.path is not UNSET else ""
    fields = action.fields if action.fields is not UNSET else {}
    return Rule(action.type, percent, path, lines_of(fields))


def action_of(rule: Rule) -> FilterAction:
    """What is asked for. Raises ValueError with what is wrong."""
    match rule.kind:
        case "SAMPLE":
            if not 0 <= rule.percent <= 100:
                raise ValueError("A share is from 0 to 100 percent.")
            return FilterAction(type=rule.kind, percent=rule.percent / 100, path=rule.path.strip() or UNSET)
        case "DROP_PROPERTIES" | "ALLOW_PROPERTIES":
            return FilterAction(type=rule.kind, fields=fields_of(rule.fields))
        case _:
            return FilterAction(type="DROP")


def lines_of(fields: Mapping[str, Sequence[str]]) -> str:
    """Objects and their keys, a line each: `properties: email, phone`; the event itself is `event`."""
    return "\n".join(f"{path or 'event'}: {', '.join(keys)}" for path, keys in fields.items())


def fields_of(text: str) -> dict[str, Any]:
    """The same back. Raises ValueError with what is wrong."""
    found: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        path, parted, keys = line.partition(":")
        named = [key.strip() for key in keys.split(",") if key.strip()]
        if not parted or not named:
            raise ValueError(f"Write an object and its keys, such as properties: email, phone, not {line!r}.")
        found["" if path.strip() == "event" else path.strip()] = named
    if not found:
        raise ValueError("Name at least one property, such as properties: email.")
    return found


def said(actions: Sequence[FilterAction]) -> str:
    """What a filter does, in a sentence."""
    return "; ".join(_said(action) for action in actions)


def _said(action: FilterAction) -> str:
    rule = rule_of(action)
    match rule.kind:
        case "SAMPLE":
            by = f", by {rule.path}" if rule.path else ""
            return f"sends {rule.percent:g} % of them{by}"
        case "DROP_PROPERTIES":
            return f"removes {rule.fields.replace(chr(10), '; ')}"
        case "ALLOW_PROPERTIES":
            return f"keeps only {rule.fields.replace(chr(10), '; ')}"
        case _:
            return "does not send the event"
