"""`headwater send`: events to the tracking API, one by hand or a file of them."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Any
from uuid import uuid4

import msgspec
import typer

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, Kept, find_house
from headwater.app.commands.fields import read_json, read_object
from headwater.spec.errors import HeadwaterError, SenderError, SetupError, Unavailable

BATCH_EVENTS, BATCH_BYTES = 100, 400_000
TYPES = {"identify": "", "track": "event", "page": "name", "screen": "name", "group": "groupId", "alias": "previousId"}
"""The types of calls, and the field that the name on the command line fills."""
_TRIES, _LONGEST_WAIT = 8, 20.0

Object = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE|JSON")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Events")(send)


def send(
    type: Annotated[str, typer.Argument(metavar="[TYPE]", help=f"{', '.join(TYPES)}.", show_default=False)] = "",
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="The event's name (track), name of the page or screen, the group's id, or the previous id (alias).",
            show_default=False,
        ),
    ] = "",
    user: Annotated[str, typer.Option("--user", metavar="ID", help="The userId.")] = "",
    anonymous: Annotated[str, typer.Option("--anonymous", metavar="ID", help="The anonymousId.")] = "",
    property: Annotated[
        list[str] | None, typer.Option("--property", metavar="NAME=VALUE", help="A property; may be repeated.")
    ] = None,
    properties: Annotated[str, typer.Option("--properties", metavar="JSON|@FILE", help="All properties.")] = "",
    trait: Annotated[
        list[str] | None, typer.Option("--trait", metavar="NAME=VALUE", help="A trait; may be repeated.")
    ] = None,
    traits: Annotated[str, typer.Option("--traits", metavar="JSON|@FILE", help="All traits.")] = "",
    context: Annotated[str, typer.Option("--context", metavar="JSON|@FILE", help="The context.")] = "",
    message_id: Annotated[str, typer.Option("--message-id", metavar="ID", help="The messageId; made if absent.")] = "",
    timestamp: Annotated[str, typer.Option("--timestamp", metavar="ISO", help="When it happened; now if absent.")] = "",
    file: Annotated[
        str, typer.Option("--file", metavar="FILE", help="Events to send, one JSON object a line; - is standard input.")
    ] = "",
    write_key: Annotated[
        str, typer.Option("--write-key", metavar="KEY", help="The source's; the first source's if absent.")
    ] = "",
    collect: Annotated[
        str, typer.Option("--collect", metavar="URL", help="The tracking API.", rich_help_panel=flags.MACHINE)
    ] = "",
    json: flags.Json = False,
    url: flags.Url = "",
    token: flags.Token = "",
    data: flags.Folder = "",
) -> None:
    """Send an event to the tracking API, or a file of events.

    \b
    Examples:
      headwater send track "Order Completed" --user u1 --property revenue=19.99
      headwater send identify --user u1 --trait email=ada@example.com --traits '{"plan": "pro"}'
      headwater send page Home --anonymous a1
      headwater send group acme --user u1 --trait name=Acme
      headwater send --file events.ndjson
    """
    if bool(file) == bool(type):
        raise typer.BadParameter("Give a TYPE, or --file with events in it.", param_hint="TYPE")
    event: dict[str, Any] = {}
    if type:
        event = _named(type, name) | {
            "userId": user,
            "anonymousId": anonymous,
            "properties": _merged(properties, property, "--propert(y|ies)"),
            "traits": _merged(traits, trait, "--trait(s)"),
            "context": read_json(context, "--context") if context else None,
            "messageId": message_id or f"cli-{uuid4()}",
            "timestamp": timestamp,
        }
        event = {key: value for key, value in event.items() if value not in ("", None)}
        if not user and not anonymous:
            raise typer.BadParameter("Say who it is about.", param_hint="--user or --anonymous")
    house = find_house(url=url, token=token, data=data)
    client = tracking(collect or house.collect, write_key or first_write_key(house))
    report = _send_file(client, file, quiet=json) if file else _send_one(client, event)
    if json:
        output.print_json(report)
    else:
        _tell(report)


def tracking(url: str, write_key: str) -> Client:
    """A client of the tracking API."""
    basic = base64.b64encode(f"{write_key}:".encode()).decode()
    return Client(url, {"Authorization": f"Basic {basic}", "User-Agent": "headwater-cli"})


def first_write_key(house: Kept) -> str:
    """The write key of the workspace's first source, asked of the management API. Raises SetupError."""
    data = Client.of_house(house).ask("GET", "/sources", query=[("pagination.count", "1")])
    keys = [key for source in data.get("sources", []) for key in source.get("writeKeys", [])]
    if not keys:
        raise SetupError("No write key can be seen with this token; give one with --write-key.")
    return str(keys[0])


def batches(lines: Iterator[bytes]) -> Iterator[list[msgspec.Raw]]:
    """Lines of JSON as batches that the tracking API takes. Raises SenderError naming the line that is no object."""
    batch: list[msgspec.Raw] = []
    size = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        try:
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except msgspec.MsgspecError as error:
            raise SenderError(f"line {number} is not a JSON object ({error}).") from error
        if batch and (len(batch) == BATCH_EVENTS or size + len(text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(msgspec.Raw(text))
        size += len(text)
    if batch:
        yield batch


def _named(type: str, name: str) -> dict[str, Any]:
    if type not in TYPES:
        raise typer.BadParameter(f"{type!r} is none of {', '.join(TYPES)}.", param_hint="TYPE")
    field = TYPES[type]
    if name and not field:
        raise typer.BadParameter(f"{type} takes no name.", param_hint="NAME")
    if not name and type in {"track", "group", "alias"}:
        raise typer.BadParameter(f"{type} needs one: it is the {field}.", param_hint="NAME")
    return {"type": type} | ({field: name} if name else {})


def _merged(whole: str, pairs: Sequence[str] | None, hint: str) -> dict[str, Any] | None:
    texts = [*([whole] if whole else []), *(pairs or [])]
    return read_object(texts, hint) if texts else None


def _send_one(client: Client, event: dict[str, Any]) -> dict[str, Any]:
    _post(client, f"/v1/{event['type']}", event)
    return {"accepted": 1, "messageId": event["messageId"]}


def _send_file(client: Client, file: str, *, quiet: bool) -> dict[str, Any]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[accepted]} events"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    accepted = 0
    console = output.console(error=True)
    with _opened(file) as lines, Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("sending", total=_size(file), accepted=0)
        try:
            for batch in batches(iter(lines)):
                _post(client, "/v1/batch", {"batch": batch})
                accepted += len(batch)
                bar.update(task, advance=sum(len(bytes(one)) + 1 for one in batch), accepted=accepted)
        except HeadwaterError as error:
            raise type(error)(f"{accepted} events were accepted, then: {error}") from error
    return {"accepted": accepted}


def _post(client: Client, path: str, body: Any) -> None:
    wait = 0.25
    for attempt in range(1, _TRIES + 1):
        with client.request("POST", path, body=body) as answer:
            content = answer.read()
            status, asked = answer.status, answer.headers.get("Retry-After", "")
        if status < 300:
            return
        if status not in {429, 503} or attempt == _TRIES:
            said = content.decode("utf-8", "replace").strip()[:300]
            kind = Unavailable if status >= 500 or status == 429 else SenderError
            raise kind(f"The tracking API answered {status}: {said or 'nothing more'}. {_advice(status)}")
        time.sleep(min(float(asked) if asked.isdigit() else wait, _LONGEST_WAIT))
        wait *= 2


def _advice(status: int) -> str:
    if status == 401:
        return "Is the write key right? `headwater list-sources` shows them."
    return "Try again in a moment." if status >= 500 or status == 429 else "Change the event and send it again."


def _opened(file: str) -> IO[bytes]:
    if file == "-":
        import sys

        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {error.strerror}.") from error


def _size(file: str) -> int | None:
    return None if file == "-" else Path(file).stat().st_size


def _tell(report: dict[str, Any]) -> None:
    if "messageId" in report:
        output.say(f"Accepted. What becomes of it: headwater trace {report['messageId']}")
    else:
        output.say(f"{report['accepted']} events accepted.")
