"""Trying an event on a destination: which decisions it meets, what is sent, and what is answered (8.6)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from headwater.console.parts.editor import Editor
from headwater.console.parts.figures import duration, span
from headwater.console.parts.pieces import Html, Tone, attempt, chip, heading, html, notice, pretty, safe
from headwater.console.person import Person
from headwater.manage.operations.preview import (
    PreviewDelivery,
    PreviewDeliveryAnswer,
    PreviewRequest,
    PreviewResponse,
    PreviewStep,
    preview_delivery,
)
from headwater.manage.operations.recent import ListRecentEvents, RecentEvent, list_recent_events
from headwater.spec.timestamps import parse_moment

_RECENT: Final = 30
_EXAMPLE: Final = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ada",
    "properties": {"revenue": 27.5, "currency": "EUR"},
}
_TONES: Final[dict[str, Tone]] = {"delivered": "good", "failed_delivery": "bad", "pending": "warn"}


class DeliveryTest:
    """An editor for the event, and beside it what came of trying it."""

    def __init__(self, person: Person, destination_id: str, source_id: str) -> None:
        self._person = person
        self._destination_id = destination_id
        self._source_id = source_id
        self._recent: dict[str, RecentEvent] = {}
        with ui.element("div").classes("two"):
            with ui.element("div").classes("stack"):
                heading("Event")
                self._choice = ui.select({}, label="Take a recent event").props("outlined dense options-dense")
                self._choice.on_value_change(self._choose)
                self._editor = Editor(
                    json.dumps(_EXAMPLE, indent=2), language="JSON", height=340, label="The event, as JSON"
                )
                with ui.element("div").classes("row-line"):
                    ui.button("Preview", icon="visibility", on_click=attempt(self._preview))
                    ui.button("Send it", icon="send", on_click=attempt(self._send)).props("outline")
                html('<p class="soft">A preview sends nothing. “Send it” sends a real request and counts nowhere.</p>')
            with ui.element("div").classes("stack"):
                self._result = ui.element("div").classes("stack")
                with self._result:
                    heading("What would happen")
                    html('<p class="soft">Choose or type an event, and preview it.</p>')

    async def start(self) -> None:
        """Offer recent events of the destination's source, once the browser is there."""
        await ui.context.client.connected()
        if not self._person.may("events:read"):
            return
        asked = ListRecentEvents(source=self._source_id, count=_RECENT)
        found = (await self._person.ask(list_recent_events, asked)).events
        self._recent = {one.id: one for one in found}
        now = int(time.time() * 1000)
        self._choice.set_options({one.id: _title(one, now) for one in found})
        if not found:
            self._choice.props["hint"] = "This source has sent nothing yet."

    def _choose(self, event: ValueChangeEventArguments[Any]) -> None:
        one = self._recent.get(str(event.value))
        if one is not None:
            self._editor.set_value(json.dumps(msgspec.json.decode(one.event), indent=2, ensure_ascii=False))

    async def _preview(self) -> None:
        await self._try(send=False)

    async def _send(self) -> None:
        await self._try(send=True)

    async def _try(self, *, send: bool) -> None:
        event = self._event()
        if event is None:
            return
        wanted = PreviewDelivery(destination_id=self._destination_id, event=event, send=send)
        answer = await self._person.ask(preview_delivery, wanted)
        self._result.clear()
        with self._result:
            _show(answer)

    def _event(self) -> dict[str, Any] | None:
        problem = "The event must be a JSON object."
        try:
            event = json.loads(self._editor.value)
            if isinstance(event, dict):
                return cast("dict[str, Any]", event)
        except ValueError as error:
            problem = f"The event is not JSON: {error}"
        self._result.clear()
        with self._result:
            notice(problem, tone="error")
        return None


def _title(one: RecentEvent, now: int) -> str:
    name = f"{one.type} · {one.name}" if one.name else one.type
    passed = max(0, now - (parse_moment(one.received_at) or now)) / 1000
    return f"{name}, {span(passed)} ago"


def _show(answer: PreviewDeliveryAnswer) -> None:
    heading("What happened" if answer.sent else "What would happen")
    html(steps_html(answer.steps))
    if answer.response is not None:
        heading("Answer")
        html(_response(answer.response))
    if answer.requests:
        heading("Requests" if len(answer.requests) > 1 else "Request")
    for request in answer.requests:
        html(_request(request))
    if answer.event is not None:
        html(f"<details><summary>The event as it would be published</summary>{pretty(answer.event)}</details>")


def steps_html(steps: Sequence[PreviewStep]) -> Html:
    """Each decision, in order, and whether the event passed it."""
    return Html(f'<ol class="decisions">{"".join(_step(one) for one in steps)}</ol>')


def _step(one: PreviewStep) -> str:
    mark = chip("passed", "good") if one.passed else chip("stopped", "bad")
    why = "" if one.passed else f" <code>{safe(one.reason)}</code> {safe(one.meaning)}"
    return f"<li><b>{safe(one.step.capitalize())}</b> {mark}{why}</li>"


def _request(one: PreviewRequest) -> Html:
    return Html(
        f'<div class="exchange"><p class="mono"><b>{safe(one.method)}</b> {safe(one.url)}</p>'
        f"{_headers(one.headers)}{pretty(one.body)}</div>"
    )


def _response(one: PreviewResponse) -> Html:
    status = f"HTTP {one.status}" if one.status else "no answer"
    said = " ".join(part for part in (one.meaning, one.detail) if part)
    return Html(
        f"<div class='exchange'><p>{chip(one.step.replace('_', ' '), _TONES.get(one.step, ''))} <b>{status}</b> "
        f"{safe(duration(one.took))}</p><p class='soft'>{safe(said)}</p>"
        f"{_headers(one.headers)}{pretty(one.body) if one.body not in (None, '') else ''}</div>"
    )


def _headers(headers: dict[str, str]) -> str:
    lines = "".join(f"<div><span>{safe(name)}</span> {safe(value)}</div>" for name, value in headers.items())
    return f'<div class="headers mono">{lines}</div>' if lines else ""
