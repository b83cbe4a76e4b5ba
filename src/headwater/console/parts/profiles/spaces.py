"""Which space a page is about, and the field that chooses another."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from nicegui import ui

from headwater.console.parts.pieces import html
from headwater.console.person import Person
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.operations.spaces import ListSpaces, SpaceShape, list_spaces
from headwater.manage.paging import Pagination

_FIRST = "default"
"""The space that every new house has, for those who may not list spaces."""


async def spaces_of(person: Person) -> list[SpaceShape]:
    """The spaces that this person may know of."""
    if not person.may("spaces:read"):
        return [SpaceShape(id=_FIRST, slug=_FIRST, name=_FIRST)]
    return (await person.ask(list_spaces, ListSpaces(pagination=Pagination(count=1_000)))).spaces


def chosen(spaces: Sequence[SpaceShape], name: str) -> SpaceShape | None:
    """The space that an address names by its id or slug, or the first one."""
    return next((one for one in spaces if name in (one.id, one.slug)), spaces[0] if spaces else None)


def space_field(spaces: Sequence[SpaceShape], here: SpaceShape, path: str, **others: str) -> None:
    """A field that goes to the same page about another space; nothing where there is only one."""
    if len(spaces) < 2:
        return

    def go(slug: str) -> None:
        ui.navigate.to(f"{path}?{urlencode({'space': slug, **others})}")

    field = ui.select({one.slug: one.name for one in spaces}, value=here.slug, label="Space")
    field.props("outlined dense options-dense").style("min-width: 150px")
    field.on_value_change(lambda event: go(str(event.value)))


def no_space() -> None:
    """What is shown where there is no space."""
    html(
        '<div class="empty"><b>There is no space yet</b>A space says which sources make profiles together. '
        '<a href="/console/settings/spaces">Make one</a></div>'
    )


async def source_names(person: Person) -> dict[str, str]:
    """The names of sources by their ids, as far as this person may see them."""
    if not person.may("sources:read"):
        return {}
    found = await person.ask(list_sources, ListSources(pagination=Pagination(count=1_000)))
    return {one.id: one.name for one in found.sources}
