"""`headwater tail`: events as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, Query, Sent, find_house
from headwater.spec.errors import Unavailable

PATH = "/headwater/events/stream"
"""Where the operation `stream_events` is; named here so that the tail starts without loading every operation."""

_AGAIN_SECONDS = 1.0
_PATIENCE = 60
_COLOURS = {"track": "cyan", "identify": "magenta", "page": "green", "screen": "green", "group": "yellow"}


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the stream tells of one event."""

    source_id: str = ""
    type: str = ""
    name: str = ""
    message_id: str = ""
    received_at: str = ""
    destinations: list[str] = []
    missed: int = 0
    event: dict[str, Any] = {}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Events")(tail)


def tail(
    source: Annotated[str, typer.Option("--source", metavar="ID|SLUG", help="Only events of this source.")] = "",
    type: Annotated[str, typer.Option("--type", metavar="TYPE", help="Only this type: track, identify, ...")] = "",
    event: Annotated[str, typer.Option("--event", metavar="NAME", help="Only events of this name.")] = "",
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Only this userId or anonymousId.")] = "",
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="Only events that hold this text.")] = "",
    start: Annotated[
        str,
        typer.Option("--from", metavar="now|start|P:N", help="From now on, from the oldest kept, or from a place."),
    ] = "now",
    json: Annotated[bool, typer.Option("--json", help="Print each event as one line of JSON.")] = False,
    url: flags.Url = "",
    token: flags.Token = "",
    data: flags.Folder = "",
) -> None:
    """Follow events as they come out of the pipeline. Ctrl-C ends it.

    \b
    Examples:
      headwater tail
      headwater tail --type track --event "Order Completed"
      headwater tail --from start --json | jq .event.properties
    """
    wanted = {"source": source, "type": type, "event": event, "user": user, "filter": text}
    query = [(name, value) for name, value in wanted.items() if value]
    client = Client.of_house(find_house(url=url, token=token, data=data))
    for sent in follow(client, query, {"start": "position"}.get(start, start)):
        show(sent.data, json=json)


def follow(client: Client, query: Query, start: str, *, again_seconds: float = _AGAIN_SECONDS) -> Iterator[Sent]:
    """What the stream sends. A house that goes away is waited for, and the stream goes on after the last event had."""
    events = client.listen(PATH, query=[*query, ("from", start)])
    had, failures = "", 0
    while True:
        with suppress(Unavailable):
            for sent in events:
                had, failures = sent.id or had, 0
                yield sent
        output.say("The house went away; waiting for it.", style="yellow", error=True)
        events = None
        while events is None:
            time.sleep(again_seconds)
            try:
                events = client.listen(PATH, query=[*query, ("lastEventId", had) if had else ("from", start)])
            except Unavailable:
                failures += 1
                if failures > _PATIENCE:
                    raise


def show(data: bytes, *, json: bool) -> None:
    """Print one event of the stream, on one line."""
    if json:
        output.print_raw(data)
        return
    output.console().print(line(msgspec.json.decode(data, type=Event)), soft_wrap=True)


def line(one: Event) -> Text:
    """One event as a person reads it."""
    if one.missed:
        return Text(
            f"({one.missed} events passed by unseen; --source, --type and --user narrow it down)", style="yellow"
        )
    who = str(one.event.get("userId") or one.event.get("anonymousId") or "-")
    said = one.event.get("properties") or one.event.get("traits") or {}
    return Text.assemble(
        (output.clean(one.received_at[11:23]), "dim"),
        " ",
        (f"{output.clean(one.type):<8}", _COLOURS.get(one.type, "")),
        " ",
        (output.clean(one.name or ""), "bold"),
        "  " if one.name else "",
        (output.clean(who), ""),
        "  ",
        (output.clean(msgspec.json.encode(said).decode())[:200] if said else "", "dim"),
        "  ",
        (output.clean(one.message_id), "dim"),
    )
