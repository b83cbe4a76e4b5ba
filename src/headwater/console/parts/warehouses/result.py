"""What a query found: a table that is paged and sorted here, a chart, and CSV to copy or to keep."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from nicegui import ui
from nicegui.events import GenericEventArguments

from headwater.console.parts.charts import Kind, chart
from headwater.console.parts.figures import count
from headwater.console.parts.pieces import Html, html, safe
from headwater.console.parts.warehouses.values import (
    Axes,
    Found,
    as_csv,
    chart_options,
    guess,
    in_order,
    is_number,
    short,
)

PAGE: Final = 100
_KINDS: Final[dict[Kind, str]] = {"line": "Line", "bar": "Bars", "area": "Area"}
_SORT: Final = "(event) => { const head = event.target.closest('[data-sort]'); if (head) emit(head.dataset.sort); }"
_COPY: Final = """
(() => {
  const button = document.createElement("button");
  button.dataset.copy = %s;
  document.body.append(button);
  button.click();
  button.remove();
})();
"""


class QueryResult:
    """The result of one run, drawn where it is made."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._rows = found.rows
        self._page = 0
        self._sorted: tuple[int, bool] | None = None
        axes = guess(found)
        with ui.element("div").classes("row-line"):
            look = ui.toggle({"table": "Table", "chart": "Chart"}, value="table").props("dense unelevated no-caps")
            look.classes("choice").set_visibility(axes is not None)
            ui.element("div").classes("grow")
            ui.button("Copy CSV", icon="content_copy", on_click=self._copy).props("flat dense")
            ui.button("Download CSV", icon="download", on_click=self._download).props("flat dense")
        self._table = ui.element("div")
        with self._table:
            self._shown = html(self._html())
            self._shown.on("click", self._sort, js_handler=_SORT)
            self._pager()
        if axes is not None:
            drawn = ui.element("div").classes("stack")
            drawn.set_visibility(False)
            with drawn:
                QueryChart(found, axes)
            look.on_value_change(lambda event: _swap(event.value == "chart", drawn, self._table))

    def _pager(self) -> None:
        pages = -(-len(self._rows) // PAGE)
        if pages < 2:
            return
        with ui.element("div").classes("row-line pager"):
            pager = ui.pagination(1, pages, direction_links=True).props("max-pages=7 boundary-numbers")
            pager.on_value_change(lambda event: self._turn(int(event.value or 1) - 1))

    def _turn(self, page: int) -> None:
        self._page = page
        self._shown.set_content(self._html())

    def _sort(self, event: GenericEventArguments) -> None:
        column = int(cast("str", event.args))
        if not 0 <= column < len(self._found.columns):
            return
        down = self._sorted is not None and self._sorted[0] == column and not self._sorted[1]
        self._sorted = (column, down)
        self._rows = in_order(self._found.rows, column, down=down)
        self._shown.set_content(self._html())

    def _html(self) -> Html:
        rows = self._rows[self._page * PAGE : (self._page + 1) * PAGE]
        return result_html(self._found, rows, self._sorted)

    def _copy(self) -> None:
        ui.run_javascript(_COPY % json.dumps(as_csv(self._found)))
        ui.notify(f"{count(len(self._rows))} rows are copied.")

    def _download(self) -> None:
        ui.download.content(as_csv(self._found), "query.csv", "text/csv")


class QueryChart:
    """A chart of a result, and what it shows of it."""

    def __init__(self, found: Found, axes: Axes) -> None:
        self._found = found
        self._axes = axes
        names = dict(enumerate(found.columns))
        numbers = {at: name for at, name in names.items() if is_number(found.types[at])}
        with ui.element("div").classes("row-line"):
            kind = ui.toggle(dict(_KINDS), value=axes.kind).props("dense unelevated no-caps").classes("choice")
            across = ui.select(names, value=axes.across, label="Across (x)").props("outlined dense options-dense")
            up = ui.select(numbers, value=list(axes.up), label="Up (y)", multiple=True)
            up.props("outlined dense options-dense").classes("category")
            across.classes("category")
        self._chart = chart(chart_options(found, axes), height=360, label="Chart of the result")
        kind.on_value_change(lambda event: self._draw(kind=event.value))
        across.on_value_change(lambda event: self._draw(across=event.value))
        up.on_value_change(lambda event: self._draw(up=tuple(event.value or ())))

    def _draw(self, **change: Any) -> None:
        now = {"across": self._axes.across, "up": self._axes.up, "kind": self._axes.kind} | change
        self._axes = Axes(**now)
        options = chart_options(self._found, self._axes)
        self._chart.options.clear()
        self._chart.options.update(options)
        self._chart.update()


def result_html(found: Found, rows: list[list[Any]], order: tuple[int, bool] | None) -> Html:
    """A page of rows. The heads are buttons that sort."""
    side = [' class="right"' if is_number(type) else "" for type in found.types]
    heads = "".join(_head(found, at, side[at], order) for at in range(len(found.columns)))
    body = "".join(
        "<tr>" + "".join(f"<td{side[at]}>{_cell(value)}</td>" for at, value in enumerate(row)) + "</tr>" for row in rows
    )
    return Html(
        f'<div class="wide result" tabindex="0"><table class="plain" aria-label="Result">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(found: Found, at: int, side: str, order: tuple[int, bool] | None) -> str:
    here = order is not None and order[0] == at
    arrow = ("▾" if order[1] else "▴") if here and order is not None else ""
    sorting = f' aria-sort="{"descending" if order[1] else "ascending"}"' if here and order is not None else ""
    return (
        f'<th{side}{sorting}><button type="button" class="plain" data-sort="{at}" title="{safe(found.types[at])}">'
        f"{safe(found.columns[at])} {arrow}</button></th>"
    )


def _cell(value: Any) -> str:
    return '<span class="soft">null</span>' if value is None else f"<span>{safe(short(value))}</span>"


def _swap(charted: bool, drawn: ui.element, table: ui.element) -> None:
    drawn.set_visibility(charted)
    table.set_visibility(not charted)
