"""Identifiers that were left out, and events that were kept out of a space: the newest, by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nicegui import ui

from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, html, link, safe, table_html
from headwater.console.parts.profiles.causes import Around, event_html
from headwater.console.parts.profiles.rows import identifier_html, profile_path
from headwater.console.person import Person
from headwater.manage.operations.profiles import ListIdentityViolations, list_identity_violations
from headwater.manage.people import ViolationShape
from headwater.spec.graph import MEANINGS

_COUNT = 20
_COUNTED = 500
_NONE = Html('<p class="soft">None: every identifier of every event found its place.</p>')


class Violations:
    """The card on one page."""

    def __init__(self, person: Person, space: str, around: Around) -> None:
        self._person = person
        self._space = space
        self._around = around
        self._before = [""]
        self._next = ""

    async def build(self) -> None:
        """Place the card. Kinds are counted among the newest."""
        newest = await self._ask("", "", _COUNTED)
        kinds = Counter(one.kind for one in newest)
        most = f"the newest {count(_COUNTED)}" if len(newest) == _COUNTED else "all"
        options = {"": f"Every kind ({most})"}
        options |= {kind: f"{MEANINGS.get(kind, kind)} ({count(events)})" for kind, events in kinds.most_common()}
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html("<h2>Violations</h2>")
                ui.label("Left out, so that strangers do not become one.").classes("soft grow")
                self._kind = ui.select(options, value="", on_change=attempt(self._again))
                self._kind.props("outlined dense options-dense").style("min-width: 220px; max-width: 100%")
                self._kind.props["aria-label"] = "Kind of violation"
                self._kind.set_visibility(bool(newest))
            self._table = Patched()
            with ui.element("div").classes("row-line") as self._turning:
                self._newer = ui.button("Newer", icon="chevron_left", on_click=attempt(self._back)).props("flat dense")
                self._older = ui.button("Older", icon="chevron_right", on_click=attempt(self._on)).props("flat dense")
        await self._look()

    async def _ask(self, kind: str, before: str, most: int) -> Sequence[ViolationShape]:
        wanted = ListIdentityViolations(space_id=self._space, kind=kind, before=before, count=most)
        return (await self._person.ask(list_identity_violations, wanted)).violations

    async def _look(self) -> None:
        found = await self._ask(str(self._kind.value or ""), self._before[-1], _COUNT + 1)
        shown = found[:_COUNT]
        self._next = shown[-1].id if len(found) > _COUNT else ""
        first = len(self._before) == 1
        self._turning.set_visibility(bool(self._next) or not first)
        self._newer.set_enabled(not first)
        self._older.set_enabled(bool(self._next))
        self._table.show(_rows(shown, self._space, self._around) if shown else _NONE)

    async def _again(self) -> None:
        self._before = [""]
        await self._look()

    async def _on(self) -> None:
        self._before.append(self._next)
        await self._look()

    async def _back(self) -> None:
        if len(self._before) > 1:
            self._before.pop()
        await self._look()


def _rows(found: Sequence[ViolationShape], space: str, around: Around) -> Html:
    rows = [
        (
            Html(moment_html(one.cause.at, around.zone)),
            one.meaning,
            identifier_html(one.identifier) if one.identifier else "–",
            event_html(one.cause, around),
            _profile(one, space),
        )
        for one in found
    ]
    return table_html(("When", "What", "Identifier", "Event", "Went to"), rows, label="Violations")


def _profile(one: ViolationShape, space: str) -> Html:
    if not one.profile_id:
        return Html('<span class="soft">no profile</span>')
    shown = link(f"…{one.profile_id[-5:]}", profile_path(space, one.profile_id))
    return Html(f'<code title="{safe(one.profile_id)}">{shown}</code>')
