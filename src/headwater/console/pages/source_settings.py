"""One source: its name, whether it takes events, its write keys and labels, and its end."""

from __future__ import annotations

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.beside import beside
from headwater.console.parts.confirm import confirm
from headwater.console.parts.pieces import attempt, copyable, heading, html
from headwater.console.parts.sources.head import source_head
from headwater.console.parts.sources.labels import source_labels
from headwater.console.person import Person
from headwater.manage.answers import SourceShape
from headwater.manage.operations.sources import (
    OneSource,
    RemoveWriteKeyFromSource,
    UpdateSource,
    create_write_key_for_source,
    delete_source,
    remove_write_key_from_source,
    update_source,
)


@page("/sources/{source_id}/settings", title="Settings", scope="sources:write")
async def source_settings(person: Person, source_id: str) -> None:
    shown = await source_head(person, source_id, "/settings")
    _names(person, shown)
    _state(person, shown)
    _keys(person, shown)
    source_labels(person, shown)
    _end(person, shown)


def _names(person: Person, shown: SourceShape) -> None:
    with ui.element("div").classes("card form"):
        name = ui.input("Name", value=shown.name).props("outlined dense maxlength=255")
        slug = ui.input("Short name", value=shown.slug).props("outlined dense maxlength=100")
        html(
            '<div class="hint">Names its schema in warehouses. After a change, new events go to a schema of the new '
            "name; what is loaded stays where it is.</div>"
        )

        async def change() -> None:
            wanted = UpdateSource(source_id=shown.id, name=(name.value or "").strip(), slug=(slug.value or "").strip())
            await person.ask(update_source, wanted)
            ui.navigate.reload()

        async def save() -> None:
            await beside(change, name=name, slug=slug)

        ui.button("Save", on_click=save).style("align-self: flex-start")


def _state(person: Person, shown: SourceShape) -> None:
    async def turn() -> None:
        await person.ask(update_source, UpdateSource(source_id=shown.id, enabled=not shown.enabled))
        ui.navigate.reload()

    with ui.element("div").classes("card form"):
        heading("Enabled" if shown.enabled else "Disabled")
        if shown.enabled:
            _soft("It takes events. Disabled, it refuses them, and what was sent meanwhile is lost.")
            ask = confirm(
                f"Disable {shown.name}?", "Its events are refused until it is enabled again.", "Disable", attempt(turn)
            )
            button = ui.button("Disable", on_click=ask.open).props("outline")
        else:
            _soft("It refuses events: clients are answered as always, and what they send goes nowhere.")
            button = ui.button("Enable", on_click=attempt(turn))
        button.style("align-self: flex-start")


def _keys(person: Person, shown: SourceShape) -> None:
    async def add() -> None:
        await person.ask(create_write_key_for_source, OneSource(source_id=shown.id))
        ui.navigate.reload()

    with ui.element("div").classes("card form"):
        heading("Write keys")
        _soft("To change a key without a gap, add one, move the clients to it, then remove the old.")
        for key in shown.write_keys:
            _key(person, shown, key)
        ui.button("Add a write key", on_click=attempt(add)).props("outline").style("align-self: flex-start")


def _key(person: Person, shown: SourceShape, key: str) -> None:
    async def remove() -> None:
        await person.ask(remove_write_key_from_source, RemoveWriteKeyFromSource(source_id=shown.id, write_key=key))
        ui.navigate.reload()

    last = " It is the only one: nothing can be sent to this source then." if len(shown.write_keys) == 1 else ""
    ask = confirm(
        "Remove this write key?",
        f"Whatever is sent with {key} is refused from then on.{last}",
        "Remove",
        attempt(remove),
    )
    with ui.element("div").classes("row-line keyed"):
        html(copyable(key)).classes("grow")
        button = ui.button(icon="delete", on_click=ask.open).props("flat dense round")
        button.props["aria-label"] = f"Remove the write key {key}"


def _end(person: Person, shown: SourceShape) -> None:
    async def remove() -> None:
        await person.ask(delete_source, OneSource(source_id=shown.id))
        ui.navigate.to("/sources")

    ask = confirm(
        f"Delete {shown.name}?",
        "Its write keys and destinations go with it. What it sent stays in the log and in warehouses.",
        "Delete",
        attempt(remove),
        typed=shown.name,
    )
    with ui.element("div").classes("card form danger"):
        heading("Delete")
        _soft("Removes the source with its write keys and its destinations. There is no way back.")
        ui.button("Delete this source", on_click=ask.open).props("outline color=negative").style(
            "align-self: flex-start"
        )


def _soft(text: str) -> None:
    ui.label(text).classes("soft")
