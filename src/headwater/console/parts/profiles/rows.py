"""Profiles in a list: what they are called, what they are known by, and how much is known of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from headwater.console.parts.figures import ago_html, count
from headwater.console.parts.pieces import Html, link, safe, table_html
from headwater.manage.people import ProfileSummary

_HEADS: Final = ("Profile", "Identifiers", "Events", "Last seen", "Known since")
_NAMED: Final = 3
_LONGEST: Final = 60
_TELLING: Final = ("user_id:", "email:", "group_id:")


def profile_path(space: str, profile_id: str) -> str:
    """The page of a profile, as a path of the console."""
    return f"/profiles/{quote(space, safe='')}/{quote(profile_id, safe='')}"


def short(text: str, most: int = _LONGEST) -> str:
    """A text that fits into a line."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def title_of(name: str, email: str, identifiers: Sequence[str], id: str) -> str:
    """What to call a profile: its name, its e-mail, an identifier (rather one that people know), or its id."""
    told = [one for kind in _TELLING for one in identifiers if one.startswith(kind)] or identifiers
    return name or email or next((one.partition(":")[2] for one in told), "") or id


def identifier_html(identifier: str, most: int = _LONGEST) -> Html:
    """An identifier with its type set apart; the whole of it on hover."""
    kind, _, value = identifier.partition(":")
    return Html(
        f'<span class="identifier" title="{safe(identifier)}"><i>{safe(kind)}</i> {safe(short(value, most))}</span>'
    )


def profiles_html(found: Sequence[ProfileSummary], space: str, now: int, zone: str) -> Html:
    """The list as a table."""
    return table_html(_HEADS, (_row(one, space, now, zone) for one in found), right=(2,), label="Profiles")


def _row(one: ProfileSummary, space: str, now: int, zone: str) -> list[object]:
    title = title_of(one.name, one.email, one.identifiers, one.id)
    below = one.email if one.email and one.email != title else one.id
    merged = f" · {count(one.merges)} merged" if one.merges else ""
    return [
        Html(
            f'<div class="named">{link(short(title), profile_path(space, one.id))}'
            f'<small title="{safe(one.id)}">{safe(short(below, 40))}{merged}</small></div>'
        ),
        _identifiers(one),
        count(one.events),
        Html(f'<span class="nowrap">{ago_html(one.last_seen_at, now, zone)}</span>'),
        Html(f'<span class="nowrap">{ago_html(one.created_at, now, zone)}</span>'),
    ]


def _identifiers(one: ProfileSummary) -> Html:
    shown = "".join(str(identifier_html(each, 32)) for each in one.identifiers[:_NAMED])
    more = one.identifiers_total - min(_NAMED, len(one.identifiers))
    return Html(f'<div class="identifiers">{shown}{f"<small>+{count(more)}</small>" if more > 0 else ""}</div>')
