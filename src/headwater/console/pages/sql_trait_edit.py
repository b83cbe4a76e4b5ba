"""Making an SQL trait, or changing one: its query, and what its first rows would say."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.audiences.sql_editing import show_sql_editor
from headwater.console.person import Person


@page("/computed-traits/{space}/sql/new", title="New SQL trait", scope="spaces:write")
async def new_sql_trait(person: Person, space: str) -> None:
    await show_sql_editor(person, space)


@page("/computed-traits/{space}/sql/{sql_trait_id}", title="SQL trait", scope="spaces:read")
async def sql_trait(person: Person, space: str, sql_trait_id: str) -> None:
    await show_sql_editor(person, space, sql_trait_id)
