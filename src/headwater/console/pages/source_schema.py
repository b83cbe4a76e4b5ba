"""One source: which events it has sent so far, and what was in them."""

from __future__ import annotations

import time
from typing import Literal, cast
from urllib.parse import urlencode

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.events.calls import type_chip
from headwater.console.parts.figures import ago_html, count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, link, table_html
from headwater.console.parts.polling import poll
from headwater.console.parts.sources.head import source_head
from headwater.console.parts.sources.schema import event_schema
from headwater.console.person import Person
from headwater.manage.operations.schema import EventSeen, ListSchemaOfSource, list_schema_of_source
from headwater.manage.paging import Pagination

_REFRESH_SECONDS = 5.0
_MOST = 500
_HEADS = ("Type", "Event", "Events", "First seen", "Last seen")
_ORDERS = {"EVENTS": "Most first", "LAST_SEEN": "Newest first"}


@page("/sources/{source_id}/schema", title="Schema", scope="sources:read")
async def source_schema(person: Person, source_id: str, type: str = "", name: str = "") -> None:
    shown = await source_head(person, source_id, "/schema")
    if type and person.may("events:read"):
        await event_schema(person, shown.id, type, name)
        return
    view = _Names(person, shown.id)
    await view.refresh()
    poll(_REFRESH_SECONDS, view.refresh)


class _Names:
    """The events of one source by name, on one page."""

    def __init__(self, person: Person, source_id: str) -> None:
        self._person = person
        self._source_id = source_id
        again = attempt(self.refresh)
        with ui.element("div").classes("row-line filters"):
            self._text = ui.input(placeholder="Filter by name or type", on_change=lambda: again()).classes(
                "search grow"
            )
            self._text.props('outlined dense clearable debounce=250 aria-label="Filter by name or type"')
            self._order = ui.select(_ORDERS, value="EVENTS", on_change=lambda: again())
            self._order.props('outlined dense options-dense aria-label="Order"')
        self._place = Patched()

    async def refresh(self) -> None:
        """Ask for the names that are wanted, and show them."""
        text = (self._text.value or "").strip()
        wanted = ListSchemaOfSource(
            source_id=self._source_id,
            filter=text,
            sort=cast("Literal['EVENTS', 'LAST_SEEN']", self._order.value),
            pagination=Pagination(count=_MOST),
        )
        answer = await self._person.ask(list_schema_of_source, wanted)
        now = time.time_ns() // 1_000_000
        if not answer.events:
            self._place.show(_nothing(text))
            return
        rows = [self._row(one, now) for one in answer.events]
        total = answer.pagination.total_entries or len(rows)
        more = f'<p class="soft">{count(total - len(rows))} more; filter to find them.</p>' if total > len(rows) else ""
        self._place.show(table_html(_HEADS, rows, right=(2,), label="Events of this source") + more)

    def _row(self, one: EventSeen, now: int) -> tuple[object, ...]:
        zone = self._person.zone
        return (
            type_chip(one.type),
            self._name(one),
            count(one.events),
            Html(ago_html(one.first_at, now, zone)),
            Html(ago_html(one.last_at, now, zone)),
        )

    def _name(self, one: EventSeen) -> object:
        if one.overflow:
            return "names beyond the 5,000 that are kept"
        title = one.name or f"all {one.type} calls"
        if not self._person.may("events:read"):
            return title
        query = urlencode({"type": one.type, "name": one.name})
        return link(title, f"/sources/{self._source_id}/schema?{query}")


def _nothing(text: str) -> Html:
    if text:
        return Html('<div class="empty"><b>No event like this</b>Try a part of its name, or its type.</div>')
    return Html(
        '<div class="empty"><b>No events yet</b>As soon as this source sends, its events are listed here '
        "by name, with what is in them. The lines to paste are under <b>Set up</b>.</div>"
    )
