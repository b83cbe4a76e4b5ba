"""Charts that follow the theme: SVG in the colours of the style sheet, without motion. Options are pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from nicegui import ui

Kind = Literal["line", "bar", "area"]
COLOURS: Final = (
    "var(--accent)",
    "var(--warn)",
    "var(--good)",
    "var(--bad)",
    "#7b6bd6",
    "#b05f9c",
    "#8a8f2c",
    "#5b7fa8",
)
_FEW: Final = 12
_TEXT: Final = {"color": "var(--soft)", "fontSize": 11}


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line (or row of bars) of a chart; `values` stand in the order of the chart's places, None for a gap."""

    name: str
    values: Sequence[float | None]
    colour: str = ""


def series_options(
    places: Sequence[Any],
    series: Sequence[Series],
    *,
    kind: Kind = "line",
    axis: Literal["time", "category"] = "time",
    stacked: bool = False,
) -> dict[str, Any]:
    """What the chart library is told. On a time axis places are milliseconds since 1970; the browser shows its zone."""
    lines = [_series(one, at, places, kind=kind, axis=axis, stacked=stacked) for at, one in enumerate(series)]
    return {
        "animation": False,
        "textStyle": {"fontFamily": "system-ui, sans-serif"},
        "grid": {"left": 8, "right": 22, "top": 34 if len(series) > 1 else 14, "bottom": 6, "containLabel": True},
        "legend": {
            "show": len(series) > 1,
            "type": "scroll",
            "top": 0,
            "left": 0,
            "itemWidth": 14,
            "itemHeight": 8,
            "icon": "roundRect",
            "textStyle": _TEXT,
            "inactiveColor": "var(--line)",
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--paper)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--ink)", "fontSize": 12},
            "axisPointer": {"type": "line", "lineStyle": {"color": "var(--soft)"}, "animation": False},
        },
        "xAxis": _across(places, axis, bars=kind == "bar"),
        "yAxis": {
            "type": "value",
            "splitNumber": 3,
            "axisLabel": _TEXT,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
        },
        "series": lines,
    }


def chart(options: dict[str, Any], *, height: int = 220, label: str = "") -> ui.echart:
    """A chart of so many pixels; `label` says what it shows to those who cannot see it."""
    shown = ui.echart(options, renderer="svg").classes("chart").style(f"height:{height}px")
    shown.props["role"] = "img"
    shown.props["aria-label"] = label
    return shown


def _across(places: Sequence[Any], axis: str, *, bars: bool) -> dict[str, Any]:
    across: dict[str, Any] = {
        "type": axis,
        "axisLabel": {**_TEXT, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": "var(--line)"}},
        "axisTick": {"show": False},
        "splitLine": {"show": False},
    }
    if axis == "category":
        across |= {"data": [str(place) for place in places], "boundaryGap": bars}
        across["axisLabel"] |= {"width": 96, "overflow": "truncate", "interval": 0 if len(places) <= _FEW else "auto"}
    return across


def _series(one: Series, at: int, places: Sequence[Any], *, kind: Kind, axis: str, stacked: bool) -> dict[str, Any]:
    colour = one.colour or COLOURS[at % len(COLOURS)]
    values = [list(pair) for pair in zip(places, one.values, strict=True)] if axis == "time" else list(one.values)
    line: dict[str, Any] = {
        "name": one.name,
        "type": "bar" if kind == "bar" else "line",
        "data": values,
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
    }
    if kind == "bar":
        line |= {"barMaxWidth": 26}
    else:
        line |= {"lineStyle": {"color": colour, "width": 1.8}, "showSymbol": len(values) < 3, "symbolSize": 5}
    if kind == "area":
        line["areaStyle"] = {"color": colour, "opacity": 0.16}
    if stacked:
        line["stack"] = "all"
    return line
