"""`headwater redrive`: failed deliveries once more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, find_house
from headwater.spec.errors import SetupError
from headwater.spec.outcome import Step

PATH, BOOKS, DESTINATIONS = "/headwater/redrive", "/headwater/ledger", "/destinations"
"""Where the operations `redrive_deliveries`, `get_ledger` and `list_destinations` are."""

_POLL_SECONDS = 0.5
_EVER = "1970-01-01T00:00:00.000Z"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Events")(redrive)


def redrive(
    destination: Annotated[
        str, typer.Option("--destination", metavar="ID", help="The destination; may be left out when there is one.")
    ] = "",
    subscription: Annotated[
        str, typer.Option("--subscription", metavar="ID", help="Only those of this subscription.")
    ] = "",
    replay: Annotated[str, typer.Option("--replay", metavar="ID", help="Only those of this replay.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="REASON", help="Only those that failed for this.")] = "",
    start: Annotated[
        str, typer.Option("--from", metavar="ISO", help="Only those parked at this moment or later.")
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="ISO", help="Only those parked before this moment.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow them until none of them waits.")] = True,
    json: flags.Json = False,
    url: flags.Url = "",
    token: flags.Token = "",
    data: flags.Folder = "",
) -> None:
    """Try failed deliveries of a destination again, with a new horizon. They are counted first, and you are asked.

    \b
    Examples:
      headwater redrive
      headwater redrive --destination 2f9kQ --dry-run
      headwater redrive --destination 2f9kQ --reason UNAUTHORIZED
      headwater redrive --destination 2f9kQ --from 2026-03-01T00:00:00Z --yes --no-wait
    """
    client = Client.of_house(find_house(url=url, token=token, data=data))
    destination = destination or _only_one(client)
    chosen = {
        "destinationId": destination,
        "subscriptionId": subscription,
        "replayId": replay,
        "reason": reason,
        "from": start or None,
        "to": end or None,
    }
    found = int(client.ask("POST", PATH, body={**chosen, "dryRun": True})["deliveries"])
    if dry_run or not found:
        sentence = f"{_counted(found, 'failed ')} would be tried again." if found else "No delivery there has failed."
        _report({"deliveries": found, "dryRun": True}, sentence, json=json)
        return
    if not yes:
        if json:
            raise SetupError("Give --yes with --json: nobody can be asked.")
        typer.confirm(f"Try {_counted(found, 'failed ')} again?", abort=True, err=True)
    others = _failed(client, chosen) - found
    before = pending(client, destination)
    moved = _redrive(client, chosen)
    answer: dict[str, Any] = {"deliveries": moved, "dryRun": False}
    if wait and moved:
        _follow(client, destination, moved, before, quiet=json)
        failed = min(moved, max(0, _failed(client, chosen) - others))
        answer |= {"delivered": moved - failed, "failed": failed}
    _report(answer, _sentence(answer), json=json)


def _redrive(client: Client, chosen: Mapping[str, Any]) -> int:
    """Have them tried again, with as many requests as that takes. Returns how many."""
    moved, until = 0, None
    while True:
        answer = client.ask("POST", PATH, body={**chosen, "dryRun": False, "failedUntil": until})
        moved += int(answer["deliveries"])
        until = answer["failedUntil"]
        if not answer["remaining"]:
            return moved


def pending(client: Client, destination: str) -> int:
    """How many deliveries wait for a destination, by the books."""
    accounts = client.ask("GET", BOOKS, query=[("destinationId", destination), ("startTime", _EVER)])["accounts"]
    return sum(int(account["steps"].get(Step.PENDING, 0)) for account in accounts)


def _only_one(client: Client) -> str:
    """The id of the only destination. Raises SetupError with those to choose from."""
    found = client.ask("GET", DESTINATIONS)["destinations"]
    if len(found) == 1:
        return str(found[0]["id"])
    if not found:
        raise SetupError("There is no destination yet; `headwater create-destination` connects one.")
    names = ", ".join(f"{one['id']} ({one['name']})" for one in found)
    raise SetupError(f"Say which with --destination: {names}.")


def _failed(client: Client, chosen: Mapping[str, Any]) -> int:
    """How many have failed by now for whatever reason: a second failure may have another reason than the first."""
    return int(client.ask("POST", PATH, body={**chosen, "reason": "", "dryRun": True})["deliveries"])


def _follow(client: Client, destination: str, moved: int, before: int, *, quiet: bool) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = output.console(error=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    if not quiet:
        output.say(f"Trying {_counted(moved)} again. Ctrl-C stops looking, not the trying.", error=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("done", total=moved)
        while left := max(0, pending(client, destination) - before):
            bar.update(task, completed=max(0, moved - left))
            time.sleep(_POLL_SECONDS)
        bar.update(task, completed=moved)


def _sentence(answer: dict[str, Any]) -> str:
    if "delivered" not in answer:
        return f"Being tried again: {_counted(answer['deliveries'])}."
    again = f", {answer['failed']} failed again" if answer["failed"] else ""
    return f"Tried again: {_counted(answer['deliveries'])}, {answer['delivered']} delivered{again}."


def _counted(number: int, kind: str = "") -> str:
    return f"{number} {kind}{'delivery' if number == 1 else 'deliveries'}"


def _report(answer: dict[str, Any], sentence: str, *, json: bool) -> None:
    if json:
        output.print_json(answer)
    else:
        output.say(sentence)
