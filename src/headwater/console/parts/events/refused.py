"""Events that were refused on the way in, the newest first, with the reason and what was received."""

from __future__ import annotations

import time
from collections.abc import Mapping

from headwater.console.parts.events.calls import as_object, name_of, text, type_chip
from headwater.console.parts.events.rows import trace_path
from headwater.console.parts.figures import ago_html
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, chip, link, pretty, safe, table_html
from headwater.console.parts.polling import poll
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.failures import Failure, FailuresPage, ListFailures, list_failures
from headwater.spec.outcome import Step

_REFRESH_SECONDS = 5.0
_MOST = 100
_HEADS = ("Refused", "Event", "Reason", "Source")
_NONE = Html(
    '<div class="empty"><b>Nothing was refused</b>Events that break the rules of their type, or come with a write key '
    "that no source has, are listed here with the reason. They are kept as long as the log holds them.</div>"
)


async def refused_events(person: Person, source_id: str | None, names: Mapping[str, str]) -> None:
    """A list that keeps itself up to date, of one source or of all and of none. `names` are those of sources."""
    use_styles("events.css")
    use_styles("sources.css")
    place = Patched()
    columns = len(_HEADS) if source_id is None else len(_HEADS) - 1

    async def look() -> None:
        wanted = ListFailures(
            source_id=source_id, step=Step.FAILED_ON_INGEST.value, pagination=FailuresPage(count=_MOST)
        )
        found = (await person.ask(list_failures, wanted)).failures
        now = time.time_ns() // 1_000_000
        rows = [_row(one, names, now, person.zone)[:columns] for one in found]
        place.show(table_html(_HEADS[:columns], rows, label="Refused events") if rows else _NONE)

    await look()
    poll(_REFRESH_SECONDS, look)


def _row(one: Failure, names: Mapping[str, str], now: int, zone: str) -> tuple[object, ...]:
    event = as_object(one.payload)
    type = text(event.get("type"))
    title = name_of(event) or one.message_id or "the payload"
    named = link(title, trace_path(one.message_id)) if one.message_id else safe(title)
    detail = f'<div class="soft">{safe(one.detail)}</div>' if one.detail else ""
    payload = (
        f'<details class="inside"><summary>Payload</summary>{pretty(one.payload)}</details>'
        if one.payload is not None
        else ""
    )
    source = link(names.get(one.source_id, one.source_id), f"/sources/{one.source_id}") if one.source_id else "none"
    return (
        Html(f'<span class="number">{ago_html(one.at, now, zone)}</span>'),
        Html(f"{type_chip(type) if type else ''} {named}{payload}"),
        Html(f"{chip(one.reason, 'bad')} {safe(one.meaning)}{detail}"),
        source,
    )
