"""The audit trail: who changed what, and when."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, chip, link, safe, table_html
from headwater.console.parts.settings.head import settings_head
from headwater.console.person import Person
from headwater.manage.operations.audit_trail import AuditEvent, ListAuditEvents, list_audit_events
from headwater.manage.operations.tokens import ListTokens, list_tokens
from headwater.manage.operations.users import ListUsers, list_users
from headwater.manage.paging import Page, Pagination

_COUNT = 50
_KINDS = {
    "": "Everything",
    "SOURCE": "Sources",
    "DESTINATION": "Destinations",
    "WAREHOUSE": "Warehouses",
    "SPACE": "Spaces",
    "TOKEN": "Tokens",
    "USER": "People",
}
_PLACES = {
    "SOURCE": "/sources/{}",
    "DESTINATION": "/destinations/{}",
    "WAREHOUSE": "/warehouse/{}",
    "SPACE": "/settings/spaces/{}",
}


@page("/settings/audit", title="Settings", scope="audit:read")
async def settings_audit(person: Person) -> None:
    settings_head(person, "/settings/audit")
    view = _View(person, await _names(person))
    view.build()
    await view.look()


async def _names(person: Person) -> dict[str, str]:
    """The names of those who may have changed something, as far as this person may see them."""
    names: dict[str, str] = {}
    if person.may("tokens:read"):
        tokens = (await person.ask(list_tokens, ListTokens(pagination=Pagination(count=1000)))).tokens
        names |= {one.id: f"{one.name} (token)" for one in tokens}
    if person.may("users:read"):
        users = (await person.ask(list_users, ListUsers(pagination=Pagination(count=1000)))).users
        names |= {one.id: one.name for one in users}
    return names


class _View:
    """A page of the trail, the filters, and the buttons that turn the page."""

    def __init__(self, person: Person, names: dict[str, str]) -> None:
        self._person = person
        self._names = names
        self._cursor: str | None = None
        self._place = Page(current="")

    def build(self) -> None:
        """Place the filters, the table and the buttons."""
        again = attempt(self._filter)
        with ui.element("div").classes("row-line"):
            self._kind = ui.select(_KINDS, value="", label="About", on_change=again).props("outlined dense")
            self._kind.style("min-width: 150px")
            self._id = ui.input("Id of what was changed", on_change=again).props(
                "outlined dense debounce=300 clearable"
            )
            self._id.classes("search").style("width: 260px")
            self._since = ui.input("From (UTC)", on_change=again).props(
                "outlined dense type=date stack-label clearable"
            )
            self._until = ui.input("To (UTC)", on_change=again).props("outlined dense type=date stack-label clearable")
        self._table = Patched()
        with ui.element("div").classes("row-line"):
            self._newer = ui.button("Newer", icon="chevron_left", on_click=attempt(self._turn_back)).props("flat dense")
            self._older = ui.button("Older", icon="chevron_right", on_click=attempt(self._turn_on)).props("flat dense")
            self._total = ui.label().classes("soft")

    async def look(self) -> None:
        """Ask anew, and show it."""
        until = str(self._until.value or "")
        answer = await self._person.ask(
            list_audit_events,
            ListAuditEvents(
                start_time=str(self._since.value or "") or None,
                end_time=f"{until}T23:59:59.999Z" if until else None,
                resource_id=str(self._id.value or "").strip() or None,
                resource_type=str(self._kind.value or "") or None,
                pagination=Pagination(count=_COUNT, cursor=self._cursor),
            ),
        )
        self._place = answer.pagination
        self._table.show(_rows(answer.events, self._names, self._person.zone))
        self._newer.set_enabled(self._place.previous is not None)
        self._older.set_enabled(self._place.next is not None)
        self._total.set_text(f"{count(self._place.total_entries or 0)} changes")

    async def _filter(self, _: Any = None) -> None:
        self._cursor = None
        await self.look()

    async def _turn_on(self) -> None:
        self._cursor = self._place.next
        await self.look()

    async def _turn_back(self) -> None:
        self._cursor = self._place.previous
        await self.look()


def _rows(events: list[AuditEvent], names: dict[str, str], zone: str) -> Html:
    if not events:
        return Html('<div class="empty"><b>Nothing was changed</b>Not in this time, or not of this kind.</div>')
    rows = [
        (
            Html(moment_html(one.timestamp, zone)),
            Html(f'<div class="clipped" title="{safe(one.actor)}">{safe(names.get(one.actor, one.actor))}</div>'),
            one.type,
            _about(one),
        )
        for one in events
    ]
    return table_html(("When", "Who", "What", "About"), rows, label="Audit trail")


def _about(one: AuditEvent) -> Html:
    name = one.resource_name or one.resource_id
    place = _PLACES.get(one.resource_type)
    shown = link(name, place.format(one.resource_id)) if place and "Deleted" not in one.type else Html(safe(name))
    kind = chip(one.resource_type.lower())
    return Html(f'<div class="clipped" title="{safe(name)} ({safe(one.resource_id)})">{kind} {shown}</div>')
