"""The delivery overview of a destination: a funnel, a chart over time, and the reasons with samples (8.3)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from headwater.console.parts.charts import Series, chart, series_options
from headwater.console.parts.destinations.funnel import funnel, sums
from headwater.console.parts.destinations.reasons import Reasons
from headwater.console.parts.figures import count, duration
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import attempt, heading
from headwater.console.parts.polling import poll
from headwater.console.person import Person
from headwater.manage.operations.latency import GetDeliveryLatency, LatencyPoint, get_delivery_latency
from headwater.manage.operations.ledger import GetLedger, get_ledger
from headwater.manage.operations.series import GetLedgerSeries, Granularity, SeriesPoint, get_ledger_series
from headwater.spec.outcome import Step
from headwater.spec.timestamps import format_moment, parse_moment

_MINUTE: Final = 60_000
WINDOWS: Final[dict[int, tuple[str, Granularity]]] = {
    10: ("10 min", "MINUTE"),
    60: ("1 h", "MINUTE"),
    24 * 60: ("24 h", "HOUR"),
    7 * 24 * 60: ("7 d", "HOUR"),
    14 * 24 * 60: ("14 d", "HOUR"),
}
"""The windows of time in minutes, each with its name and how finely its chart is drawn."""

_LINES: Final = (
    (Step.DELIVERED, "Delivered", "var(--good)"),
    (Step.FAILED_DELIVERY, "Failed", "var(--bad)"),
    (Step.PENDING, "Pending", "var(--warn)"),
    (Step.FILTERED_AT_DESTINATION, "Filtered", "var(--soft)"),
)


class Delivery:
    """The overview of one destination, brought up to date while somebody looks at it."""

    def __init__(self, person: Person, destination_id: str, mappings: Mapping[str, str] | None = None) -> None:
        """`mappings` are the destination's, by id, if it has any."""
        self._person = person
        self._destination_id = destination_id
        self._subscription_id = ""
        self._minutes = 60
        self._as_percent = True
        self._steps: dict[str, int] = {}
        with ui.element("div").classes("row-line"):
            window = ui.toggle({at: name for at, (name, _) in WINDOWS.items()}, value=self._minutes)
            if mappings:
                chosen = ui.select({"": "All mappings", **mappings}, value="").props("outlined dense options-dense")
                chosen.props["aria-label"] = "Mapping"
                chosen.on_value_change(attempt(self._set_mapping))
            ui.element("div").classes("grow")
            unit = ui.toggle({True: "Percent", False: "Count"}, value=True)
            for one in (window, unit):
                one.props("dense unelevated no-caps").classes("choice")
        self._funnel = Patched()
        heading("Over time")
        self._chart = chart(chart_of([]), height=210, label="Delivered, failed, pending and filtered events over time")
        heading("Time until delivered")
        self._slow = ui.label().classes("soft")
        self._latency = chart(latency_chart([]), height=170, label="Age of events at delivery over time, percentiles")
        heading("Reasons")
        self._reasons = Reasons(person, destination_id)
        window.on_value_change(attempt(self._set_window))
        unit.on_value_change(self._set_unit)

    async def start(self) -> None:
        """Show the figures of now, and from then on."""
        await self._look()
        poll(5.0, self._look)

    async def _set_window(self, event: ValueChangeEventArguments[Any]) -> None:
        self._minutes = int(event.value)
        await self._look()

    async def _set_mapping(self, event: ValueChangeEventArguments[Any]) -> None:
        self._subscription_id = str(event.value or "")
        await self._look()

    def _set_unit(self, event: ValueChangeEventArguments[Any]) -> None:
        self._as_percent = bool(event.value)
        self._funnel.show(funnel(self._steps, as_percent=self._as_percent))

    async def _look(self) -> None:
        minutes, chosen = self._minutes, self._subscription_id
        since = format_moment(int(time.time() * 1000) - minutes * _MINUTE)
        asked = GetLedger(start_time=since, destination_id=self._destination_id, subscription_id=chosen)
        books = await self._person.ask(get_ledger, asked)
        wanted = GetLedgerSeries(
            start_time=since,
            granularity=WINDOWS[minutes][1],
            destination_id=self._destination_id,
            subscription_id=chosen,
        )
        series = await self._person.ask(get_ledger_series, wanted)
        latency = await self._person.ask(
            get_delivery_latency, GetDeliveryLatency(destination_id=self._destination_id, start_time=since)
        )
        if (minutes, chosen) != (self._minutes, self._subscription_id):
            return
        self._steps = sums(books.accounts)
        self._funnel.show(funnel(self._steps, as_percent=self._as_percent))
        reasons = [one for account in books.accounts for one in account.reasons if one.step != Step.MATCHED]
        self._reasons.show(reasons, self._steps)
        _renew(self._chart, chart_of(series.points))
        self._slow.set_text(took(latency.whole, of_one=bool(chosen)))
        _renew(self._latency, latency_chart(latency.points))


def _renew(shown: ui.echart, options: dict[str, Any]) -> None:
    if options["series"] != shown.options["series"]:
        shown.options.update(options)
        shown.update()


def chart_of(points: list[SeriesPoint]) -> dict[str, Any]:
    """The chart of a series: bars of what became of the events in each interval, one on the other."""
    places = [parse_moment(point.time) for point in points]
    series = [
        # What leaves pending is counted where it left, so an interval can have less than none of it.
        Series(name=name, values=[max(0, point.steps.get(step, 0)) for point in points], colour=colour)
        for step, name, colour in _LINES
    ]
    return series_options(places, series, kind="bar", stacked=True)


def latency_chart(points: list[LatencyPoint]) -> dict[str, Any]:
    """The chart of percentiles, on a logarithmic axis: what is late is late by factors. Intervals without events are
    gaps.
    """
    places = [parse_moment(point.time) for point in points]
    lines = {"p50": "var(--good)", "p95": "var(--warn)", "p99": "var(--bad)"}
    series = [
        Series(name=name, values=[_seconds(getattr(point, name)) for point in points], colour=colour)
        for name, colour in lines.items()
    ]
    options = series_options(places, series)
    options["yAxis"] |= {"type": "log", "axisLabel": {**options["yAxis"]["axisLabel"], "formatter": "{value} s"}}
    for line in options["series"]:
        line |= {"showSymbol": True, "symbolSize": 4}  # a point between two gaps has no line
    return options


def took(whole: LatencyPoint, *, of_one: bool = False) -> str:
    """The percentiles of the whole window, in words. They are of all mappings together, which is said beside figures
    `of_one`.
    """
    if not whole.events:
        return "Nothing was delivered in this time."
    told = ", ".join(f"{share} of them within {duration(age)}" for share, age in _shares(whole))
    beside = " This is of all mappings together." if of_one else ""
    return f"{count(whole.events)} delivered: {told} of being received.{beside}"


def _shares(whole: LatencyPoint) -> tuple[tuple[str, float | None], ...]:
    return ("half", whole.p50), ("95 %", whole.p95), ("99 %", whole.p99)


def _seconds(age: float | None) -> float | None:
    return None if age is None else max(round(age / 1000, 3), 0.001)
