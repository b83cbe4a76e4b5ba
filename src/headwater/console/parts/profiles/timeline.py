"""What a profile did: its events, newest first, each leading to its trace."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from nicegui import ui

from headwater.console.parts.events.calls import type_chip
from headwater.console.parts.events.rows import trace_since
from headwater.console.parts.figures import count, moment_html
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, html, safe
from headwater.console.parts.profiles.rows import short
from headwater.console.person import Person
from headwater.manage.operations.profile_details import (
    ListProfileEvents,
    ProfileEvent,
    list_profile_events,
)
from headwater.spec.wire import JSON

_COUNT = 20
_CHOICES = 50
_CUT = 4_000


class Timeline:
    """The card on one page. `names` counts the events of the profile by name."""

    def __init__(
        self, person: Person, space_id: str, profile_id: str, sources: Mapping[str, str], names: Mapping[str, int]
    ) -> None:
        self._person = person
        self._space_id = space_id
        self._profile_id = profile_id
        self._sources = sources
        self._names = names
        self._cursors = [""]
        self._next = ""

    async def build(self) -> None:
        """Place the card, with the newest events."""
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html("<h2>Events</h2>")
                self._said = ui.label().classes("soft grow")
                self._place_choice()
            self._list = Patched()
            with ui.element("div").classes("row-line") as self._turning:
                self._newer = ui.button("Newer", icon="chevron_left", on_click=attempt(self._back)).props("flat dense")
                self._older = ui.button("Older", icon="chevron_right", on_click=attempt(self._on)).props("flat dense")
        await self._look()

    def _place_choice(self) -> None:
        shown = list(self._names.items())[:_CHOICES]
        options = {"": "All events"} | {name: f"{short(name)} ({count(events)})" for name, events in shown}
        self._choice = ui.select(options, value="", on_change=attempt(self._again)).props(
            "outlined dense options-dense"
        )
        self._choice.props["aria-label"] = "Events of one name"
        self._choice.style("min-width: 180px; max-width: 320px")
        self._choice.set_visibility(len(options) > 2)

    async def _look(self) -> None:
        wanted = ListProfileEvents(
            space_id=self._space_id,
            profile_id=self._profile_id,
            name=str(self._choice.value or "")[:1_000],
            count=_COUNT,
            next=self._cursors[-1],
        )
        answer = await self._person.ask(list_profile_events, wanted)
        self._next = answer.next
        first = len(self._cursors) == 1
        self._turning.set_visibility(bool(self._next) or not first)
        self._newer.set_enabled(not first)
        self._older.set_enabled(bool(self._next))
        self._said.set_text(f"Track, page and screen calls of the last {count(answer.days)} days.")
        now = time.time_ns() // 1_000_000
        rows = [_row(one, self._sources, self._person, now) for one in answer.events]
        nothing = '<p class="soft">None. They are there some seconds after they come.</p>'
        self._list.show(Html(f'<ol class="timeline">{"".join(rows)}</ol>' if rows else nothing))

    async def _again(self) -> None:
        self._cursors = [""]
        await self._look()

    async def _on(self) -> None:
        self._cursors.append(self._next)
        await self._look()

    async def _back(self) -> None:
        if len(self._cursors) > 1:
            self._cursors.pop()
        await self._look()


def _row(one: ProfileEvent, sources: Mapping[str, str], person: Person, now: int) -> str:
    name = safe(short(one.name, 80))
    if one.message_id and person.may("events:read"):
        name = f'<a href="/console{safe(trace_since(one.message_id, one.received_at, now))}">{name}</a>'
    source = safe(short(sources.get(one.source_id, one.source_id), 40))
    at = moment_html(one.at, person.zone)
    return (
        f'<li><div class="timeline-head">{type_chip(one.type)} <b>{name}</b> <span class="soft">{source}</span>'
        f'<span class="soft number at">{at}</span></div>{_properties(one.properties)}</li>'
    )


def _properties(properties: JSON) -> str:
    """What the event says, folded."""
    if not properties:
        return ""
    line = json.dumps(properties, ensure_ascii=False)
    text = json.dumps(properties, ensure_ascii=False, indent=2)
    cut = f"\n… cut after {count(_CUT)} characters; the trace has the whole" if len(text) > _CUT else ""
    return (
        f'<details class="inside"><summary><code>{safe(short(line, 120))}</code></summary>'
        f'<pre class="json">{safe(text[:_CUT])}{cut}</pre></details>'
    )
