"""Warehouses: how each is doing, connecting another, and what one of them loaded and holds."""

from __future__ import annotations

import time

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.destinations.cards import Card, cards_html, mark
from headwater.console.parts.figures import ago_html, count
from headwater.console.parts.forms.form import SettingsForm
from headwater.console.parts.headline import headline, sections
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, Tone, attempt, chip, empty, html, link, notice, safe, table_html
from headwater.console.parts.polling import poll
from headwater.console.parts.stylesheet import use_styles
from headwater.console.parts.warehouses.loads import Loads
from headwater.console.parts.warehouses.settings import warehouse_settings
from headwater.console.parts.warehouses.tables import warehouse_tables
from headwater.console.person import Person
from headwater.manage.answers import WarehouseMetadata, WarehouseShape
from headwater.manage.operations.catalog import (
    GetWarehouseMetadata,
    PageOfCatalog,
    get_warehouse_metadata,
    get_warehouses_catalog,
)
from headwater.manage.operations.overview import GetOverview, WarehouseOverview, get_overview
from headwater.manage.operations.warehouses import (
    CreateValidation,
    CreateWarehouse,
    OneWarehouse,
    UpdateWarehouse,
    create_validation_in_warehouse,
    create_warehouse,
    get_warehouse,
    update_warehouse,
)
from headwater.spec.errors import SenderError, SetupError

_PARTS = (("Loads", ""), ("Tables", "/tables"), ("Settings", "/settings"))


@page("/warehouse", title="Warehouse", scope="warehouses:read", menu=Entry("storage", 50, key="w"))
async def warehouses(person: Person) -> None:
    use_styles("delivery.css")
    with ui.element("div").classes("row-line"):
        html(f"<span class='soft'>Every event, in tables. {link('Query them', '/warehouse/query')} in SQL.</span>")
        ui.element("div").classes("grow")
        if person.may("warehouses:write"):
            html('<a class="action" href="/console/warehouse/catalog">Connect a warehouse</a>')
    if not person.may("ledger:read"):
        notice("The figures need the scope ledger:read, which you do not have.", tone="warning")
        return
    found = (await person.ask(get_overview, GetOverview())).warehouses
    if not found:
        empty("No warehouse is connected", "Events are archived all the same, and can be queried. Connect a warehouse.")
        return
    shown = Patched(_rows(found, person.zone))

    async def look() -> None:
        shown.show(_rows((await person.ask(get_overview, GetOverview())).warehouses, person.zone))

    poll(5.0, look)


@page("/warehouse/catalog", title="Connect a warehouse", scope="catalog:read")
async def catalog(person: Person) -> None:
    use_styles("delivery.css")
    headline("Connect a warehouse", above=("Warehouse", "/warehouse"))
    found = (await person.ask(get_warehouses_catalog, PageOfCatalog())).warehouses_catalog
    html(cards_html(Card(f"/warehouse/catalog/{one.slug}", one.name, one.description) for one in found))


@page("/warehouse/catalog/{engine}", title="Connect a warehouse", scope="catalog:read")
async def connect(person: Person, engine: str) -> None:
    use_styles("delivery.css")
    asked = GetWarehouseMetadata(warehouse_metadata_id=engine)
    metadata = (await person.ask(get_warehouse_metadata, asked)).warehouse_metadata
    headline(f"Connect {metadata.name}", above=("Warehouses", "/warehouse/catalog"))
    html(f'<div class="about">{mark(metadata.name)}<p>{safe(metadata.description)}</p></div>')
    if person.may("warehouses:write"):
        _form(person, metadata)
    else:
        notice("Connecting needs the scope warehouses:write, which you do not have.", tone="warning")


@page("/warehouse/{warehouse_id}", title="Warehouse", scope="warehouses:read")
async def warehouse(person: Person, warehouse_id: str) -> None:
    one = await _head(person, warehouse_id, "")
    await Loads(person, one.id).start()


@page("/warehouse/{warehouse_id}/tables", title="Warehouse", scope="warehouses:read")
async def tables(person: Person, warehouse_id: str) -> None:
    one = await _head(person, warehouse_id, "/tables")
    await warehouse_tables(person, one.id, one.metadata.slug)


@page("/warehouse/{warehouse_id}/settings", title="Warehouse", scope="warehouses:read")
async def settings(person: Person, warehouse_id: str) -> None:
    await warehouse_settings(person, await _head(person, warehouse_id, "/settings"))


async def _head(person: Person, warehouse_id: str, part: str) -> WarehouseShape:
    use_styles("delivery.css")
    one = (await person.ask(get_warehouse, OneWarehouse(warehouse_id=warehouse_id))).warehouse
    headline(
        one.name,
        above=("Warehouse", "/warehouse"),
        beside=[chip("enabled", "good") if one.enabled else chip("switched off")],
    )

    async def switch() -> None:
        await person.ask(update_warehouse, UpdateWarehouse(warehouse_id=one.id, enabled=not one.enabled))
        ui.navigate.reload()

    with ui.element("div").classes("row-line head"):
        html(f'<span class="soft">{safe(one.metadata.name)} · {link("Query", "/warehouse/query")}</span>')
        ui.element("div").classes("grow")
        if person.may("warehouses:write"):
            text = "Switch off" if one.enabled else "Switch on"
            ui.button(text, icon="power_settings_new", on_click=attempt(switch)).props("outline dense")
    place = f"/warehouse/{one.id}"
    sections([(title, place + end) for title, end in _PARTS], place + part)
    return one


def _rows(found: list[WarehouseOverview], zone: str) -> Html:
    now = int(time.time() * 1000)
    heads = ("Warehouse", "State", "Events to load", "Last load", "Rows", "What it had to say")
    return table_html(heads, (_row(one, now, zone) for one in found), right=(2, 4), label="Warehouses")


def _row(one: WarehouseOverview, now: int, zone: str) -> list[object]:
    last = one.last_load
    name = link(one.name, f"/warehouse/{one.id}")
    said = " ".join(last.notices) if last is not None else ""
    return [
        Html(f'<div class="named">{name}<small>{safe(one.engine)}</small></div>'),
        chip(*state_of(one)),
        count(one.lag),
        Html(f'<span class="nowrap">{ago_html(last.at if last is not None else None, now, zone)}</span>'),
        "–" if last is None else count(last.rows),
        Html(f'<div class="named">{safe(said)}</div>'),
    ]


def state_of(one: WarehouseOverview) -> tuple[str, Tone]:
    """In which state a warehouse is, in a word and a colour."""
    if not one.enabled:
        return "switched off", ""
    match one.last_load.state if one.last_load is not None else "":
        case "failure" | "failed":
            return "last load failed", "bad"
        case "partial":
            return "loaded in part", "warn"
        case "":
            return "waiting", ""
        case _:
            return "loaded", "good"


def _form(person: Person, metadata: WarehouseMetadata) -> None:
    with ui.element("div").classes("card"):
        with ui.element("div").classes("form"):
            name = ui.input("Name *", value=metadata.name).props("outlined dense hide-bottom-space maxlength=255")
        form = SettingsForm(metadata.options)

        async def check() -> None:
            wanted = form.changes()
            if wanted is None:
                return
            said.set_text("Trying …")
            said.classes(replace="soft")
            try:
                asked = CreateValidation(metadata_id=metadata.id, settings=wanted)
                answer = await person.ask(create_validation_in_warehouse, asked)
            except (SenderError, SetupError) as error:
                said.set_text("")
                form.refuse(error)
                return
            well = answer.status == "CONNECTED"
            said.set_text("The warehouse answers." if well else answer.reason)
            said.classes(replace="good" if well else "bad")

        async def make() -> None:
            called = (name.value or "").strip()
            name.error = None if called else "Needed."
            wanted = form.changes()
            if wanted is None or not called:
                return
            try:
                asked = CreateWarehouse(metadata_id=metadata.id, name=called, settings=wanted)
                made = (await person.ask(create_warehouse, asked)).warehouse
            except (SenderError, SetupError) as error:
                form.refuse(error)
                return
            ui.navigate.to(f"/warehouse/{made.id}")

        with ui.element("div").classes("row-line foot"):
            ui.button("Connect", on_click=attempt(make))
            ui.button("Try the settings", icon="cable", on_click=attempt(check)).props("outline")
            said = ui.label().props("role=status")
