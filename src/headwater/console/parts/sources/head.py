"""The head of every page about one source."""

from __future__ import annotations

from headwater.console.parts.headline import headline, sections
from headwater.console.parts.pieces import chip
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.answers import SourceShape
from headwater.manage.operations.sources import OneSource, get_source


async def source_head(person: Person, source_id: str, part: str = "") -> SourceShape:
    """Show whose page this is and which parts it has, and return the source. `part` is the end of this page's path."""
    use_styles("sources.css")
    source = (await person.ask(get_source, OneSource(source_id=source_id))).source
    headline(
        source.name,
        above=("Sources", "/sources"),
        beside=[chip(source.metadata.name), *([] if source.enabled else [chip("disabled", "warn")])],
    )
    path = f"/sources/{source.id}"
    parts = [("Set up", path), ("Schema", f"{path}/schema")]
    if person.may("events:read"):
        parts += [("Debugger", f"{path}/debugger"), ("Refused", f"{path}/refused")]
    if person.may("sources:write"):
        parts.append(("Settings", f"{path}/settings"))
    sections(parts, f"{path}{part}")
    return source
