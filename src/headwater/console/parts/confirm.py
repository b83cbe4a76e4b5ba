"""The question before something that cannot be undone, or that somebody would miss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui


def confirm(question: str, about: str, word: str, work: Callable[[], Awaitable[Any]], *, typed: str = "") -> ui.dialog:
    """A dialog that does the work once somebody presses the button named `word`; open it to ask.

    With `typed`, that text must be typed first.
    """

    async def go() -> None:
        if typed and (field is None or (field.value or "").strip() != typed.strip()):
            return
        dialog.close()
        await work()

    field: ui.input | None = None
    with ui.dialog() as dialog, ui.card().classes("form confirm"):
        ui.label(question).classes("question")
        ui.label(about).classes("soft")
        if typed:
            ui.label(f"Type {typed} to go on.")
            field = ui.input().props('outlined dense autofocus autocomplete=off aria-label="Name, to confirm"')
            field.on("keydown.enter", go)
        with ui.element("div").classes("row-line").style("justify-content: flex-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat" if typed else "flat autofocus")
            button = ui.button(word, on_click=go).props("color=negative")
        if field is not None:
            button.disable()
            field.on_value_change(lambda event: button.set_enabled((event.value or "").strip() == typed.strip()))
    return dialog
