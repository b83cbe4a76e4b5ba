"""Making an audience, or changing one: its definition as a form and as text, and a live count of who is in it."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.audiences.editing import show_editor
from headwater.console.person import Person


@page("/audiences/{space}/new", title="New audience", scope="audiences:write")
async def new_audience(person: Person, space: str, name: str = "", query: str = "") -> None:
    await show_editor(person, "audience", space, name=name, query=query)


@page("/audiences/{space}/{audience_id}/edit", title="Edit audience", scope="audiences:write")
async def edit_audience(person: Person, space: str, audience_id: str) -> None:
    await show_editor(person, "audience", space, id=audience_id)
