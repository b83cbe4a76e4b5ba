"""The trigger of a mapping: rows of conditions and the text, each following the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from nicegui import ui

from headwater.console.parts.mappings.triggers import ALONE, SIGNS, Built, Row, numeric, problem_of, rows_of, text_of
from headwater.console.parts.pieces import html, safe
from headwater.spec.fql import FqlError

_FIELDS = ["type", "event", "name", "userId", "properties.", "traits.", "context."]
_TYPES = ["track", "identify", "page", "screen", "group", "alias"]


class TriggerForm:
    """`told` is called after each change."""

    def __init__(self, text: str, told: Callable[[], None]) -> None:
        self._told = told
        self._built = Built()
        with ui.element("div").classes("stack"):
            self._rows = ui.element("div").classes("stack")
            self._text = ui.input("Trigger, as a query", value=text).without_auto_validation()
            self._text.props("outlined dense hide-bottom-space").classes("mono")
            self._text.props["hint"] = 'Text stands in double quotes, such as type = "track" and event = "Signed Up".'
            self._text.on_value_change(lambda _: self._typed())
        self._read()

    @property
    def text(self) -> str:
        """The trigger as it stands."""
        return (self._text.value or "").strip()

    def check(self) -> bool:
        """Can it be read? If not, the form says why and where."""
        problem = problem_of(self.text)
        self._text.error = None if problem is None else str(problem)
        return problem is None

    def refuse(self, why: str) -> None:
        """Show what an operation said of it."""
        self._text.error = why

    def _typed(self) -> None:
        self.check()
        self._read()
        self._told()

    def _read(self) -> None:
        try:
            built = rows_of(self.text) if self.text else Built(())
        except FqlError:
            return
        self._rows.clear()
        with self._rows:
            if built is None:
                html('<p class="soft">This trigger says more than rows can; it is edited as a query.</p>')
                return
            self._built = built
            self._show()

    def _show(self) -> None:
        if len(self._built.rows) > 1:
            joined = ui.toggle({"and": "All of these", "or": "Any of these"}, value=self._built.joined)
            joined.props("dense no-caps unelevated").classes("choice")
            joined.on_value_change(lambda event: self._change(joined=event.value))
        for at, row in enumerate(self._built.rows):
            self._row(at, row)
        ui.button("Add a condition", icon="add", on_click=self._add).props("flat dense no-caps")

    def _row(self, at: int, row: Row) -> None:
        with ui.element("div").classes("condition"):
            field = ui.input(value=row.field, autocomplete=_FIELDS).props('outlined dense aria-label="Field"')
            field.on("blur", lambda: self._set(at, field=(field.value or "").strip()))
            sign = ui.select(SIGNS, value=row.sign).props('outlined dense options-dense aria-label="Comparison"')
            sign.on_value_change(lambda event: self._set(at, sign=str(event.value)))
            if row.sign not in ALONE:
                value = ui.input(value=row.value, autocomplete=_TYPES if row.field == "type" else None)
                value.props('outlined dense aria-label="Value"')
                value.on("blur", lambda: self._set(at, value=value.value or ""))
                value.on("keydown.enter", lambda: self._set(at, value=value.value or ""))
            ui.button(icon="close", on_click=lambda: self._drop(at)).props('flat dense round aria-label="Remove"')

    def _set(self, at: int, **columns: Any) -> None:
        rows = list(self._built.rows)
        row = msgspec.structs.replace(rows[at], **columns)
        if "sign" in columns or "value" in columns:
            row = msgspec.structs.replace(row, number=numeric(row.sign) or (row.number and _is_number(row.value)))
        if row == rows[at]:
            return
        rows[at] = row
        self._change(rows=tuple(rows))

    def _add(self) -> None:
        kind = "event" if any(row.field == "type" for row in self._built.rows) else "type"
        value = "" if kind == "event" else "track"
        self._change(rows=(*self._built.rows, Row(kind, "is", value)))

    def _drop(self, at: int) -> None:
        self._change(rows=tuple(row for place, row in enumerate(self._built.rows) if place != at))

    def _change(self, **columns: Any) -> None:
        self._built = msgspec.structs.replace(self._built, **columns)
        self._text.set_value(text_of(self._built))


def trigger_html(text: str) -> str:
    """A trigger to be read."""
    return f'<code class="trigger">{safe(text)}</code>' if text else '<span class="soft">no trigger</span>'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
