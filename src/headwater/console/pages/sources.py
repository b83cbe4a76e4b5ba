"""Sources: what sends events here, and how much of late."""

from __future__ import annotations

import asyncio
import time

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.figures import ago_html, count, short_count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, chip, link, table_html
from headwater.console.parts.polling import poll
from headwater.console.parts.sources.new import new_source
from headwater.console.parts.sparkline import sparkline
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.answers import SourceShape
from headwater.manage.operations.overview import GetOverview, SourceOverview, get_overview
from headwater.manage.operations.series import GetLedgerSeries, get_ledger_series
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.paging import Pagination

_REFRESH_SECONDS = 5.0
_SPARKS = 100
_DAY = 1_440
_HEADS = ("Source", "State", "Last hour", "Last 24 hours", "By the hour", "Last event", "Kind", "Write keys")
_NONE = Html(
    '<div class="empty"><b>No sources yet</b>A source is whatever sends events: a website, an app, a server. '
    "Add one, and its page has the lines to paste.</div>"
)


@page("/sources", title="Sources", scope="sources:read", menu=Entry("input", 20, key="s"))
async def sources(person: Person) -> None:
    use_styles("sources.css")
    with ui.element("div").classes("row-line"):
        said = ui.label().classes("soft grow")
        if person.may("sources:write"):
            await new_source(person)
    view = _List(person, said, Patched().classes("source-list"))
    await view.refresh()
    if person.may("ledger:read"):
        poll(_REFRESH_SECONDS, view.refresh)
        poll(60.0, view.draw_sparks)
        await ui.context.client.connected()
        await view.draw_sparks()


class _List:
    """The list on one page, as long as somebody looks at it."""

    def __init__(self, person: Person, said: ui.label, place: Patched) -> None:
        self._person = person
        self._said = said
        self._place = place
        self._sparks: dict[str, Html] = {}
        self._found: list[SourceShape] = []

    async def refresh(self) -> None:
        """Ask for what may have changed, and show it."""
        person = self._person
        self._found = (await person.ask(list_sources, ListSources(pagination=Pagination(count=1_000)))).sources
        hour: dict[str, SourceOverview] = {}
        day: dict[str, SourceOverview] = {}
        if person.may("ledger:read"):
            answers = await asyncio.gather(*(person.ask(get_overview, GetOverview(span=span)) for span in (60, _DAY)))
            hour, day = ({one.id: one for one in answer.sources} for answer in answers)
        self._said.set_text("1 source" if len(self._found) == 1 else f"{count(len(self._found))} sources")
        now = time.time_ns() // 1_000_000
        rows = [self._row(one, hour.get(one.id), day.get(one.id), now) for one in self._found]
        self._place.show(table_html(_HEADS, rows, right=(2, 3, 7), label="Sources") if rows else _NONE)

    def _row(
        self, one: SourceShape, hour: SourceOverview | None, day: SourceOverview | None, now: int
    ) -> tuple[object, ...]:
        return (
            link(one.name, f"/sources/{one.id}"),
            chip("enabled", "good") if one.enabled else chip("disabled", "warn"),
            "–" if hour is None else _figure(hour.received),
            "–" if day is None else _figure(day.received),
            self._sparks.get(one.id) or Html('<span class="spark-place"></span>'),
            "–" if day is None else Html(ago_html(day.last_received_at, now, self._person.zone)),
            one.metadata.name,
            count(len(one.write_keys)) if self._person.may("sources:write") else "–",
        )

    async def draw_sparks(self) -> None:
        """Ask for the last day of every source, hour by hour."""
        shown = self._found[:_SPARKS]
        asked = (
            self._person.ask(get_ledger_series, GetLedgerSeries(source_id=one.id, granularity="HOUR")) for one in shown
        )
        for one, answer in zip(shown, await asyncio.gather(*asked), strict=True):
            hours = [point.steps["received"] for point in answer.points]
            label = f"Events by the hour over the last day; at most {count(max(hours))} in an hour"
            self._sparks[one.id] = sparkline(hours, label)
        await self.refresh()


def _figure(events: int) -> Html:
    return Html(f'<span title="{count(events)} events">{short_count(events)}</span>')
