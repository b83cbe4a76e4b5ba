"""The catalogue of destinations, and connecting one of them.

The file's name stands before `destination` in the alphabet so that /destinations/catalog is not taken for an id.
"""

from __future__ import annotations

from typing import Any

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.destinations.cards import Card, cards_html, categories, find, mark
from headwater.console.parts.forms.form import SettingsForm
from headwater.console.parts.headline import headline
from headwater.console.parts.pieces import attempt, empty, html, link, notice, safe
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.answers import DestinationMetadata
from headwater.manage.operations.catalog import (
    GetDestinationMetadata,
    ListDestinationSummaries,
    get_destination_metadata,
    list_destination_summaries,
)
from headwater.manage.operations.destinations import CreateDestination, create_destination
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.paging import Pagination
from headwater.spec.errors import SenderError

_ALL = "All categories"
_MANY = 1_000


@page("/destinations/catalog", title="Catalogue", scope="catalog:read")
async def catalog(person: Person) -> None:
    use_styles("delivery.css")
    headline("Catalogue of destinations", above=("Destinations", "/destinations"))
    asked = ListDestinationSummaries(pagination=Pagination(count=_MANY))
    found = await person.ask(list_destination_summaries, asked)
    if found.missing:
        notice(found.missing, todo="Until then there are Headwater's own.", tone="warning")
    cards = [
        Card(f"/destinations/catalog/{one.slug}", one.name, one.description, one.categories)
        for one in found.destinations
        if one.available
    ]
    with ui.element("div").classes("row-line"):
        text = ui.input(placeholder=f"Search {len(cards)} destinations").props(
            'outlined dense clearable debounce=120 type=search aria-label="Search"'
        )
        text.classes("search")
        kind = ui.select([_ALL, *categories(cards)], value=_ALL, label="Category").props("outlined dense options-dense")
        kind.classes("category")
    shown = html(cards_html(find(cards, "", "")))
    nothing = empty("No destination is called so", "Try another word, or send to any URL with the webhook.")
    nothing.set_visibility(False)

    def search(_: Any = None) -> None:
        fitting = find(cards, text.value or "", "" if kind.value == _ALL else str(kind.value))
        shown.set_content(cards_html(fitting))
        nothing.set_visibility(not fitting)

    text.on_value_change(search)
    kind.on_value_change(search)


@page("/destinations/catalog/{slug}", title="Connect", scope="catalog:read")
async def connect(person: Person, slug: str, source: str = "") -> None:
    use_styles("delivery.css")
    wanted = GetDestinationMetadata(destination_metadata_id=slug)
    metadata = (await person.ask(get_destination_metadata, wanted)).destination_metadata
    headline(f"Connect {metadata.name}", above=("Catalogue", "/destinations/catalog"))
    html(_about(metadata))
    if not person.may("destinations:write"):
        notice("Connecting needs the scope destinations:write, which you do not have.", tone="warning")
        return
    sources = {one.id: one.name for one in (await person.ask(list_sources, ListSources())).sources}
    if not sources:
        notice("There is no source yet.", todo="Make one first; a destination gets the events of a source.")
        html(link("Sources", "/sources"))
        return
    _form(person, metadata, sources, source if source in sources else next(iter(sources)))


def _about(metadata: DestinationMetadata) -> str:
    methods = metadata.supported_methods
    kinds = [
        name
        for name, taken in (
            ("track", methods.track),
            ("identify", methods.identify),
            ("page, screen", methods.pageview),
            ("group", methods.group),
            ("alias", methods.alias),
        )
        if taken
    ]
    takes = f"Takes {', '.join(kinds)}." if kinds else ""
    said = f'{safe(metadata.description)} <span class="soft">{takes}</span>'
    return f'<div class="about">{mark(metadata.name)}<p>{said}</p></div>'


def _form(person: Person, metadata: DestinationMetadata, sources: dict[str, str], first: str) -> None:
    with ui.element("div").classes("card"):
        with ui.element("div").classes("form"):
            source = ui.select(sources, label="Events of *", value=first).props("outlined dense hide-bottom-space")
            name = ui.input("Name *", value=metadata.name).props("outlined dense hide-bottom-space maxlength=255")
        form = SettingsForm(metadata.options)
        enabled = ui.switch("Send events as soon as it is connected", value=True).props("dense")

        async def make() -> None:
            called = (name.value or "").strip()
            name.error = None if called else "Needed."
            settings = form.changes()
            if settings is None or not called:
                return
            asked = CreateDestination(
                source_id=str(source.value),
                metadata_id=metadata.id,
                name=called,
                settings=settings,
                enabled=bool(enabled.value),
            )
            try:
                made = (await person.ask(create_destination, asked)).destination
            except SenderError as error:
                form.refuse(error)
                return
            ui.notify(f"{made.name} is connected.", type="positive")
            ui.navigate.to(f"/destinations/{made.id}")

        with ui.element("div").classes("row-line foot"):
            ui.button("Connect", on_click=attempt(make))
