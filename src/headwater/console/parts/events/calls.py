"""Events as people who send them know them: as calls of a client. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from headwater.console.parts.pieces import Html, Tone, chip
from headwater.spec.wire import JSON

_TONES: dict[str, Tone] = {"track": "accent", "identify": "good", "group": "good", "alias": "warn"}
_TRAITS = ("identify", "group")


def type_chip(type: str) -> Html:
    """The type of an event as a word with a colour."""
    return chip(type, _TONES.get(type, ""))


def name_of(event: Mapping[str, JSON]) -> str:
    """What tells an event from others of its type: its name, or whom it is about."""
    match event.get("type"):
        case "track":
            return text(event.get("event"))
        case "page" | "screen":
            parts = (text(event.get("category")), text(event.get("name")))
            return " / ".join(part for part in parts if part)
        case "group":
            return text(event.get("groupId"))
        case "alias":
            return text(event.get("previousId"))
        case _:
            return ""


def user_of(event: Mapping[str, JSON]) -> str:
    """Whose event it is: the userId, or else the anonymousId."""
    return text(event.get("userId")) or text(event.get("anonymousId"))


def text(value: JSON) -> str:
    """A value that should be a string, as one."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def call_of(event: Mapping[str, JSON]) -> str:
    """The event as the call that may have sent it; what a client adds by itself is left out."""
    type = text(event.get("type"))
    body = event.get("traits" if type in _TRAITS else "properties")
    match type:
        case "identify":
            values = [event.get("userId"), body]
        case "group":
            values = [event.get("groupId"), body]
        case "alias":
            values = [event.get("userId"), event.get("previousId")]
        case "page" | "screen":
            values = [event.get("category"), event.get("name"), body]
        case _:
            values = [event.get("event"), body]
    given = [one for one in values if one not in (None, {})]
    who = "" if type in ("identify", "alias") and event.get("userId") else _who(event)
    options = event.get("integrations")
    said = f"\n// integrations: {_js(options)}" if options else ""
    return f"{who}analytics.{type}({', '.join(_js(one) for one in given)}){said}"


def _who(event: Mapping[str, JSON]) -> str:
    names = [name for name in ("userId", "anonymousId") if event.get(name) is not None]
    return f"// {', '.join(f'{name}: {text(event[name])}' for name in names)}\n" if names else ""


def _js(value: JSON) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def as_object(value: JSON) -> Mapping[str, JSON]:
    """A value that should be an object, as one; empty for anything else."""
    return cast("Mapping[str, JSON]", value) if isinstance(value, dict) else {}
