"""The filters of a destination."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.destinations.filters import Filters
from headwater.console.parts.destinations.head import destination_head
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person


@page("/destinations/{destination_id}/filters", title="Destination", scope="destinations:read")
async def destination_filters(person: Person, destination_id: str) -> None:
    use_styles("mappings.css")
    one = await destination_head(person, destination_id, "/filters")
    await Filters(person, one).start()
