"""Events of the live view: one line each, and one of them in full. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final
from urllib.parse import quote

import msgspec

from headwater.console.parts.events.calls import as_object, call_of, name_of, type_chip, user_of
from headwater.console.parts.figures import moment_html
from headwater.console.parts.pieces import Html, copyable, link, pretty
from headwater.spec.timestamps import parse_moment

NAMED: Final = 2
"""So many destinations are named in a line; the others are counted."""


HEADS: Final = (
    ("at", "Time"),
    ("type", "Type"),
    ("name", "Event"),
    ("user", "User"),
    ("source", "Source"),
    ("to", "Destinations"),
)
"""The class and the title of each part of a line."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An event that came: `id` is its place in the log, `body` its JSON as it was published."""

    id: str
    source_id: str
    message_id: str
    received_at: str
    destinations: tuple[str, ...]
    body: bytes


def line_html(line: Line, names: Mapping[str, str], zone: str) -> str:
    """A line of the list. `names` are those of sources and destinations by their ids."""
    event = opened(line)
    cells = (
        ("at", _time(line.received_at, zone)),
        ("type", type_chip(str(event.get("type", "")))),
        ("name", escape(name_of(event)[:200])),
        ("user", escape(user_of(event)[:120])),
        ("source", escape(names.get(line.source_id, line.source_id))),
        ("to", escape(_destinations(line.destinations, names))),
    )
    inside = "".join(f'<span class="{kind}">{content}</span>' for kind, content in cells)
    return f'<div role="option" tabindex="-1" data-id="{escape(line.id)}">{inside}</div>'


def lines_html(lines: Iterable[Line], names: Mapping[str, str], zone: str) -> str:
    """Lines of the list, in the order given."""
    return "".join(line_html(line, names, zone) for line in lines)


def opened(line: Line) -> Mapping[str, Any]:
    """The event as an object; empty where it is none."""
    try:
        return as_object(msgspec.json.decode(line.body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def full_html(line: Line, names: Mapping[str, str], zone: str, *, raw: bool) -> Html:
    """An event in full: as the call that may have sent it, or as JSON."""
    event = opened(line)
    facts = (
        ("Received", moment_html(line.received_at, zone)),
        ("Source", link(names.get(line.source_id, line.source_id), f"/sources/{line.source_id}")),
        ("Destinations", escape(", ".join(names.get(one, one) for one in line.destinations) or "none")),
        ("Message id", f'<span class="mono">{escape(line.message_id)}</span>'),
    )
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    shown = pretty(dict(event)) if raw else copyable(call_of(event))
    return Html(f'<dl class="facts">{listed}</dl>{shown}')


def trace_path(message_id: str) -> str:
    """The page that traces an event, as a path of the console."""
    return f"/events/{quote(message_id, safe='')}"


def trace_since(message_id: str, at: str, now: int) -> str:
    """The page that traces an event of a moment, sought as far back as that is; `now` in ms."""
    happened = parse_moment(at) or now
    passed = (now - happened) // 86_400_000
    return trace_path(message_id) + (f"?days={min(31, passed + 2)}" if passed > 0 else "")


def _time(at: str, zone: str) -> str:
    """The time of day with milliseconds; the full moment is on hover."""
    milliseconds = parse_moment(at)
    if milliseconds is None:
        return escape(at)
    return moment_html(milliseconds, zone, date=False).replace(
        "</time>", f'<span class="soft">.{milliseconds % 1000:03d}</span></time>'
    )


def _destinations(ids: tuple[str, ...], names: Mapping[str, str]) -> str:
    shown = ", ".join(names.get(one, one) for one in ids[:NAMED])
    return f"{shown} +{len(ids) - NAMED}" if len(ids) > NAMED else shown or "–"
