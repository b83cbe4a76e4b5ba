"""What can be done with an audience or computed trait at once: edit, switch, clone, delete."""

from __future__ import annotations

from nicegui import ui

from headwater.console.parts.asking import ask_first, outlasting
from headwater.console.parts.audiences.asks import NOUNS, PATHS, PROCESSED, Shown, enable, path_of, remove
from headwater.console.parts.pieces import attempt, html, safe
from headwater.console.person import Person
from headwater.manage.operations.computations import CloneAudience, clone_audience
from headwater.manage.operations.spaces import SpaceShape


def place_acts(person: Person, shown: Shown, space: SpaceShape) -> None:
    """Place the buttons, as far as this person may press them."""
    if not person.may("audiences:write"):
        return
    noun = NOUNS[shown.kind]

    async def switch() -> None:
        await enable(person, shown, space.id, enabled=not shown.enabled)
        ui.navigate.reload()

    async def drop() -> None:
        await remove(person, shown, space.id)
        ui.navigate.to(f"{PATHS[shown.kind]}?space={space.slug}")

    def ask_switch() -> None:
        about = "Nobody enters or leaves it, and nobody is told. Enabled again, it is worked out anew."
        ask_first(f"Disable {shown.name}?", about, "Disable", switch)

    def ask_drop() -> None:
        about = f"The {noun} is gone for good. Profiles keep its last value as an ordinary trait."
        ask_first(f"Delete {shown.name}?", about, "Delete", drop)

    with ui.element("div").classes("row-line acts"):
        if shown.status not in PROCESSED:
            path = path_of(shown.kind, space.slug, shown.id, "edit")
            html(f'<a class="action" href="/console{safe(path)}">Edit</a>')
        if shown.enabled:
            ui.button("Disable", icon="pause", on_click=ask_switch).props("outline dense")
        else:
            ui.button("Enable", icon="play_arrow", on_click=attempt(switch)).props("outline dense")
        if shown.kind == "audience":
            ui.button("Clone", icon="content_copy", on_click=lambda: _ask_clone(person, shown, space)).props(
                "outline dense"
            )
        if not shown.enabled:
            ui.button("Delete", icon="delete", on_click=ask_drop).props("outline dense color=negative")


def _ask_clone(person: Person, shown: Shown, space: SpaceShape) -> None:
    async def make() -> None:
        wanted = CloneAudience(space_id=space.id, id=shown.id, name=(name.value or "").strip() or None)
        made = (await person.ask(clone_audience, wanted)).audience
        dialog.close()
        ui.navigate.to(path_of("audience", space.slug, made.id))

    with ui.dialog(value=True) as dialog, ui.card().classes("form").style("width: 440px"):
        dialog.on("hide", dialog.delete)
        html(f"<h2>Clone {safe(shown.name)}</h2>")
        html('<div class="hint">The copy is disabled and told to nobody, so that it can be changed first.</div>')
        name = ui.input("Name", value=f"{shown.name} copy").props("outlined dense autofocus maxlength=255")
        go = outlasting(make)
        name.on("keydown.enter", go)
        with ui.element("div").classes("row-line").style("justify-content: flex-end; width: 100%"):
            ui.button("Cancel", on_click=dialog.close).props("flat")
            ui.button("Clone", on_click=go)
