"""The line by which another system reads a profile."""

from __future__ import annotations

import shlex
from urllib.parse import quote, urlsplit

from nicegui import ui

from headwater.console.parts.pieces import copyable, html


def access_card(space: str, collection: str, name: str) -> None:
    """A card with the line for the Profile API. `name` is an identifier, or the id of the profile."""
    here = urlsplit(str(ui.context.client.request.url))
    line = curl_line(f"{here.scheme}://{here.netloc}", space, collection, name)
    html(
        f'<section class="card"><h2>Profile API</h2><p class="soft">Other systems read this profile with a '
        f'<a href="/console/settings/spaces">token of the space</a>; also <code>/events</code>, '
        f"<code>/external_ids</code>, <code>/metadata</code> and <code>/links</code>.</p>{copyable(line)}</section>"
    )


def curl_line(base: str, space: str, collection: str, name: str) -> str:
    """What to type into a shell. Pure."""
    path = f"/v1/spaces/{quote(space, safe='')}/collections/{collection}/profiles/{quote(name, safe=':@')}/traits"
    return f'curl -u "$TOKEN:" {shlex.quote(f"{base}{path}?limit=200")}'
