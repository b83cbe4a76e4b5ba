"""One profile: who it is, what is known of it, what it did, and why it is one."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlencode

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.facts import copied
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.headline import headline
from headwater.console.parts.pieces import Html, chip, html, link, loading, notice, safe
from headwater.console.parts.profiles.access import access_card
from headwater.console.parts.profiles.causes import Around
from headwater.console.parts.profiles.explaining import explain_card
from headwater.console.parts.profiles.identity import Pressed, identity_card
from headwater.console.parts.profiles.membership import memberships_html
from headwater.console.parts.profiles.parting import ask_to_allow, ask_to_delete, ask_to_part
from headwater.console.parts.profiles.related import MOST, related_html
from headwater.console.parts.profiles.rows import profile_path, short, title_of
from headwater.console.parts.profiles.spaces import source_names
from headwater.console.parts.profiles.timeline import Timeline
from headwater.console.parts.profiles.traits import Traits
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.identity_rules import GetIdentityRules, IdentifierTypeShape, get_identity_rules
from headwater.manage.operations.profile_details import get_profile_event_counts
from headwater.manage.operations.profiles import GetProfile, GetProfileAnswer, UnmergeProfilesAnswer, get_profile
from headwater.spec.errors import SenderError


@page("/profiles/{space}/{profile_id:path}", title="Profile", scope="profiles:read")
async def profile(person: Person, space: str, profile_id: str, parted: str = "") -> None:
    for sheet in ("sources.css", "overview.css", "events.css", "profiles.css"):
        use_styles(sheet)
    wanted = GetProfile(space_id=space, profile_id=profile_id)
    try:
        found = await person.ask(get_profile, wanted)
    except SenderError as error:
        if error.status != 404:
            raise
        _missing(space, profile_id)
        return
    counts, sources, rules, names = await asyncio.gather(
        person.ask(get_profile_event_counts, GetProfile(space_id=space, profile_id=found.id)),
        source_names(person),
        _rules(person, space),
        _names(person, space, found),
    )
    around = Around(sources, person.zone, time.time_ns() // 1_000_000, person.may("events:read"), rules)
    _head(found, space, profile_id, person.zone)
    _parted(space, parted)
    pressed = _actions(person, space, found)
    with ui.element("div").classes("profile-columns"):
        with ui.element("div").classes("stack"):
            await Traits(person, space, found.id, sources).build()
        with ui.element("div").classes("stack"):
            html(memberships_html(found.memberships, person.zone))
            html(related_html(found.groups, names, found.collection, space, around))
            access_card(space, found.collection, _name_for_api(found))
    identity_card(found, around, pressed, may_part=person.may("profiles:write"))
    explain_card(person, space, found, around, pressed)
    await loading(160, Timeline(person, space, found.id, sources, counts.names).build)


def _missing(space: str, profile_id: str) -> None:
    headline("No such profile", above=("Profiles", f"/profiles?space={space}"))
    html(
        f'<div class="empty"><b>Nobody is known by “{safe(short(profile_id, 100))}”</b>in the space {safe(space)}. '
        "An identifier is written type:value. A profile appears with its first event.</div>"
    )


async def _rules(person: Person, space: str) -> dict[str, IdentifierTypeShape]:
    if not person.may("spaces:read"):
        return {}
    rules = await person.ask(get_identity_rules, GetIdentityRules(space_id=space))
    return {one.name: one for one in rules.identifiers}


async def _names(person: Person, space: str, found: GetProfileAnswer) -> dict[str, str]:
    """What the companies or people that are listed are called."""
    ids = list(dict.fromkeys(one.profile_id for one in found.groups[:MOST]))
    asked = (person.ask(get_profile, GetProfile(space_id=space, profile_id=id)) for id in ids)
    answers = await asyncio.gather(*asked)
    return {id: _title(one) for id, one in zip(ids, answers, strict=True)}


def _title(found: GetProfileAnswer) -> str:
    return title_of(found.name, found.email, [one.identifier for one in found.identifiers], found.id)


def _name_for_api(found: GetProfileAnswer) -> str:
    """By what a system is likely to ask: an identifier that is not anonymous, or the id."""
    named = (one.identifier for one in found.identifiers if one.type in ("user_id", "group_id", "email"))
    return next(named, found.id)


def _head(found: GetProfileAnswer, space: str, asked: str, zone: str) -> None:
    title = _title(found)
    collection = "company" if found.collection == "accounts" else "person"
    headline(short(title, 120), above=("Profiles", f"/profiles?space={space}"), beside=[chip(collection)])
    if asked in found.profiles and asked != found.id:
        notice(f"{asked} was merged into this profile; both ids lead here.")
    parts = [
        ("Id", copied(found.id)),
        *([("E-mail", Html(safe(short(found.email, 80))))] if found.email and found.email != title else []),
        ("First seen", Html(moment_html(found.first_seen_at, zone))),
        ("Last seen", Html(moment_html(found.last_seen_at, zone))),
        ("Events", Html(f"<b>{count(found.events)}</b>")),
        ("Identifiers", Html(f"<b>{count(len(found.identifiers))}</b>")),
        *([("Profiles in one", Html(f"<b>{count(len(found.profiles))}</b>"))] if len(found.profiles) > 1 else []),
    ]
    shown = "".join(f"<div><span>{name}</span><div>{value}</div></div>" for name, value in parts)
    html(f'<div class="profile-facts">{shown}</div>')


def _parted(space: str, ids: str) -> None:
    """What was parted from this profile a moment ago."""
    shown = [link(short(id, 80), profile_path(space, id)) for id in ids.split(",")[:5] if id]
    if shown:
        html(f'<div class="notice" role="status">Un-merged. Apart from this profile now: {", ".join(shown)}</div>')


def _actions(person: Person, space: str, found: GetProfileAnswer) -> Pressed:
    """What the buttons of merges and identifiers do."""

    async def parted(answer: UnmergeProfilesAnswer) -> None:
        others = [one.id for one in answer.profiles if one.id != found.id]
        ui.navigate.to(f"{profile_path(space, found.id)}?{urlencode({'parted': ','.join(others)})}")

    async def reload() -> None:
        ui.navigate.reload()

    async def pressed(verb: str, of: str) -> None:
        match verb:
            case "part":
                await ask_to_part(person, space, of, parted)
            case "allow":
                ask_to_allow(person, space, of, reload)
            case "delete":
                ask_to_delete(person, space, found.id, of, reload)
            case _:
                return

    return pressed
