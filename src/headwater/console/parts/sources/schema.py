"""What was in the events of one name: properties with their types, how often, an example, and the newest sample."""

from __future__ import annotations

import time

from headwater.console.parts.events.calls import as_object, call_of, type_chip
from headwater.console.parts.figures import ago_html, count, moment_html, percent
from headwater.console.parts.pieces import Html, chip, copyable, heading, html, link, pretty, safe, table
from headwater.console.person import Person
from headwater.manage.operations.schema import (
    GetSchemaOfEvent,
    GetSchemaOfEventAnswer,
    PathShape,
    get_schema_of_event,
)


async def event_schema(person: Person, source_id: str, type: str, name: str) -> None:
    """Show one event of a source."""
    answer = await person.ask(get_schema_of_event, GetSchemaOfEvent(source_id=source_id, type=type, name=name))
    seen, now = answer.event, time.time_ns() // 1_000_000
    title = safe(seen.name) if seen.name else f"all {safe(seen.type)} calls"
    html(
        f'<div class="row-line event-title">{link("← All events", f"/sources/{source_id}/schema")}'
        f"{type_chip(seen.type)}<b>{title}</b>"
        f'<span class="soft">{_events(seen.events)}, the last {ago_html(seen.last_at, now, person.zone)}, '
        f"the first {ago_html(seen.first_at, now, person.zone)}</span></div>"
    )
    _paths(answer)
    _sample(answer, person)


def _paths(answer: GetSchemaOfEventAnswer) -> None:
    what = "Traits" if answer.event.type in ("identify", "group") else "Properties"
    heading(what)
    if not answer.paths:
        html(f'<div class="empty"><b>None seen</b>Of {_events(answer.sampled)} looked at, none had any.</div>')
        return
    rows = [_row(one, answer.sampled) for one in answer.paths]
    table(("Path", "Types", "In", "Example"), rows, right=(2,), label=what)
    html(f'<div class="soft">Of {_events(answer.sampled)} looked at, at most one a minute.</div>')


def _row(one: PathShape, sampled: int) -> tuple[object, ...]:
    return (
        Html(f'<span class="mono">{safe(one.path)}</span>'),
        Html(" ".join(chip(kind if len(one.types) == 1 else f"{kind} {count(n)}") for kind, n in one.types.items())),
        percent(one.events, sampled),
        Html(f'<code class="example">{safe(one.example)}</code>'),
    )


def _sample(answer: GetSchemaOfEventAnswer, person: Person) -> None:
    if answer.sample is None:
        return
    event = as_object(answer.sample.event)
    heading("Newest sample")
    html(
        f'<div class="soft sampled">{moment_html(answer.sample.at, person.zone)}</div>'
        f"{copyable(call_of(event))}<details><summary>Raw</summary>{pretty(answer.sample.event)}</details>"
    )


def _events(events: int) -> str:
    return "1 event" if events == 1 else f"{count(events)} events"
