"""A warehouse's settings: its connection, which sources it loads, and the way to remove it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from headwater.console.parts.confirm import confirm
from headwater.console.parts.forms.form import SettingsForm
from headwater.console.parts.pieces import attempt, heading, html, safe
from headwater.console.person import Person
from headwater.manage.answers import WarehouseShape
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.operations.warehouses import (
    OneWarehouse,
    PageOfWarehouse,
    UpdateWarehouse,
    WarehouseAndSource,
    add_connection_from_source_to_warehouse,
    delete_warehouse,
    get_connection_state_from_warehouse,
    list_connected_sources_from_warehouse,
    remove_source_connection_from_warehouse,
    update_warehouse,
)
from headwater.manage.paging import Pagination
from headwater.spec.errors import SenderError, SetupError


async def warehouse_settings(person: Person, one: WarehouseShape) -> None:
    """The form, the sources, and below them how to remove the warehouse."""
    place = ui.element("div").classes("card")
    with place:
        _form(person, one, place)
    may = person.may("warehouses:write")
    await _sources(person, one, may=may)
    if may:
        _removal(person, one)


def _form(person: Person, one: WarehouseShape, place: ui.element) -> None:
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
        change = UpdateWarehouse(warehouse_id=one.id, name=called, settings=wanted)
        try:
            after = (await person.ask(update_warehouse, change)).warehouse
        except (SenderError, SetupError) as error:
            form.refuse(error)
            return
        place.clear()
        with place:
            _form(person, after, place)
        ui.notify("Saved.", type="positive")

    with ui.element("div").classes("row-line"):
        ui.button("Save", on_click=attempt(save)).set_enabled(person.may("warehouses:write"))
        _check(person, one)


def _check(person: Person, one: WarehouseShape) -> None:
    async def check() -> None:
        said.set_text("Trying …")
        answer = await person.ask(get_connection_state_from_warehouse, OneWarehouse(warehouse_id=one.id))
        well = answer.connection_state == "CONNECTED"
        said.set_text("The warehouse answers." if well else answer.reason)
        said.classes(replace="good" if well else "bad")

    ui.button("Check the connection", icon="cable", on_click=attempt(check)).props("outline")
    said = ui.label().props("role=status")


async def _sources(person: Person, one: WarehouseShape, *, may: bool) -> None:
    if not person.may("sources:read"):
        return
    page = PageOfWarehouse(warehouse_id=one.id, pagination=Pagination(count=1000))
    loaded = {source.id for source in (await person.ask(list_connected_sources_from_warehouse, page)).sources}
    heading("Sources that are loaded")
    with ui.element("div").classes("card stack"):
        for source in (await person.ask(list_sources, ListSources())).sources:
            switch = ui.switch(source.name, value=source.id in loaded).props("dense")
            switch.set_enabled(may)
            switch.on_value_change(attempt(_connecting(person, one.id, source.id)))


def _connecting(
    person: Person, warehouse_id: str, source_id: str
) -> Callable[[ValueChangeEventArguments[bool]], Awaitable[None]]:
    async def connect(event: ValueChangeEventArguments[bool]) -> None:
        both = WarehouseAndSource(warehouse_id=warehouse_id, source_id=source_id)
        if event.value:
            await person.ask(add_connection_from_source_to_warehouse, both)
        else:
            await person.ask(remove_source_connection_from_warehouse, both)
        ui.notify("Its events are loaded from now on." if event.value else "Its events are loaded no longer.")

    return connect


def _removal(person: Person, one: WarehouseShape) -> None:
    async def remove() -> None:
        await person.ask(delete_warehouse, OneWarehouse(warehouse_id=one.id))
        ui.navigate.to("/warehouse")

    heading("Remove")
    about = "It is loaded no longer; its tables stay as they are."
    asked = confirm(f"Remove “{one.name}”?", about, "Remove", attempt(remove))
    with ui.element("div").classes("card row-line"):
        ui.label(about).classes("soft")
        ui.element("div").classes("grow")
        ui.button("Remove this warehouse", on_click=asked.open).props("outline color=negative")
