"""Replays of the archive to a destination."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.destinations.head import destination_head
from headwater.console.parts.destinations.replays import Replays
from headwater.console.parts.pieces import notice
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person


@page("/destinations/{destination_id}/replays", title="Destination", scope="destinations:read")
async def destination_replays(person: Person, destination_id: str) -> None:
    use_styles("mappings.css")
    one = await destination_head(person, destination_id, "/replays")
    if not person.may("deliveries:read"):
        notice("Replays need the scope deliveries:read, which you do not have.", tone="warning")
        return
    await Replays(person, one).start()
