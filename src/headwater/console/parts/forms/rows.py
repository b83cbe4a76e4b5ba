"""Lines of names and values in a form, such as the headers of a webhook; values may be secrets."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from headwater.console.parts.forms.values import Row
from headwater.console.parts.pieces import described, html


class Rows:
    """A line for each name, one can be added, each can be removed. A secret is shown as set, and stays until typed."""

    def __init__(self, label: str, description: str, values: Mapping[str, str], *, secret: bool) -> None:
        self._secret = secret
        self._lines: list[tuple[ui.input, ui.input, bool]] = []
        with ui.element("fieldset").classes("rows"):
            ui.label(label).classes("legend")
            if description:
                html(described(description)).classes("soft")
            self._place = ui.element("div").classes("lines")
            self._problem = ui.label().classes("bad").props("role=alert")
            self._problem.set_visibility(False)
            ui.button("Add a line", icon="add", on_click=lambda: self._add("", "", known=False)).props("flat dense")
        for name, value in values.items():
            self._add(name, "" if secret else value, known=secret)

    def given(self) -> list[Row]:
        """The lines that are there."""
        return [
            (name.value or "", None if known and not value.value else value.value or "")
            for name, value, known in self._lines
        ]

    def show(self, problem: str) -> None:
        """Say what is wrong with the lines, or nothing."""
        self._problem.set_text(problem)
        self._problem.set_visibility(bool(problem))

    def _add(self, name: str, value: str, *, known: bool) -> None:
        with self._place, ui.element("div").classes("line") as row:
            first = ui.input("Name", value=name).props("outlined dense autocomplete=off")
            second = ui.input("Value", value=value, password=self._secret).props(
                "outlined dense autocomplete=new-password"
            )
            if known:
                second.props("stack-label")
                second.props["placeholder"] = "•••• is set"
            line = (first, second, known)
            ui.button(icon="close", on_click=lambda: self._drop(row, line)).props(
                'flat dense round aria-label="Remove this line"'
            )
        self._lines.append(line)

    def _drop(self, row: ui.element, line: tuple[ui.input, ui.input, bool]) -> None:
        self._lines.remove(line)
        self._place.remove(row)
