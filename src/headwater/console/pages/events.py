"""Live events: what comes in from all sources, as it comes."""

from __future__ import annotations

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.events.feed import Wanted
from headwater.console.parts.events.live import live_events
from headwater.console.parts.events.rows import trace_path
from headwater.console.parts.pieces import html, link
from headwater.console.person import Person


@page("/events", title="Live events", scope="events:read", menu=Entry("bolt", 30, key="e"))
async def events(
    person: Person, *, source: str = "", type: str = "", event: str = "", user: str = "", text: str = ""
) -> None:
    wanted = Wanted(source=source, type=type, event=event, user=user, filter=text)
    await live_events(person, wanted, beside=_trace_field)


def _trace_field() -> None:
    """A field that leads to the trace of one event."""

    def go() -> None:
        if wanted := (field.value or "").strip():
            ui.navigate.to(trace_path(wanted))

    html(link("Refused events", "/refused"))
    with ui.element("div").classes("row-line trace-field"):
        field = ui.input(placeholder="messageId").props("outlined dense").on("keydown.enter", go)
        field.props["aria-label"] = "messageId to trace"
        ui.button("Trace", on_click=go).props("outline dense")
