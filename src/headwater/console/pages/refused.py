"""Events that were refused on the way in: of one source, or of all."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.events.refused import refused_events
from headwater.console.parts.headline import headline
from headwater.console.parts.sources.head import source_head
from headwater.console.person import Person
from headwater.manage.operations.sources import ListSources, list_sources
from headwater.manage.paging import Pagination


@page("/refused", title="Refused events", scope="events:read")
async def refused(person: Person) -> None:
    headline("Refused events", above=("Live events", "/events"))
    names: dict[str, str] = {}
    if person.may("sources:read"):
        found = await person.ask(list_sources, ListSources(pagination=Pagination(count=1_000)))
        names = {one.id: one.name for one in found.sources}
    await refused_events(person, None, names)


@page("/sources/{source_id}/refused", title="Refused events", scope="events:read")
async def refused_of_source(person: Person, source_id: str) -> None:
    shown = await source_head(person, source_id, "/refused")
    await refused_events(person, shown.id, {shown.id: shown.name})
