"""`headwater replay`: events of the archive once more to destinations."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, find_house
from headwater.spec.errors import SetupError
from headwater.spec.replay import PER_SECOND

PATH, DESTINATIONS = "/headwater/replays", "/destinations"
"""Where the operations `create_replay` and `list_destinations` are."""

_POLL_SECONDS = 0.5
_OVER = ("ended", "cancelled", "failed")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Events")(replay)


def replay(
    destination: Annotated[
        list[str] | None,
        typer.Option("--destination", metavar="ID", help="Where to; again for more. May be left out if there is one."),
    ] = None,
    start: Annotated[str, typer.Option("--from", metavar="ISO", help="Only events received then or later.")] = "",
    end: Annotated[str, typer.Option("--to", metavar="ISO", help="Only events received before then.")] = "",
    type: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only calls of this type; again for more.")
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", metavar="NAME", help="Only events of this name; again for more.")
    ] = None,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Only events of this user or profile.")] = "",
    condition: Annotated[str, typer.Option("--if", metavar="FQL", help="Only events for which this holds.")] = "",
    per_second: Annotated[int, typer.Option("--per-second", min=1, help="Events a second, at most.")] = PER_SECOND,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="A name for people.")] = "",
    follow: Annotated[str, typer.Option("--follow", metavar="ID", help="Start nothing; follow this replay.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and show a few of the requests.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it until it is over.")] = True,
    json: flags.Json = False,
    url: flags.Url = "",
    token: flags.Token = "",
    data: flags.Folder = "",
) -> None:
    """Send events of the archive to destinations once more, as these are set up today. You are shown what, and asked.

    \b
    Examples:
      headwater replay --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z --dry-run
      headwater replay --destination 2f9kQ --event "Order Completed" --per-second 50
      headwater replay --user u-17 --if "properties.total >= 100" --yes --no-wait
      headwater replay --follow rpl_8Fk2
    """
    client = Client.of_house(find_house(url=url, token=token, data=data))
    if follow:
        _report(_follow(client, follow, quiet=json), json=json)
        return
    source, chosen = _chosen(client, destination or [])
    form = {
        "sourceId": source,
        "destinationIds": [each["id"] for each in chosen],
        "from": start or None,
        "to": end or None,
        "types": type or [],
        "names": event or [],
        "user": user,
        "if": condition,
    }
    if json and not yes and not dry_run:
        raise SetupError("Give --yes with --json: nobody can be asked.")
    if dry_run or not yes:
        found = client.ask("POST", f"{PATH}/preview", body={**form, "samples": 2 if dry_run else 0})
        if json:
            output.print_json(found)
        else:
            _show_preview(found, {each["id"]: each["name"] for each in chosen})
        if dry_run:
            return
        typer.confirm("Send them again?", abort=True, err=True)
    made = client.ask("POST", PATH, body={**form, "name": name, "perSecond": per_second})["replay"]
    answer = _follow(client, made["id"], quiet=json) if wait else client.ask("GET", f"{PATH}/{made['id']}")
    _report(answer, json=json)


def _chosen(client: Client, wanted: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """The destinations that are meant, and their source. Raises SetupError with those to choose from."""
    found: list[dict[str, Any]] = client.ask("GET", DESTINATIONS)["destinations"]
    if not found:
        raise SetupError("There is no destination yet; `headwater create-destination` connects one.")
    if not wanted and len(found) > 1:
        names = ", ".join(f"{one['id']} ({one['name']})" for one in found)
        raise SetupError(f"Say which with --destination: {names}.")
    known = {each["id"]: each for each in found}
    if unknown := [each for each in wanted if each not in known]:
        raise SetupError(f"There is no destination {', '.join(unknown)}.")
    chosen = [known[each] for each in wanted] or found
    sources = {str(each["sourceId"]) for each in chosen}
    if len(sources) > 1:
        raise SetupError("These destinations are of different sources; a replay is of one.")
    return sources.pop(), chosen


def _show_preview(found: Mapping[str, Any], names: Mapping[str, str]) -> None:
    events = "Too many events to count" if found["found"] is None else _counted(found["found"], "event")
    output.say(f"{events} in the archive" + ("." if found["complete"] else f"; of the first {found['read']:,}:"))
    rows = [
        (names.get(one["destinationId"], one["destinationId"]), one["deliveries"], _kept(one["filtered"]))
        for one in found["destinations"]
    ]
    output.console().print(output.table(("Destination", "Deliveries", "Kept back"), rows))
    for one in found["destinations"]:
        for sample in one["samples"]:
            _show_sample(sample)
    if not found["archived"]:
        output.say("The newest events are not in the archive yet; a replay waits for them.", style="dim")


def _kept(filtered: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['events']:,} {one['reason']}" for one in filtered) or "-"


def _show_sample(sample: Mapping[str, Any]) -> None:
    output.say()
    output.say(f"{sample['messageId']}: {sample['problem'] or 'would be sent as'}", style="bold")
    for request in sample["requests"]:
        output.say(f"{request['method']} {request['url']}")
        output.print_json(request["body"])


def _follow(client: Client, replay_id: str, *, quiet: bool) -> dict[str, Any]:
    """Show how it goes until it is over. Returns how it then stands. Whoever stops looking does not stop it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = output.console(error=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
            task = bar.add_task("replay", total=None)
            while True:
                answer: dict[str, Any] = client.ask("GET", f"{PATH}/{replay_id}")
                now = answer["replay"]
                said = output.clean(now["detail"] or now["state"])
                bar.update(task, total=now["found"], completed=now["read"], description=said)
                if now["state"] == "paused" or (now["state"] in _OVER and not _waiting(answer)):
                    return answer
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        again, stop = f"headwater replay --follow {replay_id}", f"headwater cancel-replay {replay_id}"
        output.say(f"The replay goes on. `{again}` looks again, `{stop}` stops it.", error=True)
        raise


def _waiting(answer: Mapping[str, Any]) -> int:
    """How many of its deliveries wait for their first attempt."""
    return sum(
        one["deliveries"] for one in answer["outcomes"] if one["state"] == "waiting" and one["reason"] == "REPLAY"
    )


def _report(answer: Mapping[str, Any], *, json: bool) -> None:
    if json:
        output.print_json(answer)
        return
    one = answer["replay"]
    output.say(f"Replay {one['id']} is {one['state']}{': ' + one['detail'] if one['detail'] else ''}.")
    output.say(
        f"{_counted(one['read'], 'event')} read, {_counted(one['sent'], 'delivery', 'deliveries')} made out, "
        f"{one['filtered']:,} kept back."
    )
    rows = [(each["destinationId"], each["state"], each["reason"], each["deliveries"]) for each in answer["outcomes"]]
    if rows:
        output.console().print(output.table(("Destination", "State", "Reason", "Deliveries"), rows))


def _counted(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
