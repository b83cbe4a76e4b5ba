"""Audiences: who meets which condition, how many they are, and who is told."""

from __future__ import annotations

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.audiences.listing import Listing
from headwater.console.parts.polling import poll
from headwater.console.parts.profiles.spaces import chosen, no_space, space_field, spaces_of
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person


@page("/audiences", title="Audiences", scope="audiences:read", menu=Entry("groups", 36, key="a"))
async def audiences(person: Person, space: str = "", search: str = "") -> None:
    for sheet in ("headline.css", "sources.css", "delivery.css", "profiles.css", "audiences.css"):
        use_styles(sheet)
    spaces = await spaces_of(person)
    here = chosen(spaces, space)
    if here is None:
        no_space()
        return
    listing = Listing(person, "audience", here)
    with ui.element("div").classes("row-line"):
        listing.place_fields(search[:200])
        space_field(spaces, here, "/audiences")
    listing.place_list()
    await listing.look()
    poll(3.0, listing.look)
    poll(60.0, listing.detail, first=0.1)
