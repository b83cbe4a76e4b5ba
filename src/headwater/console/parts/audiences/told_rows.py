"""The connections of an audience or computed trait as a table, and their settings as a form has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headwater.console.parts.audiences.asks import Kind
from headwater.console.parts.patched import press
from headwater.console.parts.pieces import Html, chip, link, safe
from headwater.console.parts.profiles.rows import short
from headwater.manage.operations.connections import ConnectionShape
from headwater.spec.computation import AccountsAs

NAMES: Final[dict[Kind, dict[str, tuple[str, str]]]] = {
    "audience": {
        "enteredName": ("Name of the event on entering", "Audience Entered"),
        "exitedName": ("Name of the event on leaving", "Audience Exited"),
    },
    "trait": {"computedName": ("Name of the event", "Trait Computed")},
}
"""The settings that name track calls: what they are, and what holds without them."""

ACCOUNTS_AS: Final[dict[AccountsAs, str]] = {
    "group": "a group call for each account",
    "identify": "an identify call for each of its people",
}
"""How the value itself is told of accounts."""

STRATEGIES: Final = {"last": "the last", "first": "the first", "all": "all"}


def connections_html(kind: Kind, found: Sequence[ConnectionShape], calls: Mapping[str, int], *, may: bool) -> Html:
    """Each connection with what is told, and buttons for whoever may press them. `calls` counts activations."""
    items = "".join(f"<li>{_item(kind, one, calls.get(one.id, 0), may=may)}</li>" for one in found)
    return Html(f'<ul class="told" aria-label="Told to">{items}</ul>')


def _item(kind: Kind, one: ConnectionShape, calls: int, *, may: bool) -> str:
    path = f"/{'warehouse' if one.type == 'warehouse' else 'destinations'}/{one.destination_id}"
    sort = one.metadata.name if one.metadata else "it is gone"
    if not one.enabled:
        state = chip("switched off", "warn")
    else:
        state = chip("up to date", "good") if one.up_to_date else chip("being told", "accent")
    said = (
        f'<div class="told-head"><b>{link(short(one.name), path)}</b> <span class="soft">{safe(sort)}</span> {state}'
        f"</div>{what_html(kind, one, calls)}"
    )
    if not may:
        return said
    acts = (
        press("Change", "change", one.id, about=f"Change {one.name}"),
        press("Tell again", "resync", one.id, about=f"Tell {one.name} everything again"),
        press("Switch off", "off", one.id) if one.enabled else press("Switch on", "on", one.id),
        press("Remove", "remove", one.id, about=f"Remove {one.name}"),
    )
    return f'{said}<div class="told-acts">{"".join(acts)}</div>'


def what_html(kind: Kind, one: ConnectionShape, calls: int) -> str:
    """Which calls are made, and by which identifiers."""
    settings: Mapping[str, Any] = one.connection_settings or {}
    told: list[str] = []
    if settings.get("sendIdentify", True):
        told.append("identify")
    if settings.get("sendTrack", True):
        told += [f"“{settings.get(key) or default}”" for key, (_, default) in NAMES[kind].items()]
    ids = ", ".join(f"{STRATEGIES[sync.strategy]} {sync.external_id}" for sync in one.id_sync_configuration)
    by = f"by {ids}" if ids else "by every user id and e-mail"
    traits: Any = settings.get("traits") or []
    along = f", with {', '.join(str(trait) for trait in traits[:5])}" if traits else ""
    more = f"<br>{calls} calls set up one by one" if calls else ""
    said = safe(short(", ".join(told), 120))
    return f'<div>{said}</div><small class="soft block">{safe(short(by + along, 160))}{more}</small>'


def settings_of(
    before: Mapping[str, Any] | None,
    *,
    identify: bool,
    track: bool,
    mobile: bool,
    names: Mapping[str, str],
    traits: Sequence[str],
    accounts_as: AccountsAs | None = None,
) -> dict[str, Any]:
    """The settings that a form asks for; what it does not show stays, and what holds anyway is left out.

    `accounts_as` is asked of accounts alone.
    """
    given = {key: names[key].strip() for key in names}
    wanted: dict[str, Any] = {
        "sendIdentify": None if identify else False,
        "sendTrack": None if track else False,
        "mobileIds": mobile or None,
        "traits": list(traits) or None,
        **{key: value or None for key, value in given.items()},
    }
    if accounts_as is not None:
        wanted["accountsAs"] = None if accounts_as == "group" else accounts_as
    settings = {**(before or {}), **wanted}
    return {key: value for key, value in settings.items() if value is not None}


def words(text: str) -> list[str]:
    """Names that are separated by commas, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
