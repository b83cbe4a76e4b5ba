"""How many there were, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from headwater.console.parts.audiences.asks import Kind
from headwater.console.parts.charts import Series, chart, series_options
from headwater.console.parts.pieces import attempt, html
from headwater.console.person import Person
from headwater.manage.operations.computations import GetAudienceSeries, SizePoint, get_audience_series
from headwater.spec.timestamps import format_moment, parse_moment

_HOUR = 3_600_000
_SPANS = {24: "Day", 168: "Week", 720: "Month"}


class Growth:
    """The card with the chart."""

    def __init__(self, person: Person, kind: Kind, space: str, id: str) -> None:
        self._person = person
        self._space = space
        self._id = id
        self._of = "Members" if kind == "audience" else "Profiles with a value"
        self._points: list[SizePoint] = []
        with ui.element("section").classes("card"):
            with ui.element("div").classes("row-line"):
                html(f"<h2>{self._of}</h2>").classes("grow")
                self._span = ui.toggle(_SPANS, value=168, on_change=attempt(self.look)).classes("spans")
                self._span.props('dense no-caps unelevated role=group aria-label="How far back"')
            self._chart = chart(growth_options([], self._of), height=210, label=f"{self._of} over time")

    async def look(self, _: Any = None) -> None:
        """Ask anew, and draw what changed."""
        wanted = GetAudienceSeries(space_id=self._space, id=self._id, hours=int(self._span.value or 168))
        points = (await self._person.ask(get_audience_series, wanted)).points
        if points == self._points:
            return
        self._points = points
        shown = since_nothing(points) if len(points) < wanted.hours else points
        self._chart.options.clear()
        self._chart.options.update(growth_options(shown, self._of))
        self._chart.update()


def since_nothing(points: Sequence[SizePoint]) -> list[SizePoint]:
    """The points, after an hour in which there was nothing yet: before the first that is known. Pure."""
    first = parse_moment(points[0].at) if points else None
    if first is None:
        return list(points)
    return [SizePoint(at=format_moment(first - _HOUR), size=0, entered=0, exited=0), *points]


def growth_options(points: Sequence[SizePoint], of: str) -> dict[str, Any]:
    """What the chart library is told. Pure."""
    places = [parse_moment(point.at) for point in points]
    moved = len(points) > 1 and any(point.entered or point.exited for point in points)
    series = [Series(name=of, values=[point.size for point in points])]
    if moved:
        series += [
            Series(name="Entered in the hour", values=[point.entered for point in points], colour="var(--good)"),
            Series(name="Left in the hour", values=[point.exited for point in points], colour="var(--warn)"),
        ]
    options = series_options(places, series, kind="line")
    options["yAxis"] |= {"min": 0, "minInterval": 1}
    options["series"][0]["z"] = 3
    return options
