"""The traits of a profile: searched by name and turned page by page."""

from __future__ import annotations

import time
from collections.abc import Mapping

from nicegui import ui

from headwater.console.parts.figures import count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, html
from headwater.console.parts.profiles.trait_rows import traits_html
from headwater.console.person import Person
from headwater.manage.operations.profile_details import ListProfileTraits, list_profile_traits

_COUNT = 25
_NONE = Html(
    '<p class="soft">No traits yet. An <code>identify</code> call of a person, or a <code>group</code> call of a '
    "company, gives some.</p>"
)


class Traits:
    """The card on one page."""

    def __init__(self, person: Person, space_id: str, profile_id: str, sources: Mapping[str, str]) -> None:
        self._person = person
        self._space_id = space_id
        self._profile_id = profile_id
        self._sources = sources
        self._offset = 0

    async def build(self) -> None:
        """Place the card, with what is there."""
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html("<h2>Traits</h2>")
                self._said = ui.label().classes("soft grow")
                self._search = ui.input(placeholder="Name of a trait", on_change=attempt(self._again))
                self._search.props('outlined dense clearable debounce=250 maxlength=200 aria-label="Search traits"')
            self._table = Patched().classes("traits")
            with ui.element("div").classes("row-line") as self._turning:
                self._back = ui.button("Back", icon="chevron_left", on_click=attempt(lambda: self._turn(-_COUNT)))
                self._on = ui.button("More", icon="chevron_right", on_click=attempt(lambda: self._turn(_COUNT)))
                for button in (self._back, self._on):
                    button.props("flat dense")
        await self._look()

    async def _look(self) -> None:
        wanted = ListProfileTraits(
            space_id=self._space_id,
            profile_id=self._profile_id,
            search=(self._search.value or "").strip(),
            offset=self._offset,
            count=_COUNT,
        )
        answer = await self._person.ask(list_profile_traits, wanted)
        shown, total = len(answer.traits), answer.total
        self._search.set_visibility(total > _COUNT or bool(wanted.search))
        self._turning.set_visibility(total > _COUNT)
        self._back.set_enabled(self._offset > 0)
        self._on.set_enabled(self._offset + shown < total)
        self._said.set_text(_said(self._offset, shown, total))
        now = time.time_ns() // 1_000_000
        nothing = Html('<p class="soft">No trait is called that.</p>') if wanted.search else _NONE
        self._table.show(traits_html(answer.traits, self._sources, now, self._person.zone) if shown else nothing)

    async def _again(self) -> None:
        self._offset = 0
        await self._look()

    async def _turn(self, by: int) -> None:
        self._offset = max(0, self._offset + by)
        await self._look()


def _said(offset: int, shown: int, total: int) -> str:
    if not shown:
        return ""
    if shown == total:
        return count(total)
    return f"{count(offset + 1)} to {count(offset + shown)} of {count(total)}, by name"
