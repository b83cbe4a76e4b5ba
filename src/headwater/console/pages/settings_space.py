"""One space: its name, its sources, and the tokens that read its profiles."""

from __future__ import annotations

import asyncio

from headwater.console.frame import page
from headwater.console.parts.facts import copied
from headwater.console.parts.headline import headline
from headwater.console.parts.pieces import Html, html, link
from headwater.console.parts.profiles.spaces import source_names
from headwater.console.parts.settings.space_tokens import SpaceTokens
from headwater.console.parts.settings.spaces import space_form
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.spaces import GetSpace, SpaceDetail, get_space_sources


@page("/settings/spaces/{space_id}", title="Space", scope="spaces:read")
async def settings_space(person: Person, space_id: str) -> None:
    for sheet in ("overview.css", "sources.css", "profiles.css"):
        use_styles(sheet)
    answer, sources = await asyncio.gather(
        person.ask(get_space_sources, GetSpace(space_id=space_id)), source_names(person)
    )
    space = answer.space
    headline(space.name, above=("Spaces", "/settings/spaces"))
    html(_facts(space, person))
    space_form(person, space, sources)
    await SpaceTokens(person, space.id).build()


def _facts(space: SpaceDetail, person: Person) -> str:
    places = [link("Identity rules", f"/identity?space={space.slug}")]
    if person.may("profiles:read"):
        places.insert(0, link("Profiles", f"/profiles?space={space.slug}"))
    parts = (("Short name", copied(space.slug)), ("Id", copied(space.id)), ("Go to", Html(" · ".join(places))))
    shown = "".join(f"<div><span>{name}</span><div>{value}</div></div>" for name, value in parts)
    return f'<div class="profile-facts">{shown}</div>'
