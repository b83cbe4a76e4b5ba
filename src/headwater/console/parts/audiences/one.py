"""The page of one audience or computed trait: how it stands, who is in it, what it says, and who is told."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from nicegui import ui

from headwater.console.parts.audiences.acts import place_acts
from headwater.console.parts.audiences.asks import NOUNS, PATHS, TITLES, Kind, Shown, find_one
from headwater.console.parts.audiences.definition import definition_html
from headwater.console.parts.audiences.growth import Growth
from headwater.console.parts.audiences.people import Members, Moves
from headwater.console.parts.audiences.refers import refers_html
from headwater.console.parts.audiences.state import progress_html, state_chip
from headwater.console.parts.audiences.told import Told
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.headline import headline
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, chip, html, notice, safe
from headwater.console.parts.polling import poll
from headwater.console.parts.profiles.rows import short
from headwater.console.parts.profiles.spaces import spaces_of
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.computations import (
    GetComputationProgressAnswer,
    OneComputation,
    get_computation_progress,
)
from headwater.manage.operations.identity_rules import GetIdentityRules, get_identity_rules
from headwater.manage.operations.spaces import SpaceShape

STYLES = ("headline.css", "sources.css", "overview.css", "delivery.css", "profiles.css", "audiences.css")
_REFRESH_SECONDS = 1.0


async def space_of(person: Person, name: str) -> SpaceShape:
    """The space of an address; one that is not known is left for operations to refuse."""
    found = [one for one in await spaces_of(person) if name in (one.id, one.slug)]
    return found[0] if found else SpaceShape(id=name, slug=name, name=name)


async def id_types_of(person: Person, space_id: str, collection: str) -> list[str]:
    """The identifier types of people or companies in a space, the strongest first, as far as one may see them."""
    if not person.may("spaces:read"):
        return []
    rules = await person.ask(get_identity_rules, GetIdentityRules(space_id=space_id))
    return [one.name for one in rules.identifiers if one.collection == collection]


async def show_one(person: Person, kind: Kind, space_name: str, id: str) -> None:
    """Build the page."""
    for sheet in STYLES:
        use_styles(sheet)
    space = await space_of(person, space_name)
    shown = await find_one(person, kind, space.id, id)
    collection = "accounts" if shown.level == "ACCOUNTS" else "users"
    id_types, refers, progress = await asyncio.gather(
        id_types_of(person, space.id, collection),
        refers_html(person, shown, space),
        person.ask(get_computation_progress, OneComputation(space_id=space.id, id=id)),
    )
    of = chip("companies" if shown.level == "ACCOUNTS" else "people")
    headline(shown.name, above=(TITLES[kind], f"{PATHS[kind]}?space={space.slug}"), beside=[of])
    view = _View(person, shown, space, progress)
    with ui.element("div").classes("profile-columns"):
        with ui.element("div").classes("stack"):
            growth = Growth(person, kind, space.id, id)
            if person.may("profiles:read"):
                moves = Moves(person, space.slug, id) if kind == "audience" else None
                members = Members(person, kind, space.slug, id)
                view.often += [moves] if moves is not None else []
                view.on_change.append(members)
            else:
                notice(f"Who is in it takes the scope profiles:read: this {NOUNS[kind]} is shown without.")
        with ui.element("div").classes("stack"):
            html(definition_html(shown, person.zone))
            view.often.append(Told(person, space, shown, id_types))
            html(refers)
    view.on_change.append(growth)
    await view.start()
    poll(_REFRESH_SECONDS, view.look)


class _View:
    """What is kept up to date on one page: where it stands, and whatever else has a `look`.

    Finding members takes a walk over many profiles, so they are asked for only when their number has changed.
    """

    def __init__(self, person: Person, shown: Shown, space: SpaceShape, progress: GetComputationProgressAnswer) -> None:
        self._person = person
        self._shown = shown
        self._space = space
        self._was = progress
        self._acts = ui.element("div")
        self._place_acts()
        if shown.description:
            html(f'<p class="soft about-it">{safe(shown.description)}</p>')
        self._facts = Patched(self._facts_html(progress)).classes("facts-line")
        self._progress = Patched(progress_html(shown.kind, progress)).classes("progress-place")
        self.often: list[Any] = []
        self.on_change: list[Any] = []

    async def start(self) -> None:
        """Show all that is kept up to date for the first time."""
        await asyncio.gather(*(one.look() for one in (*self.often, *self.on_change)))

    async def look(self) -> None:
        """Ask where it stands, and for all else."""
        wanted = OneComputation(space_id=self._space.id, id=self._shown.id)
        progress = await self._person.ask(get_computation_progress, wanted)
        self._facts.show(self._facts_html(progress))
        self._progress.show(progress_html(self._shown.kind, progress))
        turned = progress.status != self._was.status
        changed = turned or progress.size != self._was.size
        self._was = progress
        if turned:
            self._place_acts()
        await asyncio.gather(*(one.look() for one in (*self.often, *(self.on_change if changed else ()))))

    def _place_acts(self) -> None:
        """What can be done depends on where it stands."""
        status = self._was.status
        now = msgspec.structs.replace(self._shown, status=status, enabled=status != "Disabled")
        self._acts.clear()
        with self._acts:
            place_acts(self._person, now, self._space)

    def _facts_html(self, progress: GetComputationProgressAnswer) -> Html:
        shown = self._shown
        of = "Members" if shown.kind == "audience" else "Profiles with a value"
        parts = [
            ("State", state_chip(progress.status)),
            (of, Html(f"<b>{count(progress.size)}</b>")),
            ("Key", Html(f"<code>{safe(short(shown.key, 80))}</code>")),
            ("Version", Html(count(progress.version))),
            ("Live since", Html(moment_html(progress.live_at, self._person.zone))),
        ]
        inner = "".join(f"<div><span>{name}</span><div>{value}</div></div>" for name, value in parts)
        return Html(f'<div class="profile-facts">{inner}</div>')
