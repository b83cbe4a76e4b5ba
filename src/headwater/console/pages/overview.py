"""The first page: what comes in, what goes out, and whether anything needs somebody."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Literal

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts import attention
from headwater.console.parts.charts import Series, chart, series_options
from headwater.console.parts.figures import count
from headwater.console.parts.flow import flow
from headwater.console.parts.overview.stages import hidden_stages, overview_tiles, stages
from headwater.console.parts.overview.tables import destinations_table, sources_table, warehouses_table
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, chip, copyable, empty, html, link
from headwater.console.parts.polling import poll
from headwater.console.parts.problems import banner
from headwater.console.parts.sources.snippets import snippets, tracking_address
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.connection import GetConnectionDetails, get_connection_details
from headwater.manage.operations.overview import GetOverview, GetOverviewAnswer, get_overview
from headwater.manage.operations.series import (
    GetLedgerSeries,
    GetLedgerSeriesAnswer,
    Granularity,
    get_ledger_series,
)
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.paging import Pagination
from headwater.spec.outcome import Step
from headwater.spec.timestamps import format_moment, parse_moment

_SECONDS: Final = 5.0
_SPANS: Final[dict[int, tuple[str, Granularity, int]]] = {
    60: ("1 h", "MINUTE", 1),
    360: ("6 h", "FIVE_MINUTES", 1),
    1440: ("24 h", "FIVE_MINUTES", 3),
}
"""The spans to choose from, in minutes: how each is called, and its intervals, of which so many make one point."""

_LINES: Final = (("Received", "accent"), ("Delivered", "good"), ("Failed", "bad"))
Points = tuple[list[int], list[list[int]]]


@page("/", title="Overview", scope="ledger:read", menu=Entry("insights", 10, key="o"))
async def overview(person: Person, span: str = "") -> None:
    use_styles("overview.css")
    if not person.may("ledger:read"):
        empty(
            f"Welcome, {person.name}", "The menu holds what you may see; an owner of this workspace can give you more."
        )
        return
    view = _View(person, int(span) if span in {str(minutes) for minutes in _SPANS} else 60)
    view.build()
    await view.refresh()
    if view.first is not None:
        await view.show_beginning()
    poll(_SECONDS, view.refresh)


class _View:
    """What stands on the page for one person, and brings itself up to date."""

    def __init__(self, person: Person, minutes: int) -> None:
        self._person = person
        self._minutes = minutes
        self.first: ui.element | None = None

    def build(self) -> None:
        """Place everything, without figures yet."""
        with ui.element("div").classes("row-line beside-title"):
            names = {minutes: name for minutes, (name, _, _) in _SPANS.items()}
            self._choice = ui.toggle(names, value=self._minutes, on_change=attempt(self._choose))
            self._choice.props('dense no-caps unelevated role=group aria-label="Over which time"').classes("spans")
        self._problems = Patched().classes("stack")
        self.first = ui.element("div")
        self._figures = ui.element("div").classes("stack")
        with self._figures:
            self._tiles = Patched()
            with ui.element("div").classes("card"):
                self._chart = chart(_options(), height=210, label="Events received, delivered and failed over time")
            self._flow = Patched().classes("card")
        self._tables = Patched().classes("stack")

    async def _choose(self) -> None:
        self._minutes = int(self._choice.value or 60)
        ui.navigate.history.replace(f"/console/?span={self._minutes}")
        await self.refresh()

    async def refresh(self) -> None:
        """Ask anew, and show what has changed."""
        person = self._person
        seen, came, went = await asyncio.gather(
            person.ask(get_overview, GetOverview(span=self._minutes)),
            person.ask(get_ledger_series, _series(self._minutes, "sources")),
            person.ask(get_ledger_series, _series(self._minutes, "destinations")),
        )
        now = time.time_ns() // 1_000_000
        attention.note(seen.problems)
        self._problems.show(banner(seen.problems))
        self._tiles.show(overview_tiles(seen, self._minutes))
        self._draw(points(came, went, _SPANS[self._minutes][2]))
        self._flow.show(_picture(seen))
        self._tables.show(_tables(person, seen, now))
        if self.first is not None and any(one.last_received_at for one in seen.sources):
            self.first.delete()
            self.first = None
        self._figures.set_visibility(self.first is None)

    def _draw(self, drawn: Points) -> None:
        moments, values = drawn
        lines = self._chart.options["series"]
        new = [[list(pair) for pair in zip(moments, one, strict=True)] for one in values]
        if [line["data"] for line in lines] != new:
            for line, data in zip(lines, new, strict=True):
                line["data"] = data
            self._chart.update()

    async def show_beginning(self) -> None:
        """What to do when no event has come yet."""
        assert self.first is not None
        with self.first:
            if not self._person.may("sources:read"):
                empty("No events yet", "As soon as the first one comes, this page shows it.")
                return
            first, where = await asyncio.gather(
                self._person.ask(list_sources, ListSources(pagination=Pagination(count=1))),
                self._person.ask(get_connection_details, GetConnectionDetails()),
            )
            if not first.sources:
                empty("No source yet", "Make one, and send it events.")
                html(str(link("Make a source", "/sources")))
                return
            source = first.sources[0]
            url = ui.context.client.request.url
            address = tracking_address(where.public_url, url.hostname or "127.0.0.1", url.scheme, where.port)
            key = source.write_keys[0] if source.write_keys else "YOUR_WRITE_KEY"
            curl = next(one.code for one in snippets(address, key) if one.name == "curl")
            html(
                '<div class="empty"><b>No events yet</b>Send the first one, and watch it arrive here within seconds.'
                f"{copyable(curl)}<p>Or put analytics.js on a page: "
                f"{link(f'the snippet of {source.name}', f'/sources/{source.id}')}.</p></div>"
            )


def _options() -> dict[str, Any]:
    lines = [Series(name=name, values=[], colour=f"var(--{colour})") for name, colour in _LINES]
    options = series_options([], lines, kind="line")
    options["series"][0]["areaStyle"] = {"color": "var(--accent)", "opacity": 0.14}
    for line in options["series"]:
        line["showSymbol"] = False
    options["xAxis"]["axisLabel"] = {**options["xAxis"]["axisLabel"], "formatter": "{HH}:{mm}"}
    options["yAxis"]["minInterval"] = 1
    return options


def _series(minutes: int, side: Literal["sources", "destinations"]) -> GetLedgerSeries:
    since = time.time_ns() // 1_000_000 - minutes * 60_000
    return GetLedgerSeries(start_time=format_moment(since), granularity=_SPANS[minutes][1], side=side)


def points(came: GetLedgerSeriesAnswer, went: GetLedgerSeriesAnswer, fold: int) -> Points:
    """The moments, and the events received, delivered and failed from each on; `fold` intervals make one."""
    at_destinations = {one.time: one.steps for one in went.points}
    moments: list[int] = []
    values: list[list[int]] = [[], [], []]
    for index, one in enumerate(came.points):
        if index % fold == 0:
            moments.append(parse_moment(one.time) or 0)
            for line in values:
                line.append(0)
        there = at_destinations.get(one.time, {})
        values[0][-1] += one.steps[Step.RECEIVED]
        values[1][-1] += there.get(Step.DELIVERED, 0)
        values[2][-1] += one.steps[Step.FAILED_ON_INGEST] + there.get(Step.FAILED_DELIVERY, 0)
    return moments, values


def _picture(seen: GetOverviewAnswer) -> Html:
    unbalanced = next((one.what for one in seen.problems if one.kind == "ledger"), "not balanced")
    word = chip("balanced", "good") if seen.balanced else chip(unbalanced, "bad")
    hidden = hidden_stages(seen)
    more = f"<p>{link(f'and {count(hidden)} more destinations', '/destinations')}</p>" if hidden else ""
    return Html(f"<h2>What became of the events {word}</h2>{flow(stages(seen))}{more}")


def _tables(person: Person, seen: GetOverviewAnswer, now: int) -> Html:
    parts = ["<h2>Sources</h2>", sources_table(seen.sources, now, person.zone), "<h2>Destinations</h2>"]
    if seen.destinations:
        parts.append(destinations_table(seen.destinations, now, person.zone))
    else:
        todo = link("Connect one", "/destinations") if person.may("destinations:write") else ""
        parts.append(f'<div class="empty"><b>No destination yet</b>Events go to the warehouse alone. {todo}</div>')
    if seen.warehouses:
        parts += ["<h2>Warehouses</h2>", warehouses_table(seen.warehouses, now, person.zone)]
    return Html("".join(parts))
