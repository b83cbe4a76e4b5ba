"""The audiences that a profile is in, and the traits that are computed for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from headwater.console.parts.figures import moment_html
from headwater.console.parts.pieces import Html, chip, safe, table_html
from headwater.console.parts.profiles.rows import short
from headwater.console.parts.profiles.trait_rows import value_text

AUDIENCE: Final = "audience"
COMPUTED_TRAIT: Final = "computed_trait"
_KINDS: Final = {AUDIENCE: "audience", COMPUTED_TRAIT: "computed trait"}
_LISTED: Final = 100


class Membership(msgspec.Struct, frozen=True):
    """An audience (`value` is whether the profile is in it) or a computed trait, as a profile has it `since` then."""

    key: str
    name: str
    kind: str
    value: Any
    since: str | None = None


def memberships_of(found: Iterable[Any]) -> list[Membership]:
    """What `get_profile` tells, as this part takes it."""
    return [
        Membership(key=str(one.key), name=str(one.name), kind=str(one.kind), value=one.value, since=one.since)
        for one in found
    ]


def memberships_html(found: Sequence[Membership], zone: str) -> Html:
    """A card with all of them, audiences first."""
    if not found:
        return Html(
            '<section class="card"><h2>Audiences and computed traits</h2>'
            '<p class="soft">This profile is in no audience, and nothing is computed for it.</p></section>'
        )
    ordered = sorted(found, key=lambda one: (one.kind != AUDIENCE, one.name.casefold(), one.key))
    rows = [_row(one, zone) for one in ordered[:_LISTED]]
    more = len(ordered) - len(rows)
    rest = f'<p class="soft">{more} more are left out.</p>' if more else ""
    table = table_html(("Name", "Kind", "Value", "Since"), rows, label="Audiences and computed traits")
    return Html(f'<section class="card"><h2>Audiences and computed traits</h2>{table}{rest}</section>')


def _row(one: Membership, zone: str) -> list[object]:
    if one.kind == AUDIENCE and isinstance(one.value, bool):
        value: object = chip("in it", "good") if one.value else chip("left")
    else:
        value = short(value_text(one.value), 200)
    name = Html(f'<div class="named">{safe(short(one.name or one.key))}<small>{safe(short(one.key))}</small></div>')
    return [name, _KINDS.get(one.kind, one.kind), value, Html(moment_html(one.since, zone))]
