"""The place beside the live view where one event is shown in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nicegui import ui

from headwater.console.parts.events.rows import Line, full_html, trace_path
from headwater.console.parts.pieces import html, link


class EventPanel:
    """One event in full, as a call or as JSON; hidden until there is one."""

    def __init__(self, names: Mapping[str, str], zone: str, closed: Callable[[], None]) -> None:
        self._names = names
        self._zone = zone
        self._closed = closed
        self._line: Line | None = None
        with ui.element("aside").classes("event-panel").props('aria-label="The chosen event"') as self.element:
            with ui.element("div").classes("row-line"):
                self._form = ui.toggle(["Pretty", "Raw"], value="Pretty", on_change=self._draw)
                self._form.props("dense no-caps unelevated toggle-color=primary")
                ui.element("div").classes("grow")
                self._trace = html("")
                ui.button(icon="close", on_click=self.close).props('flat dense round aria-label="Close"')
            self._place = html("").classes("event-full")
        self.element.on("keydown.escape", self.close)
        self.element.set_visibility(False)

    @property
    def shown(self) -> Line | None:
        """The event that is shown."""
        return self._line

    def show(self, line: Line) -> None:
        """Show an event."""
        self._line = line
        self._trace.set_content(f"<b>{link('Trace', trace_path(line.message_id))}</b>")
        self._draw()
        self.element.set_visibility(True)

    def close(self) -> None:
        """Show none."""
        self._line = None
        self.element.set_visibility(False)
        self._closed()

    def _draw(self) -> None:
        if self._line is not None:
            raw = self._form.value == "Raw"
            self._place.set_content(full_html(self._line, self._names, self._zone, raw=raw))
