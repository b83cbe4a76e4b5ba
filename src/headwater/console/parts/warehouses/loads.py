"""The loads of a warehouse: how many rows each brought, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from nicegui import ui

from headwater.console.parts.charts import Series, chart, series_options
from headwater.console.parts.figures import count, duration, moment_html
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, Tone, chip, empty, heading, safe, table_html
from headwater.console.parts.polling import poll
from headwater.console.person import Person
from headwater.manage.operations.warehouses import PageOfWarehouse, Sync, list_syncs_from_warehouse
from headwater.manage.paging import Pagination
from headwater.spec.timestamps import parse_moment

SHOWN: Final = 100
_SEND: Final = 'headwater send track "Order Completed" --user ada --property revenue=19.99'
_TONES: Final[dict[str, Tone]] = {"success": "good", "partial": "warn", "failed": "bad", "running": "accent"}
_LINES: Final = (
    ("success", "Rows loaded", "var(--good)"),
    ("partial", "Rows loaded in part", "var(--warn)"),
    ("failed", "Rows of failed loads", "var(--bad)"),
)


class Loads:
    """The newest loads, brought up to date while somebody looks."""

    def __init__(self, person: Person, warehouse_id: str) -> None:
        self._person = person
        self._warehouse_id = warehouse_id
        self._nothing = empty("Nothing was loaded yet", "A load begins by itself once there are events.", _SEND)
        with ui.element("div").classes("stack") as self._there:
            heading("Rows per load")
            self._chart = chart(loads_chart([]), height=190, label="Rows per load over time")
            heading("Loads")
            self._table = Patched()

    async def start(self) -> None:
        """Show the loads of now, and from then on."""
        await self._look()
        poll(5.0, self._look)

    async def _look(self) -> None:
        wanted = PageOfWarehouse(warehouse_id=self._warehouse_id, pagination=Pagination(count=SHOWN))
        found = (await self._person.ask(list_syncs_from_warehouse, wanted)).reports
        self._nothing.set_visibility(not found)
        self._there.set_visibility(bool(found))
        self._table.show(loads_html(found, self._person.zone))
        options = loads_chart(found)
        if options["series"] != self._chart.options["series"]:
            self._chart.options.update(options)
            self._chart.update()


def loads_chart(loads: Sequence[Sync]) -> dict[str, Any]:
    """A bar for each load, oldest first. Pure."""
    ordered = list(reversed(loads))
    places = [parse_moment(one.start) for one in ordered]
    series = [
        Series(name=name, values=[one.count if one.status == status else 0 for one in ordered], colour=colour)
        for status, name, colour in _LINES
        if status == "success" or any(one.status == status for one in ordered)
    ]
    return series_options(places, series, kind="bar", stacked=True)


def loads_html(loads: Sequence[Sync], zone: str) -> Html:
    """The loads as a table. Pure."""
    return table_html(
        ("Started", "State", "Rows", "Took", "What it has to say"),
        (
            (
                Html(f'<span class="nowrap">{moment_html(one.start, zone)}</span>'),
                chip(one.status, _TONES.get(one.status, "")),
                count(one.count),
                duration(one.duration) if one.end else "–",
                Html("<br>".join(safe(notice.message) for notice in one.notices)),
            )
            for one in loads
        ),
        right=(2, 3),
        label="Loads",
    )
