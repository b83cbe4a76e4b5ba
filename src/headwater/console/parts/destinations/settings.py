"""A destination's settings: its name, what its definition asks for, and the way to remove it."""

from __future__ import annotations

from nicegui import ui

from headwater.console.parts.confirm import confirm
from headwater.console.parts.destinations.head import destination_title
from headwater.console.parts.forms.form import SettingsForm
from headwater.console.parts.pieces import attempt, heading, html, notice, safe
from headwater.console.person import Person
from headwater.manage.answers import DestinationShape
from headwater.manage.operations.destinations import (
    OneDestination,
    UpdateDestination,
    delete_destination,
    update_destination,
)
from headwater.spec.errors import SenderError


def destination_settings(person: Person, one: DestinationShape) -> None:
    """The form."""
    if one.metadata.status == "UNAVAILABLE":
        notice("This destination is no longer in the catalogue; its settings cannot be changed.", tone="warning")
    place = ui.element("div").classes("card")
    with place:
        _form(person, one, place)


def _form(person: Person, one: DestinationShape, place: ui.element) -> None:
    if one.metadata.description:
        html(f'<p class="soft">{safe(one.metadata.description)}</p>')
    with ui.element("div").classes("form"):
        name = ui.input("Name *", value=one.name).props("outlined dense hide-bottom-space maxlength=255")
    form = SettingsForm(one.metadata.options, one.settings)

    async def save() -> None:
        called = (name.value or "").strip()
        name.error = None if called else "Needed."
        wanted = form.changes()
        if wanted is None or not called:
            return
        change = UpdateDestination(destination_id=one.id, name=called, settings=wanted)
        try:
            after = (await person.ask(update_destination, change)).destination
        except SenderError as error:
            form.refuse(error)
            return
        destination_title(after)
        place.clear()
        with place:
            _form(person, after, place)
        ui.notify("Saved.", type="positive")

    ui.button("Save", on_click=attempt(save)).set_enabled(person.may("destinations:write"))


def removal(person: Person, one: DestinationShape) -> None:
    """How to remove the destination, for those who may."""
    if not person.may("destinations:write"):
        return

    async def remove() -> None:
        await person.ask(delete_destination, OneDestination(destination_id=one.id))
        ui.navigate.to("/destinations")

    heading("Remove")
    asked = confirm(
        f"Delete “{one.name}”?", "Its settings are lost and what waits for it is given up.", "Delete", attempt(remove)
    )
    with ui.element("div").classes("card row-line"):
        ui.label("Nothing more is sent to it, and what waits for it is given up.").classes("soft")
        ui.element("div").classes("grow")
        ui.button("Delete this destination", on_click=asked.open).props("outline color=negative")
