"""Who entered and left an audience, and who is in it; of a computed trait, who has which value."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from nicegui import ui

from headwater.console.parts.audiences.asks import Kind
from headwater.console.parts.figures import ago_html, count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, chip, html, link, safe, table_html
from headwater.console.parts.profiles.rows import identifier_html, profile_path, short, title_of
from headwater.console.parts.profiles.trait_rows import value_text
from headwater.console.person import Person
from headwater.manage.operations.computations import (
    ListAudienceMembers,
    ListAudienceMoves,
    MemberShape,
    MoveShape,
    list_audience_members,
    list_audience_moves,
)
from headwater.manage.people import ProfileSummary

_COUNT = 8
_CHOICES = {"all": "All", "entered": "Entered", "left": "Left"}
_Choice = Literal["all", "entered", "left"]


def person_html(space: str, profile_id: str, profile: ProfileSummary | None) -> Html:
    """A profile by its name with a link; one that is gone by its id."""
    if profile is None:
        return Html(f'<span class="soft mono" title="This profile is gone.">{safe(short(profile_id, 40))}</span>')
    title = title_of(profile.name, profile.email, profile.identifiers, profile.id)
    shown = next((one for one in profile.identifiers if not one.endswith(f":{title}")), "")
    more = f"<small>{identifier_html(shown, 40)}</small>" if shown else ""
    return Html(f'<div class="named">{link(short(title), profile_path(space, profile.id))}{more}</div>')


def moves_html(moves: Sequence[MoveShape], space: str, now: int, zone: str) -> Html:
    """Moves as a table. Pure."""
    return table_html(
        ("Who", "", "When"),
        (
            (
                person_html(space, one.profile_id, one.profile),
                chip("entered", "good") if one.entered else chip("left", "warn"),
                Html(ago_html(one.at, now, zone)),
            )
            for one in moves
        ),
        label="Entries and exits",
    )


def members_html(kind: Kind, members: Sequence[MemberShape], space: str, now: int, zone: str) -> Html:
    """Members, or profiles with their values, as a table. Pure."""
    heads = ("Who", "Since") if kind == "audience" else ("Who", "Value", "Since")

    def row(one: MemberShape) -> tuple[object, ...]:
        who, since = person_html(space, one.profile_id, one.profile), Html(ago_html(one.since, now, zone))
        return (who, since) if kind == "audience" else (who, _value(one.value), since)

    return table_html(heads, (row(one) for one in members), label="Members" if kind == "audience" else "Values")


def _value(value: Any) -> Html:
    text = value_text(value)
    return Html(f'<span class="trait-value" title="{safe(short(text, 500))}">{safe(short(text, 120))}</span>')


class Moves:
    """The card of entries and exits; the newest are kept up to date, older ones on demand."""

    def __init__(self, person: Person, space: str, id: str) -> None:
        self._person = person
        self._space = space
        self._id = id
        self._befores = [0]
        self._next = 0
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html("<h2>Entries and exits</h2>").classes("grow")
                self._choice = ui.toggle(_CHOICES, value="all", on_change=attempt(self._again)).classes("spans")
                self._choice.props('dense no-caps unelevated role=group aria-label="Which"')
            self._table = Patched()
            with ui.element("div").classes("row-line") as self._turning:
                self._newer = ui.button("Newer", icon="chevron_left", on_click=attempt(self._back)).props("flat dense")
                self._older = ui.button("Older", icon="chevron_right", on_click=attempt(self._on)).props("flat dense")

    async def look(self) -> None:
        """Ask anew, and show it."""
        wanted: bool | None = {"entered": True, "left": False}.get(str(self._choice.value))
        answer = await self._person.ask(
            list_audience_moves,
            ListAudienceMoves(
                space_id=self._space, id=self._id, entered=wanted, before=self._befores[-1], count=_COUNT
            ),
        )
        self._next = answer.next
        now = time.time_ns() // 1_000_000
        nothing = Html('<p class="soft">Nobody has entered or left since it is live.</p>')
        self._table.show(moves_html(answer.moves, self._space, now, self._person.zone) if answer.moves else nothing)
        first = len(self._befores) == 1
        self._turning.set_visibility(bool(self._next) or not first)
        self._newer.set_enabled(not first)
        self._older.set_enabled(bool(self._next))

    async def _again(self) -> None:
        self._befores = [0]
        await self.look()

    async def _on(self) -> None:
        self._befores.append(self._next)
        await self.look()

    async def _back(self) -> None:
        if len(self._befores) > 1:
            self._befores.pop()
        await self.look()


class Members:
    """The card of members, a page at a time."""

    def __init__(self, person: Person, kind: Kind, space: str, id: str) -> None:
        self._person = person
        self._kind: Kind = kind
        self._space = space
        self._id = id
        self._afters = [""]
        self._next = ""
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html(f"<h2>{'Members' if kind == 'audience' else 'Values'}</h2>").classes("grow")
                path = f"/console/files/members/{quote(space, safe='')}/{quote(id, safe='')}"
                html(f'<a class="action" href="{path}" title="Once in five minutes">Download CSV</a>')
            self._said = ui.label().classes("soft")
            self._table = Patched()
            with ui.element("div").classes("row-line") as self._turning:
                self._less = ui.button("Back", icon="chevron_left", on_click=attempt(self._back)).props("flat dense")
                self._more = ui.button("More", icon="chevron_right", on_click=attempt(self._on)).props("flat dense")

    async def look(self) -> None:
        """Ask anew, and show it."""
        answer = await self._person.ask(
            list_audience_members,
            ListAudienceMembers(space_id=self._space, id=self._id, after=self._afters[-1], count=_COUNT),
        )
        self._next = answer.next
        now = time.time_ns() // 1_000_000
        nobody = "Nobody is in it." if self._kind == "audience" else "Nobody has a value."
        if answer.next and not answer.members:
            nobody = f"None among the {count(answer.searched)} profiles that were looked through; More goes on."
        elif answer.next and len(answer.members) < _COUNT:
            nobody = f"{count(answer.searched)} profiles were looked through; More goes on."
        self._said.set_text("" if len(answer.members) == _COUNT or (answer.members and not answer.next) else nobody)
        shown = members_html(self._kind, answer.members, self._space, now, self._person.zone)
        self._table.show(shown if answer.members else "")
        first = len(self._afters) == 1
        self._turning.set_visibility(bool(self._next) or not first)
        self._less.set_enabled(not first)
        self._more.set_enabled(bool(self._next))

    async def _on(self) -> None:
        self._afters.append(self._next)
        await self.look()

    async def _back(self) -> None:
        if len(self._afters) > 1:
            self._afters.pop()
        await self.look()
