"""`headwater trace`: what became of one event, as a timeline."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, find_house, path_to
from headwater.spec.errors import SenderError

PATH = "/headwater/trace/{messageId}"
"""Where the operation `trace_event` is."""

_COLOURS = {"delivered": "green", "processed": "green", "pending": "yellow", "duplicate": "yellow", "matched": "cyan"}
_WAIT_SECONDS = 0.5
_LONG = 200


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Events")(trace)


def trace(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="The event's messageId.")],
    since: Annotated[
        str, typer.Option("--since", metavar="ISO", help="Where to begin looking for one that failed; a day ago.")
    ] = "",
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for an event that was just sent.")
    ] = 5.0,
    json: flags.Json = False,
    url: flags.Url = "",
    token: flags.Token = "",
    data: flags.Folder = "",
) -> None:
    """Show what became of an event: how it came in, how it was published, and every attempt to deliver it.

    \b
    Examples:
      headwater trace cli-5f0c1b1e-8f6d-4a8e-9c39-5a54b8a3d2f1
      headwater trace m-17 --json
    """
    client = Client.of_house(find_house(url=url, token=token, data=data))
    until = time.monotonic() + wait
    while True:
        found = _ask(client, message_id, since, last=time.monotonic() >= until)
        if found is not None and (is_settled(found) or time.monotonic() >= until):
            break
        time.sleep(_WAIT_SECONDS)
    if json:
        output.print_json(found)
    else:
        output.console().print(tree(found), soft_wrap=True)


def is_settled(found: dict[str, Any]) -> bool:
    """Did it come to an end, or to a wait that is written down? Then looking again right away tells no more."""
    if any(one["room"] == "pipeline" for one in found["outcomes"]):
        return True
    return found["processed"] is not None and all(one["state"] != "unknown" for one in found["destinations"])


def tree(found: dict[str, Any]) -> Tree:
    """The timeline."""
    top = Tree(Text(output.clean(found["messageId"]), style="bold"), guide_style="dim")
    if (received := found["received"]) is not None:
        top.add(_line(received["receivedAt"], "received", f"by source {received['sourceId']}", _place(received)))
    for one in found["outcomes"]:
        if one["room"] == "pipeline":
            branch = top.add(_line(one["at"], one["step"], _because(one)))
            _add_payload(branch, one["payload"])
    if (processed := found["processed"]) is not None:
        event = processed["event"] if isinstance(processed["event"], dict) else {}
        branch = top.add(_line(processed["receivedAt"], "processed", _said(event), _place(processed)))
        if not processed["destinations"]:
            branch.add(Text("no destination is connected to its source", style="dim"))
    for destination in found["destinations"]:
        _add_destination(top, destination, found["outcomes"])
    return top


def _ask(client: Client, message_id: str, since: str, *, last: bool) -> dict[str, Any] | None:
    query = [("since", since)] if since else []
    try:
        return client.ask("GET", path_to(PATH, {"messageId": message_id}), query=query)
    except SenderError as error:
        if error.status != 404 or last:
            raise
        return None


def _add_destination(top: Tree, one: dict[str, Any], outcomes: Iterable[dict[str, Any]]) -> None:
    name = f"{one['name'] or one['destinationId']} ({one['definition'] or 'removed'})"
    state = one["state"] if one["state"] != "unknown" else "no outcome yet"
    branch = top.add(Text.assemble((output.clean(name), "bold"), " ", (output.clean(state), _colour(one["state"]))))
    for outcome in outcomes:
        if outcome["destinationId"] == one["destinationId"] and not one["attempts"]:
            branch.add(_line(outcome["at"], outcome["step"], _because(outcome)))
    for attempt in one["attempts"]:
        status = f"answered {attempt['status']}" if attempt["status"] else ""
        said = [f"attempt {attempt['attempt']}", f"{attempt['took']} ms", status, _because(attempt)]
        leaf = branch.add(_line(attempt["at"], attempt["step"], ", ".join(part for part in said if part)))
        for label in ("request", "response"):
            for line in _sample(attempt[label]):
                leaf.add(Text(f"{label}: {line}", style="dim"))
    for parked in one["parked"]:
        if parked["state"] == "waiting":
            until = f"tried again at {parked['dueAt']}, until {parked['expiresAt']}"
            branch.add(Text(output.clean(until), style="yellow"))


def _line(at: str, step: str, said: str, place: str = "") -> Text:
    return Text.assemble(
        (output.clean(at[11:23]), "dim"),
        " ",
        (output.clean(step), _colour(step)),
        " ",
        output.clean(said),
        (f"  {place}" if place else "", "dim"),
    )


def _place(one: dict[str, Any]) -> str:
    return f"at {one['partition']}:{one['position']}"


def _because(one: dict[str, Any]) -> str:
    return " ".join(part for part in (one["reason"], one["meaning"], one["detail"]) if part)


def _said(event: dict[str, Any]) -> str:
    who = event.get("userId") or event.get("anonymousId") or ""
    return " ".join(str(part) for part in (event.get("type"), event.get("event") or event.get("name"), who) if part)


def _sample(text: str) -> list[str]:
    """What was asked or answered, and with which body; the headers between are for `--json`."""
    lines = [
        line if len(line) <= _LONG else line[: _LONG - 1] + "…"
        for line in output.clean(text).splitlines()
        if line.strip()
    ]
    return [lines[0], lines[-1]] if len(lines) > 1 and lines[-1].startswith(("{", "[")) else lines[:1]


def _add_payload(branch: Tree, payload: Any) -> None:
    if payload is not None:
        branch.add(Text("received: ", style="dim") + output.cell(payload))


def _colour(step: str) -> str:
    return _COLOURS.get(step, "red" if step.startswith("failed") else "")
