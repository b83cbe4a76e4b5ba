"""The list of audiences or computed traits on one page, as long as somebody looks at it."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from headwater.console.parts.audiences.asks import MOST, NOUNS, PATHS, PROCESSED, Kind, Shown, find_all, path_of
from headwater.console.parts.audiences.examples import examples_html
from headwater.console.parts.audiences.list import Row, list_html
from headwater.console.parts.audiences.state import spark_html
from headwater.console.parts.figures import count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, html, safe
from headwater.console.person import Person
from headwater.manage.operations.computations import (
    GetAudienceSeries,
    GetComputationProgressAnswer,
    OneComputation,
    get_audience_series,
    get_computation_progress,
)
from headwater.manage.operations.connections import (
    ListDestinationsFromAudience,
    ListDestinationsFromComputedTrait,
    list_destinations_from_audience,
    list_destinations_from_computed_trait,
)
from headwater.manage.operations.spaces import SpaceShape

_DETAILED = 50
"""Of so many the past and the connections are shown."""

_HOURS = 168


class Listing:
    """The search, the button and the list."""

    def __init__(self, person: Person, kind: Kind, space: SpaceShape) -> None:
        self._person = person
        self._kind: Kind = kind
        self._space = space
        self._found: list[Shown] = []
        self._sparks: dict[str, Html] = {}
        self._told: dict[str, list[str]] = {}
        self._asked = 0

    def place_fields(self, search: str) -> None:
        """Place the search, and the button that leads to the editor."""
        what = "Search audiences" if self._kind == "audience" else "Search computed traits"
        self._search = ui.input(placeholder=what, value=search, on_change=attempt(self._again))
        self._search.props("outlined dense clearable debounce=250 type=search maxlength=200")
        self._search.props["aria-label"] = what
        self._search.classes("search")
        if self._person.may("audiences:write"):
            ui.element("div").classes("grow")
            path = path_of(self._kind, self._space.slug, part="new")
            html(f'<a class="action" href="/console{safe(path)}">New {NOUNS[self._kind]}</a>')

    def place_list(self) -> None:
        """Place the list."""
        self._said = ui.label().classes("soft")
        self._table = Patched().classes("computed-list")

    async def look(self) -> None:
        """Ask anew, and show it."""
        self._asked += 1
        mine, wanted = self._asked, (self._search.value or "").strip()
        found, total = await find_all(self._person, self._kind, self._space.id, wanted)
        progress = await self._progress([one for one in found if one.status in (*PROCESSED, "Failed")])
        if mine != self._asked:
            return
        self._found = found
        self._search.set_visibility(bool(found or wanted))
        if not found:
            self._said.set_text("")
            self._table.show(_nothing(wanted) if wanted else self._examples())
            return
        noun = NOUNS[self._kind]
        more = f" The first {MOST} are shown; search to find the others." if total > MOST else ""
        self._said.set_text(f"{count(len(found))} {noun if len(found) == 1 else noun + 's'}.{more}")
        none = Row(found[0]).spark
        rows = [Row(one, progress.get(one.id), self._sparks.get(one.id, none), self._told.get(one.id)) for one in found]
        now = time.time_ns() // 1_000_000
        self._table.show(list_html(self._kind, rows, self._space.slug, now, self._person.zone))

    async def detail(self) -> None:
        """Ask for the past and the connections of the first ones, and show them too."""
        shown = self._found[:_DETAILED]
        series = (
            self._person.ask(get_audience_series, GetAudienceSeries(space_id=self._space.id, id=one.id, hours=_HOURS))
            for one in shown
        )
        for one, answer in zip(shown, await asyncio.gather(*series), strict=True):
            self._sparks[one.id] = spark_html(answer.points)
        for one, names in zip(shown, await asyncio.gather(*(self._names(one) for one in shown)), strict=True):
            self._told[one.id] = names
        await self.look()

    async def _names(self, one: Shown) -> list[str]:
        if one.kind == "audience":
            wanted = ListDestinationsFromAudience(space_id=self._space.id, audience_id=one.id)
            found = await self._person.ask(list_destinations_from_audience, wanted)
        else:
            of_trait = ListDestinationsFromComputedTrait(space_id=self._space.id, id=one.id)
            found = await self._person.ask(list_destinations_from_computed_trait, of_trait)
        return [each.name for each in found.connections]

    async def _progress(self, some: list[Shown]) -> dict[str, GetComputationProgressAnswer]:
        asked = (
            self._person.ask(get_computation_progress, OneComputation(space_id=self._space.id, id=one.id))
            for one in some[:_DETAILED]
        )
        return {one.id: answer for one, answer in zip(some, await asyncio.gather(*asked), strict=False)}

    async def _again(self, _: Any = None) -> None:
        await self.look()
        address = {"space": self._space.slug, "search": (self._search.value or "")[:200]}
        shown = urlencode({name: value for name, value in address.items() if value})
        ui.navigate.history.replace(f"/console{PATHS[self._kind]}?{shown}")

    def _examples(self) -> Html:
        return examples_html(self._kind, self._space.slug, may_make=self._person.may("audiences:write"))


def _nothing(wanted: str) -> Html:
    return Html(
        f'<div class="empty"><b>Nothing is called “{safe(wanted[:100])}”</b>A part of the name is enough.</div>'
    )
