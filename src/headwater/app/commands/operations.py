"""A command for each operation, read off the registry: `list_sources` is `headwater list-sources`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
import typer.main
from rich.markup import escape

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, Kept, Text, find_house, path_to
from headwater.app.commands.fields import Field, fields, parameter, query, read_object, values
from headwater.app.commands.secrets import with_secrets
from headwater.app.commands.sending import sending

if TYPE_CHECKING:
    from headwater.manage.operation import Operation

_OWN = inspect.Parameter.KEYWORD_ONLY
_SENDING_SECONDS = 900.0
_SAMPLES = {bool: "", int: " 10", float: " 0.5"}


def names() -> dict[str, Operation]:
    """Every operation by the name of its command. Imports all of them."""
    from headwater.manage.operations import OPERATIONS

    return {name.replace("_", "-"): operation for name, operation in sorted(OPERATIONS.items(), key=_panel)}


def command(name: str, operation: Operation) -> Any:
    """The command of an operation, for the group of commands."""
    made = fields(operation)

    def run(**typed: Any) -> None:
        _run(operation, made, typed)

    run.__signature__ = inspect.Signature([*(parameter(field) for field in made), *_shared(operation)])  # pyright: ignore[reportFunctionMemberAccess] - how a signature is declared
    run.__annotations__ = {}
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=flags.HELP)
    app.command(name, help=_help(name, operation, made), rich_help_panel=operation.tag)(run)
    return typer.main.get_command(app)


def show(data: Any) -> None:
    """Print the content of `data`: a list as a table, one resource by its names."""
    if not isinstance(data, dict):
        output.print_json(data)
        return
    content = dict(cast("dict[str, Any]", data))
    page: dict[str, Any] = content.pop("pagination", None) or {}
    lists = [name for name, value in content.items() if isinstance(value, list)]
    if len(content) == 1 and lists:
        output.show_list(content[lists[0]])
        _tell_of_more(page, len(content[lists[0]]))
    elif len(content) == 1 and isinstance(only := next(iter(content.values())), dict):
        output.show_resource(cast("dict[str, Any]", only))
    else:
        output.show_resource({name: value for name, value in content.items() if not _is_table(value)})
        for name in filter(lambda one: _is_table(content[one]), lists):
            output.say(f"\n{name}", style="bold")
            output.show_list(content[name])


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _panel(item: tuple[str, Operation]) -> tuple[str, str, str]:
    name, operation = item
    return operation.tag, operation.path, name


def _shared(operation: Operation) -> Iterator[inspect.Parameter]:
    if operation.reads_body:
        body = typer.Option(
            "--body", metavar="JSON|@FILE", help="The body, or the part of it that no option gives; null included."
        )
        yield inspect.Parameter("body_", _OWN, default=None, annotation=Annotated[list[str] | None, body])
    if operation.takes:
        file = typer.Option(
            "--file", metavar="FILE|-", help=f"The file with the {operation.takes}; - is standard input."
        )
        yield inspect.Parameter("file_", _OWN, annotation=Annotated[str, file])
    for name, kind, default in (
        ("json_", flags.Json, False),
        ("url_", flags.Url, ""),
        ("token_", flags.Token, ""),
        ("data_", flags.Folder, ""),
    ):
        if operation.open and name == "token_":
            continue
        yield inspect.Parameter(name, _OWN, default=default, annotation=kind)


def _run(operation: Operation, made: Sequence[Field], typed: Mapping[str, Any]) -> None:
    given = values(made, with_secrets(made, typed))
    if operation.takes and typed["file_"] != "-" and any(field.wire == "name" for field in made):
        given.setdefault("name", Path(typed["file_"]).name)
    path = path_to(operation.path, {name: str(given.pop(name)) for name in operation.path_fields if name in given})
    house = find_house(url=typed["url_"], token=typed.get("token_", ""), data=typed["data_"])
    client = Client.of_house(house)
    if operation.stream:
        for sent in client.listen(path, query=query(given)):
            output.print_raw(sent.data)
        return
    if operation.gives:
        output.print_pieces(client.fetch(path, query=query(given)))
        return
    if operation.takes:
        data = _send(operation, path, given, typed, house)
        output.print_json(data) if typed["json_"] else show(data)
        return
    body = _nested(given) | read_object(typed["body_"] or [], "--body") if operation.reads_body else None
    data = client.ask(operation.method, path, query=() if operation.reads_body else query(given), body=body)
    if typed["json_"]:
        output.print_json(data)
    else:
        show(data)


def _send(
    operation: Operation, path: str, given: Mapping[str, Any], typed: Mapping[str, Any], house: Kept
) -> dict[str, Any]:
    """Send a file as it is read, with a bar that shows how far it is."""
    file = str(typed["file_"])
    client = Client.of_house(house, seconds=_SENDING_SECONDS)
    with sending(file, quiet=typed["json_"]) as (read, size):
        text = Text(read, operation.takes, size)
        return client.ask(operation.method, path, query=query(given), text=text)


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for wire, value in given.items():
        *above, last = wire.split(".")
        node = body
        for name in above:
            node = node.setdefault(name, {})
        node[last] = value
    return body


def _tell_of_more(page: Mapping[str, Any], shown: int) -> None:
    if page.get("next"):
        total = f" of {page['totalEntries']}" if page.get("totalEntries") else ""
        output.say(f"{shown}{total} shown; the next page: --cursor {page['next']}", style="dim")


def _help(name: str, operation: Operation, made: Sequence[Field]) -> str:
    words = [
        f"headwater {name}",
        *(field.name.upper() for field in made if field.in_path),
        *(_sample(field) for field in made if field.required and not (field.in_path or field.secret)),
        *(["--file FILE"] if operation.takes else []),
    ]
    called = f"{operation.method} {operation.path}; {operation.needs}"
    return escape(f"{operation.sentence}\n\n\b\nExample:\n  {' '.join(words)}\n\n\b\n{called}")


def _sample(field: Field) -> str:
    flag = field.flag
    match field.form:
        case "object":
            return f"{flag} name=value"
        case "items":
            return f"{flag} '[...]'"
        case _:
            return flag + _SAMPLES.get(field.kind, f" {field.name.upper()}")
