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
        self._lines: list[_Line] = []
        self._joined: ui.toggle | None = None
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
        if built is not None:
            self._built = built
        if built is not None and self._lines and len(self._lines) == len(built.rows):
            self._follow(built)
            return
        self._lines.clear()
        self._rows.clear()
        with self._rows:
            if built is None:
                html('<p class="soft">This trigger says more than rows can; it is edited as a query.</p>')
            else:
                self._show(built)

    def _follow(self, built: Built) -> None:
        """Show other values in the rows that are there: rows made anew would take the focus from who types in them."""
        if self._joined is not None:
            self._joined.set_value(built.joined)
        for line, row in zip(self._lines, built.rows, strict=True):
            line.show(row)

    def _show(self, built: Built) -> None:
        self._joined = None
        if len(built.rows) > 1:
            self._joined = ui.toggle({"and": "All of these", "or": "Any of these"}, value=built.joined)
            self._joined.props("dense no-caps unelevated").classes("choice")
            self._joined.on_value_change(lambda event: self._change(joined=event.value))
        self._lines += [_Line(self, at, row) for at, row in enumerate(built.rows)]
        ui.button("Add a condition", icon="add", on_click=self._add).props("flat dense no-caps")

    def set(self, at: int, **columns: Any) -> None:
        """Change a row."""
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
        if self._lines:
            self._lines[-1].focus()

    def drop(self, at: int) -> None:
        """Take a row away."""
        self._change(rows=tuple(row for place, row in enumerate(self._built.rows) if place != at))

    def _change(self, **columns: Any) -> None:
        self._built = msgspec.structs.replace(self._built, **columns)
        self._text.set_value(text_of(self._built))


class _Line:
    """The elements of one row."""

    def __init__(self, form: TriggerForm, at: int, row: Row) -> None:
        with ui.element("div").classes("condition"):
            field = self._field = ui.input(autocomplete=_FIELDS).props('outlined dense aria-label="Field"')
            field.on("blur", lambda: form.set(at, field=(field.value or "").strip()))
            self._sign = ui.select(SIGNS, value=row.sign)
            self._sign.props('outlined dense options-dense aria-label="Comparison"')
            self._sign.on_value_change(lambda event: form.set(at, sign=str(event.value)))
            value = self._value = ui.input().props('outlined dense aria-label="Value"')
            value.on("blur", lambda: form.set(at, value=value.value or ""))
            value.on("keydown.enter", lambda: form.set(at, value=value.value or ""))
            ui.button(icon="close", on_click=lambda: form.drop(at)).props('flat dense round aria-label="Remove"')
        self._of_type = False
        self.show(row)

    def show(self, row: Row) -> None:
        """Show a row's values."""
        self._field.set_value(row.field)
        self._sign.set_value(row.sign)
        self._value.set_value(row.value)
        self._value.set_visibility(row.sign not in ALONE)
        if self._of_type != (row.field == "type"):
            self._of_type = not self._of_type
            self._value.set_autocomplete(_TYPES if self._of_type else [])
            self._value.update()

    def focus(self) -> None:
        """Let the person type here next."""
        self._field.run_method("focus")


def trigger_html(text: str) -> str:
    """A trigger to be read."""
    return f'<code class="trigger">{safe(text)}</code>' if text else '<span class="soft">no trigger</span>'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
