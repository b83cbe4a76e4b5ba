"""One source: its events as they come."""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.events.feed import Wanted
from headwater.console.parts.events.live import live_events
from headwater.console.parts.sources.head import source_head
from headwater.console.person import Person


@page("/sources/{source_id}/debugger", title="Debugger", scope="events:read")
async def source_debugger(person: Person, source_id: str) -> None:
    shown = await source_head(person, source_id, "/debugger")
    await live_events(person, Wanted(source=shown.id), one_source=True)
