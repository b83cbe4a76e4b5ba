"""Computed traits: values worked out of events, and who is told."""

from __future__ import annotations

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.audiences.listing import Listing
from headwater.console.parts.audiences.sql import SqlTraits
from headwater.console.parts.headline import sections
from headwater.console.parts.polling import poll
from headwater.console.parts.profiles.spaces import chosen, no_space, space_field, spaces_of
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person


@page("/computed-traits", title="Computed traits", scope="audiences:read", menu=Entry("functions", 37, key="c"))
async def computed_traits(person: Person, space: str = "", search: str = "", tab: str = "") -> None:
    for sheet in ("headline.css", "sources.css", "delivery.css", "profiles.css", "audiences.css"):
        use_styles(sheet)
    spaces = await spaces_of(person)
    here = chosen(spaces, space)
    if here is None:
        no_space()
        return
    own = f"/computed-traits?space={here.slug}"
    if person.may("spaces:read"):
        sections([("From events", own), ("From SQL", f"{own}&tab=sql")], f"{own}&tab=sql" if tab == "sql" else own)
    if tab == "sql" and person.may("spaces:read"):
        sql = SqlTraits(person, here)
        with ui.element("div").classes("row-line"):
            sql.place_fields()
            space_field(spaces, here, "/computed-traits", tab="sql")
        sql.place_list()
        await sql.look()
        poll(3.0, sql.look)
        return
    listing = Listing(person, "trait", here)
    with ui.element("div").classes("row-line"):
        listing.place_fields(search[:200])
        space_field(spaces, here, "/computed-traits")
    listing.place_list()
    await listing.look()
    poll(3.0, listing.look)
    poll(60.0, listing.detail, first=0.1)
