"""The audiences that a profile is in, and the traits that are computed for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.pieces import Html, chip, safe, table_html
from headwater.console.parts.profiles.rows import short
from headwater.console.parts.profiles.trait_rows import value_text
from headwater.manage.memberships import Membership

_TITLE: Final = "Audiences and computed traits"
_KINDS: Final = {"audience": "audience", "trait": "computed trait", "removed": "removed since"}
_ORDER: Final = tuple(_KINDS)
_LISTED: Final = 100


def memberships_html(found: Sequence[Membership], zone: str) -> Html:
    """A card with all of them, audiences first."""
    if not found:
        none = '<p class="soft">This profile is in no audience, and nothing is computed for it.</p>'
        return Html(f'<section class="card"><h2>{_TITLE}</h2>{none}</section>')
    ordered = sorted(found, key=lambda one: (_ORDER.index(one.kind), one.name.casefold(), one.key))
    rows = [_row(one, zone) for one in ordered[:_LISTED]]
    more = len(ordered) - len(rows)
    rest = f'<p class="soft">{count(more)} more are left out; the Profile API tells all.</p>' if more else ""
    table = table_html(("Name", "Kind", "Value", "Since"), rows, label=_TITLE)
    return Html(f'<section class="card"><h2>{_TITLE}</h2>{table}{rest}</section>')


def _row(one: Membership, zone: str) -> list[object]:
    if one.kind == "audience" and isinstance(one.value, bool):
        value: object = chip("in it", "good") if one.value else chip("left")
    else:
        value = Html(f'<span class="trait-value">{safe(short(value_text(one.value), 200))}</span>')
    name = Html(f'<div class="named">{safe(short(one.name or one.key))}<small>{safe(short(one.key))}</small></div>')
    return [name, _KINDS[one.kind], value, Html(moment_html(one.since, zone))]
