"""Spaces: which sources make profiles together."""

from __future__ import annotations

import asyncio

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.figures import count
from headwater.console.parts.pieces import Html, html, link, safe, table
from headwater.console.parts.profiles.spaces import source_names, spaces_of
from headwater.console.parts.settings.head import settings_head
from headwater.console.parts.settings.spaces import new_space
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.spaces import GetSpace, SpaceDetail, get_space_sources

_LISTED = 100
_NAMED = 3


@page("/settings/spaces", title="Settings", scope="spaces:read")
async def settings_spaces(person: Person) -> None:
    settings_head(person, "/settings/spaces")
    use_styles("profiles.css")
    spaces, sources = await asyncio.gather(spaces_of(person), source_names(person))
    asked = (person.ask(get_space_sources, GetSpace(space_id=one.id)) for one in spaces[:_LISTED])
    found = [answer.space for answer in await asyncio.gather(*asked)]
    with ui.element("div").classes("row-line"):
        ui.label("Events of the sources of one space make profiles together.").classes("soft grow")
        if person.may("spaces:write"):
            ui.button("Make a space", icon="add", on_click=lambda: new_space(person, spaces, sources))
    if not found:
        html('<div class="empty"><b>There is no space yet</b>Make one, and events that come make profiles in it.</div>')
        return
    table(("Space", "Sources", ""), (_row(one, sources, person) for one in found), right=(2,), label="Spaces")
    if len(spaces) > _LISTED:
        html(f'<p class="soft">and {count(len(spaces) - _LISTED)} more, which the API lists</p>')


def _row(one: SpaceDetail, sources: dict[str, str], person: Person) -> list[object]:
    name = link(one.name, f"/settings/spaces/{one.id}")
    rules = link("Identity rules", f"/identity?space={one.slug}")
    people = link("Profiles", f"/profiles?space={one.slug}") if person.may("profiles:read") else ""
    return [
        Html(f'<div class="named">{name}<small>{safe(one.slug)}</small></div>'),
        _sources(one, sources),
        Html(f'<div class="actions">{people} {rules}</div>'),
    ]


def _sources(one: SpaceDetail, sources: dict[str, str]) -> str:
    if one.all_sources:
        return "every source"
    names = [sources.get(id, id) for id in one.source_ids[:_NAMED]]
    more = len(one.source_ids) - len(names)
    return (", ".join(names) + (f" and {count(more)} more" if more else "")) or "none"
