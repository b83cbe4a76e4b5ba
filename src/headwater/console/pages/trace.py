"""What became of one event: from the request to every attempt at each destination."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.frame import page
from headwater.console.parts.events.calls import as_object, name_of, text, type_chip, user_of
from headwater.console.parts.events.deliveries import delivery_html
from headwater.console.parts.events.rows import trace_path
from headwater.console.parts.events.steps import settled, trail_html
from headwater.console.parts.headline import headline
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, loading, safe
from headwater.console.parts.polling import poll
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.parked import RedriveDeliveries, redrive_deliveries
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.operations.trace import TraceEvent, TraceEventAnswer, trace_event
from headwater.manage.paging import Pagination
from headwater.spec.errors import SenderError

_REFRESH_SECONDS = 3.0
_DAYS = 7
_RETRY = "(event) => { const it = event.target.closest('[data-retry]'); if (it) emit(it.dataset.retry); }"


@page("/events/{message_id:path}", title="Event", scope="events:read")
async def trace(person: Person, message_id: str, days: int = 1) -> None:
    use_styles("events.css")
    use_styles("sources.css")
    headline(message_id, above=("Live events", "/events"))
    view = _Trace(person, message_id, min(max(days, 1), 31))
    await loading(320, view.build)


class _Trace:
    """The trail of one event on one page, asked for again until everything has ended."""

    def __init__(self, person: Person, message_id: str, days: int) -> None:
        self._person = person
        self._message_id = message_id
        self._days = days
        self._place: Patched
        self._answer: TraceEventAnswer | None = None
        self._sources: dict[str, str] = {}

    async def build(self) -> None:
        """Show the trail, or that there is none."""
        person = self._person
        if person.may("sources:read"):
            found = await person.ask(list_sources, ListSources(pagination=Pagination(count=1_000)))
            self._sources = {one.id: one.name for one in found.sources}
        self._place = Patched()
        self._place.on("click", attempt(self._retry), js_handler=_RETRY)
        await self._look()
        poll(_REFRESH_SECONDS, self._look_again)

    async def _look_again(self) -> None:
        if self._answer is None or not settled(self._answer):
            await self._look()

    async def _look(self) -> None:
        since = datetime.now(UTC) - timedelta(days=self._days)
        wanted = TraceEvent(message_id=self._message_id, since=since.isoformat())
        try:
            self._answer = await self._person.ask(trace_event, wanted)
        except SenderError as error:
            if error.status != 404:
                raise
            self._place.show(_nothing(self._message_id, self._days))
            return
        self._place.show(self._drawn(self._answer))

    def _drawn(self, answer: TraceEventAnswer) -> Html:
        now, zone = time.time_ns() // 1_000_000, self._person.zone
        may_retry = self._person.may("deliveries:write")
        deliveries = "".join(delivery_html(one, now, zone, may_retry=may_retry) for one in answer.destinations)
        steps = trail_html(answer, self._sources, zone) + deliveries
        return Html(f'{_about(answer)}<ol class="trail-steps">{steps}</ol>')

    async def _retry(self, event: GenericEventArguments) -> None:
        """Send a failed delivery of this event again. Only what the trail showed can be asked for."""
        rows = [row for one in (self._answer.destinations if self._answer else ()) for row in one.parked]
        chosen = next((row for row in rows if row.id == str(event.args)), None)
        if chosen is None:
            return
        wanted = RedriveDeliveries(destination_id=chosen.destination_id, ids=[chosen.id])
        answer = await self._person.ask(redrive_deliveries, wanted)
        ui.notify("It is tried again now." if answer.deliveries else "It has been tried again already.")
        await self._look()


def _about(answer: TraceEventAnswer) -> str:
    """The event in a line: its type, its name, and whose it is."""
    payload = answer.processed.event if answer.processed is not None else None
    event = as_object(payload if payload is not None else next((one.payload for one in answer.outcomes), None))
    who = user_of(event)
    type = text(event.get("type"))
    parts = (type_chip(type) if type else "", f"<b>{safe(name_of(event))}</b>", f"of {safe(who)}" if who else "")
    return f'<div class="row-line event-title">{"".join(f"<span>{part}</span>" for part in parts if part)}</div>'


def _nothing(message_id: str, days: int) -> Html:
    further = (
        f'<p><a href="/console{safe(trace_path(message_id))}?days={_DAYS}">Look {_DAYS} days back</a></p>'
        if days < _DAYS
        else ""
    )
    back = "day" if days == 1 else f"{days} days"
    return Html(
        '<div class="empty"><b>No trace of this messageId</b>Published events are found while the log holds them '
        f"(log.retention_hours); refused ones were sought over the last {back}. A messageId is exact, with its "
        f"capitals and dashes. This page looks again every few seconds.{further}</div>"
    )
