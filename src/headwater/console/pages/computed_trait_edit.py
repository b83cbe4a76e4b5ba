"""Making a computed trait, or changing one: its definition as a form and as text, and a live count of values."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.audiences.editing import show_editor
from headwater.console.person import Person


@page("/computed-traits/{space}/new", title="New computed trait", scope="audiences:write")
async def new_computed_trait(person: Person, space: str, name: str = "", query: str = "") -> None:
    await show_editor(person, "trait", space, name=name, query=query)


@page("/computed-traits/{space}/{trait_id}/edit", title="Edit computed trait", scope="audiences:write")
async def edit_computed_trait(person: Person, space: str, trait_id: str) -> None:
    await show_editor(person, "trait", space, id=trait_id)
