"""The deliveries of a destination that failed or wait: each with its reason and attempts, and sending them again."""

from __future__ import annotations

import time
from typing import Any, Final, Literal, cast

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.destinations.one_delivery import show_delivery
from headwater.console.parts.destinations.redriving import redrive_all, redrive_some
from headwater.console.parts.events.rows import trace_path
from headwater.console.parts.figures import ago_html, count, in_html
from headwater.console.parts.pieces import attempt, empty, link, safe
from headwater.console.person import Person
from headwater.manage.operations.parked import (
    ListParkedDeliveries,
    ParkedPage,
    ParkedShape,
    list_parked_deliveries,
)
from headwater.spec.outcome import REASONS, Step

PAGE: Final = 50
State = Literal["failed", "waiting"]
_STATES: Final[dict[State, str]] = {"failed": "Failed", "waiting": "Waiting"}
_STEPS: Final[dict[State, Step]] = {"failed": Step.FAILED_DELIVERY, "waiting": Step.PENDING}
_EVERY: Final = "any reason"
_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": name, "label": label, "field": name, "align": align}
    for name, label, align in (
        ("event", "Event", "left"),
        ("reason", "Reason", "left"),
        ("detail", "Detail", "left"),
        ("attempts", "Attempts", "right"),
        ("when", "Parked", "left"),
        ("due", "Next try", "left"),
        ("more", "", "right"),
    )
]
_CELLS: Final = '<q-td :props="props"><span v-html="props.value"></span></q-td>'
_MORE: Final = """
<q-td :props="props"><q-btn flat dense size="sm" label="Details" color="primary"
  @click="() => $parent.$emit('details', props.row.id)"/></q-td>
"""


class Failures:
    """The list, a page at a time, and what can be done with those that are chosen."""

    def __init__(self, person: Person, destination_id: str) -> None:
        self._person = person
        self._destination_id = destination_id
        self._state: State = "failed"
        self._reason = ""
        self._cursors: list[str | None] = [None]
        self._following: str | None = None
        self._shown: dict[str, ParkedShape] = {}
        self._choices()
        self._progress = ui.element("div").classes("progress")
        self._nothing = empty("Nothing here", "Deliveries that fail or have to wait show here, with the reason.")
        self._table = ui.table(rows=[], columns=_COLUMNS, selection="multiple" if self._may else None)
        self._table.props("flat dense").add_slot("body-cell", _CELLS)
        self._table.add_slot("body-cell-more", _MORE)
        self._table.on("details", attempt(self._details))
        self._table.on_select(lambda _: self._choose())
        self._paging()

    @property
    def _may(self) -> bool:
        return self._person.may("deliveries:write")

    async def load(self) -> None:
        """Show the page that is asked for as it is now."""
        wanted = ListParkedDeliveries(
            destination_id=self._destination_id,
            state=self._state,
            reason=self._reason,
            pagination=ParkedPage(count=PAGE, cursor=self._cursors[-1]),
        )
        answer = await self._person.ask(list_parked_deliveries, wanted)
        self._shown = {one.id: one for one in answer.deliveries}
        self._following = answer.pagination.next
        now = int(time.time() * 1000)
        self._table.selected = []
        self._table.rows = [_row(one, now, self._person.zone) for one in answer.deliveries]
        self._table.set_visibility(bool(answer.deliveries))
        self._nothing.set_visibility(not answer.deliveries)
        self._newer.set_enabled(len(self._cursors) > 1)
        self._older.set_enabled(self._following is not None)
        self._place.set_visibility(len(self._cursors) > 1 or self._following is not None)
        self._choose()

    async def start(self) -> None:
        """Show what failed; when nothing did, what waits."""
        await self.load()
        if not self._shown:
            self._states.set_value("waiting")

    def _choices(self) -> None:
        with ui.element("div").classes("row-line"):
            self._states = ui.toggle(dict(_STATES), value=self._state).props("dense unelevated no-caps")
            self._states.classes("choice")
            self._by_reason = ui.select(_reasons(self._state), value=_EVERY, label="Reason").props("outlined dense")
            self._by_reason.classes("by-reason")
            ui.button("Look again", icon="refresh", on_click=attempt(self.load)).props("flat dense")
            ui.element("div").classes("grow")
            self._some = ui.button("Send chosen again", on_click=attempt(self._redrive_some)).props("outline dense")
            self._all = ui.button("Send all again", on_click=attempt(self._redrive_all)).props("outline dense")
        self._states.on_value_change(attempt(self._set_state))
        self._by_reason.on_value_change(attempt(self._set_reason))

    def _paging(self) -> None:
        with ui.element("div").classes("row-line") as self._place:
            self._newer = ui.button("Newer", icon="chevron_left", on_click=attempt(self._back)).props("flat dense")
            self._older = ui.button("Older", icon="chevron_right", on_click=attempt(self._on)).props("flat dense")

    def _choose(self) -> None:
        chosen = len(self._table.selected)
        able = self._may and self._state == "failed" and bool(self._shown)
        self._some.set_visibility(able)
        self._all.set_visibility(able)
        self._some.set_enabled(chosen > 0)
        self._some.set_text(f"Send {count(chosen)} chosen again" if chosen else "Send chosen again")

    async def _set_state(self, event: Any) -> None:
        self._state = cast("State", event.value)
        self._reason = ""
        self._cursors = [None]
        self._table.set_selection("multiple" if self._may and self._state == "failed" else None)
        self._by_reason.set_options(_reasons(self._state), value=_EVERY)
        await self.load()

    async def _set_reason(self, event: Any) -> None:
        wanted = "" if event.value in (None, _EVERY) else str(event.value)
        if wanted != self._reason:
            self._reason = wanted
            self._cursors = [None]
            await self.load()

    async def _back(self) -> None:
        self._cursors.pop()
        await self.load()

    async def _on(self) -> None:
        self._cursors.append(self._following)
        await self.load()

    async def _details(self, event: GenericEventArguments) -> None:
        one = self._shown.get(str(event.args))
        if one is not None:
            show_delivery(one, self._person.zone)

    async def _redrive_some(self) -> None:
        ids = [str(row["id"]) for row in self._table.selected]
        await redrive_some(self._person, self._destination_id, ids, place=self._progress, after=self.load)

    async def _redrive_all(self) -> None:
        await redrive_all(self._person, self._destination_id, self._reason, place=self._progress, after=self.load)


def _reasons(state: State) -> list[str]:
    return [_EVERY, *REASONS[_STEPS[state]]]


def _row(one: ParkedShape, now: int, zone: str) -> dict[str, Any]:
    name = f"{one.type} · {one.name}" if one.name else one.type
    due = in_html(one.due_at, now, zone) if one.state == "waiting" else "–"
    return {
        "id": one.id,
        "event": f'<div class="named">{link(name, trace_path(one.message_id))}'
        f"<small>{safe(one.message_id)}</small></div>",
        "reason": f'<code title="{safe(one.meaning)}">{safe(one.reason)}</code>',
        "detail": f'<span class="detail" title="{safe(one.detail)}">{safe(one.detail)}</span>',
        "attempts": one.attempts,
        "when": ago_html(one.parked_at, now, zone),
        "due": due,
        "more": "",
    }
