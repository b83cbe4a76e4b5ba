"""One source: what to paste into a client so that its events come here."""

from __future__ import annotations

from urllib.parse import urlsplit

from nicegui import ui

from headwater.console.frame import page
from headwater.console.parts.pieces import Html, copyable, heading, html, notice
from headwater.console.parts.sources.head import source_head
from headwater.console.parts.sources.snippets import Snippet, first_for, snippets, tracking_address
from headwater.console.person import Person
from headwater.manage.answers import SourceShape
from headwater.manage.operations.connection import GetConnectionDetails, get_connection_details

_HIDDEN = "YOUR_WRITE_KEY"


@page("/sources/{source_id}", title="Source", scope="sources:read")
async def source(person: Person, source_id: str) -> None:
    shown = await source_head(person, source_id)
    address = await _address(person)
    if not shown.enabled:
        notice(
            "This source is disabled: its events are refused.",
            todo="Enable it under Settings.",
            tone="warning",
        )
    _key(shown, address)
    key = shown.write_keys[0] if shown.write_keys else _HIDDEN
    heading("Send events")
    html(
        '<div class="soft">Paste these lines, then see events come in under <b>Debugger</b>. Any other client works as '
        "well: it needs the address and the write key, and nothing else.</div>"
    )
    found = snippets(address, key)
    _clients(found, first_for(shown.metadata.id, found))


async def _address(person: Person) -> str:
    """The tracking API's address, as seen from the browser unless a setting gives it."""
    details = await person.ask(get_connection_details, GetConnectionDetails())
    here = urlsplit(str(ui.context.client.request.url))
    return tracking_address(details.public_url, here.hostname or "127.0.0.1", here.scheme, details.port)


def _key(shown: SourceShape, address: str) -> None:
    if shown.write_keys:
        keys = "".join(copyable(key) for key in shown.write_keys)
    else:
        keys = Html('<p class="soft">Your token may not see write keys; ask for one with the scope sources:write.</p>')
    html(
        f'<div class="connect"><div><h2>Write key</h2>{keys}</div><div><h2>Address</h2>{copyable(address)}</div></div>'
    )


def _clients(found: list[Snippet], first: str) -> None:
    with ui.tabs() as tabs:
        tabs.props('align=left dense no-caps outside-arrows mobile-arrows active-color=primary aria-label="Client"')
        made = {one.name: ui.tab(one.name) for one in found}
    with ui.tab_panels(tabs, value=made[first], animated=False).classes("snippets"):
        for one in found:
            with ui.tab_panel(made[one.name]):
                html(copyable(one.code) + (f'<p class="soft">{one.remark}</p>' if one.remark else ""))
