"""The labels of a source, to look at and to change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from headwater.console.parts.pieces import attempt, heading
from headwater.console.person import Person
from headwater.manage.answers import Label, SourceShape
from headwater.manage.operations.sources import LabelSource, replace_labels_in_source


def source_labels(person: Person, shown: SourceShape) -> None:
    """A card with the labels, each with a way to remove it, and fields for another."""

    async def replace(labels: list[Label]) -> None:
        await person.ask(replace_labels_in_source, LabelSource(source_id=shown.id, labels=labels))
        ui.navigate.reload()

    async def add() -> None:
        wanted = Label(key=(key.value or "").strip(), value=(value.value or "").strip())
        key.error = None if wanted.key else "A label needs a key."
        if wanted.key:
            await replace([*shown.labels, wanted])

    with ui.element("div").classes("card form"):
        heading("Labels")
        with ui.element("div").classes("row-line"):
            for one in shown.labels:
                _label(one, attempt(partial(replace, [other for other in shown.labels if other != one])))
        with ui.element("div").classes("row-line"):
            key = ui.input("Key", placeholder="environment").props("outlined dense maxlength=100").classes("grow")
            value = ui.input("Value", placeholder="production").props("outlined dense maxlength=100").classes("grow")
            ui.button("Add", on_click=attempt(add)).props("outline")


def _label(one: Label, remove: Callable[[], Awaitable[None]]) -> None:
    with ui.element("span").classes("chip labelled"):
        ui.label(f"{one.key}: {one.value}")
        ui.button(icon="close", on_click=remove).props('flat dense round size=xs aria-label="Remove this label"')
