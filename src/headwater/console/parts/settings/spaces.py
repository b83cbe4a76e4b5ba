"""The dialog that makes a space, and the fields of one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from headwater.console.parts.beside import beside
from headwater.console.parts.pieces import html
from headwater.console.parts.sources.new import slug_of
from headwater.console.person import Person
from headwater.manage.operations.spaces import (
    CreateSpace,
    SpaceDetail,
    SpaceShape,
    UpdateSpace,
    create_space,
    update_space,
)

_WORDS = {"slug": "Small letters, digits, dashes and underscores, please.", "name": "A name, please."}
_EVERY = "Every source, also those that come later"
_FROM_NOW_ON = "A source counts from now on: its events that came before are not brought into the space."


def new_space(person: Person, spaces: Sequence[SpaceShape], sources: Mapping[str, str]) -> None:
    """Ask for a name, the sources and whose rules to begin with; then go to the page of the space."""

    async def send() -> None:
        wanted = CreateSpace(
            slug=(slug.value or "").strip() or slug_of(name.value or "")[:64],
            name=(name.value or "").strip(),
            source_ids=None if every.value else [str(one) for one in chosen.value or ()],
            rules_of=str(rules.value) or None,
        )

        async def make() -> None:
            made = (await person.ask(create_space, wanted)).space
            ui.navigate.to(f"/settings/spaces/{made.id}")

        await beside(make, _WORDS, name=name, slug=slug, sourceIds=chosen)

    def suggest() -> None:
        slug.props["placeholder"] = slug_of(name.value or "")[:64]
        slug.update()

    with ui.dialog(value=True) as dialog, ui.card().classes("form wide-card"):
        dialog.on("hide", dialog.delete)
        html("<h2>Make a space</h2>")
        name = ui.input("Name", on_change=suggest).props("outlined dense autofocus maxlength=255")
        slug = ui.input("Short name").props("outlined dense stack-label maxlength=64")
        every, chosen = _source_fields(sources, [], all_sources=True)
        html(f'<div class="hint">{_FROM_NOW_ON}</div>')
        rules = ui.select(
            {"": "the usual ones", **{one.id: f"those of {one.name}" for one in spaces}},
            value="",
            label="Identity rules to begin with",
        ).props("outlined dense")
        with ui.element("div").classes("row-line").style("justify-content: flex-end; width: 100%"):
            ui.button("Cancel", on_click=dialog.close).props("flat")
            ui.button("Make space", on_click=send)


def space_form(person: Person, space: SpaceDetail, sources: Mapping[str, str]) -> None:
    """A card with the name and the sources of a space, and a button that saves them."""
    may = person.may("spaces:write")

    async def change() -> None:
        ids = [str(one) for one in chosen.value or ()]
        wanted = UpdateSpace(
            space_id=space.id, name=(name.value or "").strip(), all_sources=bool(every.value), source_ids=ids
        )
        await person.ask(update_space, wanted)
        ui.navigate.reload()

    async def save() -> None:
        await beside(change, _WORDS, name=name, sourceIds=chosen)

    with ui.element("section").classes("card form"):
        name = ui.input("Name", value=space.name).props("outlined dense maxlength=255")
        every, chosen = _source_fields(sources, space.source_ids, all_sources=space.all_sources)
        html(f'<div class="hint">{_FROM_NOW_ON} Profiles stay as they are.</div>')
        button = ui.button("Save", on_click=save).style("align-self: flex-start")
        for field in (name, every, chosen, button):
            field.set_enabled(may)


def _source_fields(
    sources: Mapping[str, str], ids: Sequence[str], *, all_sources: bool
) -> tuple[ui.checkbox, ui.select]:
    every = ui.checkbox(_EVERY, value=all_sources).props("dense")
    named = dict(sources) | {id: id for id in ids if id not in sources}
    chosen = ui.select(named, value=list(ids), multiple=True, with_input=True, label="Sources whose events it takes")
    chosen.props("outlined dense use-chips options-dense").bind_visibility_from(every, "value", value=False)
    return every, chosen
