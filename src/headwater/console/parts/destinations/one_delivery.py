"""One parked delivery in full: why it failed or waits, its attempts, and the event."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from headwater.console.parts.events.rows import trace_path
from headwater.console.parts.figures import duration, moment_html
from headwater.console.parts.pieces import Html, chip, html, link, pretty, safe, table
from headwater.manage.operations.parked import ParkedShape


def show_delivery(one: ParkedShape, zone: str) -> None:
    """Open a dialog with the delivery."""
    with ui.dialog(value=True) as dialog, ui.card().classes("delivery-card"):
        dialog.on("hide", dialog.delete)
        with ui.element("div").classes("row-line"):
            html(f"<h2>{safe(one.name or one.type)}</h2>")
            ui.element("div").classes("grow")
            ui.button(icon="close", on_click=dialog.close).props('flat dense round aria-label="Close"')
        html(
            f"<p>{chip(one.state, 'bad' if one.state == 'failed' else 'warn')} <code>{safe(one.reason)}</code> "
            f'{safe(one.meaning)}</p><p class="soft">{safe(one.detail)}</p>'
            f'<p class="mono">{link(one.message_id, trace_path(one.message_id))}</p>'
        )
        table(
            ("Attempt", "At", "Took", "Status", "Outcome", "Detail"),
            (_attempt(note, zone) for note in one.notes),
            right=(0, 2, 3),
            label="Attempts",
        )
        for note in one.notes[-1:]:
            for what in ("request", "response"):
                if note.get(what):
                    html(f"<h2>Last {what}</h2><pre class='json'>{safe(note[what])}</pre>")
        if one.event is not None:
            html("<h2>Event</h2>")
            html(pretty(one.event))


def _attempt(note: dict[str, Any], zone: str) -> list[object]:
    return [
        note.get("attempt", 1),
        Html(f'<span class="nowrap">{moment_html(note.get("at"), zone)}</span>'),
        duration(note.get("took")),
        note.get("status") or "–",
        note.get("reason") or note.get("step", ""),
        note.get("detail", ""),
    ]
