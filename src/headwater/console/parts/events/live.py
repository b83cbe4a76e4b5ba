"""Events as they come, to watch, to filter and to look into: of all sources, or of one (contract: connections 8.1)."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.events.feed import MOST, Feed, Wanted
from headwater.console.parts.events.filters import live_filters
from headwater.console.parts.events.list import EventList
from headwater.console.parts.events.panel import EventPanel
from headwater.console.parts.events.rows import HEADS, lines_html
from headwater.console.parts.figures import count
from headwater.console.parts.leaving import leave_if_ended
from headwater.console.parts.pieces import html, say
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.destinations import ListDestinations, list_destinations
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.paging import Pagination

_ALL = Pagination(count=1_000)
_NOTHING = "<b>No events yet</b>What comes is shown at once. Events that were refused are not here, but under Refused."


async def live_events(
    person: Person, wanted: Wanted, *, one_source: bool = False, beside: Callable[[], None] | None = None
) -> None:
    """Show the live view. With `one_source` the source of `wanted` cannot be changed.

    `beside` adds something to the line above the list.
    """
    use_styles("events.css")
    sources = await _sources(person)
    names = sources | await _destinations(person)
    view = _View(person, names)
    await view.feed.want(wanted)
    live_filters(wanted, None if one_source else sources, view.want)
    view.build(beside)
    view.live()


async def _sources(person: Person) -> dict[str, str]:
    if not person.may("sources:read"):
        return {}
    return {one.id: one.name for one in (await person.ask(list_sources, ListSources(pagination=_ALL))).sources}


async def _destinations(person: Person) -> dict[str, str]:
    if not person.may("destinations:read"):
        return {}
    found = (await person.ask(list_destinations, ListDestinations(pagination=_ALL))).destinations
    return {one.id: one.name for one in found}


class _View:
    """What one page shows, and whether it is paused."""

    _list: EventList
    _panel: EventPanel
    _button: ui.button
    _said: ui.label
    _empty: ui.html

    def __init__(self, person: Person, names: dict[str, str]) -> None:
        self._person = person
        self._names = names
        self._client = ui.context.client
        self._paused = False
        self.feed = Feed(person, self._show_new, self._failed)

    def build(self, beside: Callable[[], None] | None) -> None:
        """Show what the feed has."""
        with ui.element("div").classes("row-line live-state"):
            self._button = ui.button("Pause", icon="pause", on_click=self._turn).props("outline dense no-caps")
            self._said = ui.label().classes("soft number grow").props("role=status")
            if beside is not None:
                beside()
        with ui.element("div").classes("live"):
            with ui.element("div").classes("event-frame"):
                self._list = EventList(self._lines(), heads=HEADS, most=MOST, label="Events, newest first")
                self._empty = html(_NOTHING).classes("event-empty")
            self._panel = EventPanel(self._names, self._person.zone, self._list.unchoose)
        self._list.on_choose(self._choose)
        self._tell_state()

    def live(self) -> None:
        """Follow the events while the page is open in a tab that is looked at."""

        def shown(event: GenericEventArguments) -> None:
            if event.args:
                self.feed.start()
            else:
                self.feed.stop()

        self._client.on_connect(self.feed.start)
        self._client.on_disconnect(self.feed.stop)
        self._client.on_delete(self.feed.stop)
        ui.on("shown", shown)

    async def want(self, wanted: Wanted) -> None:
        """Show other events from now on."""
        await self.feed.want(wanted)
        self._list.fill(self._lines())
        self._tell_state()
        self.feed.start()

    def _lines(self) -> str:
        return lines_html(self.feed.lines(), self._names, self._person.zone)

    def _show_new(self) -> None:
        if not self._paused and self.feed.waiting:
            self._list.add(lines_html(self.feed.take(), self._names, self._person.zone))
        self._tell_state()

    def _tell_state(self) -> None:
        kept, waiting = len(self.feed.lines()), self.feed.waiting
        self._empty.set_visibility(kept == 0)
        words = ["Paused" if self._paused else "Live"]
        if self._paused:
            words.append(f"{count(waiting)} new")
        words.append(f"{count(kept)} shown" if not self._paused else "")
        if self.feed.passed_over:
            words.append(f"{count(self.feed.passed_over)} more not shown")
        self._said.set_text(" · ".join(word for word in words if word))

    def _turn(self) -> None:
        self._paused = not self._paused
        self._button.set_text("Resume" if self._paused else "Pause")
        self._button.set_icon("play_arrow" if self._paused else "pause")
        self._show_new()

    async def _choose(self, id: str) -> None:
        line = self.feed.find(id)
        if line is None:
            ui.notify("This event is no longer kept here; trace it by its messageId.")
            return
        self._panel.show(line)

    def _failed(self, error: Exception) -> None:
        self.feed.stop()

        async def tell() -> None:
            with self._client:
                if not await leave_if_ended(error):
                    say(error)
                    self._said.set_text("Stopped; reload the page to go on")

        background_tasks.create(tell())
