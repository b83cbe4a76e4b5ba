"""The dialog that adds a source, and the button that opens it."""

from __future__ import annotations

import re
import unicodedata

from nicegui import ui

from headwater.console.parts.beside import beside
from headwater.console.parts.pieces import html
from headwater.console.person import Person
from headwater.manage.operations.catalog import PageOfCatalog, get_sources_catalog
from headwater.manage.operations.sources import CreateSource, create_source


async def new_source(person: Person) -> None:
    """A button that asks for a name and a kind, makes the source and goes to its page."""
    catalog = await person.ask(get_sources_catalog, PageOfCatalog())
    kinds = {one.id: one.name for one in catalog.sources_catalog}
    with ui.dialog() as dialog, ui.card().classes("form").style("width: 440px"):
        form = _Form(person, kinds)
        with ui.element("div").classes("row-line").style("justify-content: flex-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat")
            ui.button("Add source", on_click=form.send)
    ui.button("Add source", icon="add", on_click=dialog.open)


class _Form:
    """The fields of the dialog."""

    def __init__(self, person: Person, kinds: dict[str, str]) -> None:
        self._person = person
        html("<h2>Add a source</h2>")
        self._name = ui.input("Name", on_change=self._suggest).props("outlined dense autofocus maxlength=255")
        self._name.on("keydown.enter", self.send)
        self._kind = ui.select(kinds, label="Kind", value="javascript", with_input=True).props("outlined dense")
        self._slug = ui.input("Short name").props("outlined dense stack-label maxlength=100")
        html('<div class="hint">Names its schema in warehouses. Letters, digits, dots, dashes and underscores.</div>')

    def _suggest(self) -> None:
        """Show the short name that is taken if none is typed: beneath what is typed, which it never replaces."""
        self._name.error = None
        self._slug.props["placeholder"] = slug_of(self._name.value or "")
        self._slug.update()

    async def send(self) -> None:
        """Make the source and go to its page; what is wrong stands beside its field."""
        name = (self._name.value or "").strip()
        slug = (self._slug.value or "").strip() or slug_of(name)
        self._name.error = None if name else "A source needs a name."
        self._slug.error = None if slug else "Give a short name."
        if not name or not slug:
            return
        wanted = CreateSource(slug=slug, name=name, metadata_id=str(self._kind.value))

        async def make() -> None:
            made = await self._person.ask(create_source, wanted)
            ui.navigate.to(f"/sources/{made.source.id}")

        await beside(make, name=self._name, slug=self._slug, metadataId=self._kind)


def slug_of(name: str) -> str:
    """A short name for a name: plain letters and digits with dashes between; empty when there are none."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:100].rstrip("-")
