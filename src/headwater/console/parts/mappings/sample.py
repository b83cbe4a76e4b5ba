"""The event that something is tried with: a recent one of the source, or what is typed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from headwater.console.parts.editor import Editor
from headwater.console.parts.figures import span
from headwater.console.person import Person
from headwater.manage.operations.recent import ListRecentEvents, RecentEvent, list_recent_events
from headwater.spec.timestamps import parse_moment

_RECENT: Final = 30
_EXAMPLE: Final = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ada",
    "properties": {"revenue": 27.5, "currency": "EUR"},
}


class SampleEvent:
    """A choice of recent events above an editor; `told` is called when the event is another."""

    def __init__(self, person: Person, source_id: str, *, height: int, told: Callable[[], None] | None = None) -> None:
        self._person = person
        self._source_id = source_id
        self._recent: dict[str, RecentEvent] = {}
        self._choice = ui.select({}, label="Take a recent event").props("outlined dense options-dense")
        self._choice.on_value_change(self._choose)
        self._editor = Editor(
            json.dumps(_EXAMPLE, indent=2), language="JSON", height=height, label="The event, as JSON"
        )
        if told is not None:
            self._editor.on_value_change(lambda _: told())

    async def start(self) -> None:
        """Offer recent events of the source, once the browser is there."""
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

    def read(self) -> dict[str, Any]:
        """The event. Raises ValueError with what is wrong with it."""
        try:
            event = json.loads(self._editor.value)
        except ValueError as error:
            raise ValueError(f"The event is not JSON: {error}") from None
        if not isinstance(event, dict):
            raise ValueError("The event must be a JSON object.")
        return cast("dict[str, Any]", event)

    def _choose(self, event: ValueChangeEventArguments[Any]) -> None:
        one = self._recent.get(str(event.value))
        if one is not None:
            self._editor.set_value(json.dumps(msgspec.json.decode(one.event), indent=2, ensure_ascii=False))


def _title(one: RecentEvent, now: int) -> str:
    name = f"{one.type} · {one.name}" if one.name else one.type
    passed = max(0, now - (parse_moment(one.received_at) or now)) / 1000
    return f"{name}, {span(passed)} ago"
