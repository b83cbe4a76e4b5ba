"""What commands print: tables for lists, names and values for one resource, JSON for scripts.

Text that comes from outside is never read as Rich markup, and its control characters never reach the terminal.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 160
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, error: bool = False) -> Console:
    """Standard output (or error), wide and plain when it is not a terminal."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else shutil.get_terminal_size((_WIDE, 50)).columns
    return Console(file=stream, width=width, highlight=False)


def say(text: str = "", *, style: str = "", error: bool = False) -> None:
    """Print one text as it is, not wrapped."""
    console(error=error).print(Text(clean(text), style=style), soft_wrap=True)


def clean(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return _CONTROL.sub("�", text)


def print_json(value: Any, *, indent: int = 2) -> None:
    """Print JSON; `indent` 0 puts it on one line."""
    encoded = msgspec.json.encode(value)
    sys.stdout.write((msgspec.json.format(encoded, indent=indent) if indent else encoded).decode() + "\n")
    sys.stdout.flush()


def print_raw(line: bytes) -> None:
    """Print one line of JSON as it came."""
    sys.stdout.write(line.decode("utf-8", "replace") + "\n")
    sys.stdout.flush()


def cell(value: Any) -> Text:
    """A value as a table shows it."""
    match value:
        case None:
            return Text("-", style="dim")
        case bool():
            return Text("yes" if value else "no", style="green" if value else "dim")
        case str():
            return Text(clean(value))
        case int() | float():
            return Text(str(value), style="cyan")
        case list() if all(isinstance(one, str) for one in cast("list[Any]", value)):
            return Text(clean(", ".join(cast("list[str]", value))))
        case _:
            return Text(clean(msgspec.json.encode(value).decode()), style="dim")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> Table:
    """A table of any values under these headings."""
    made = Table(title=Text(title) if title else None, box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(Text(clean(column)), overflow="fold")
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def show_list(items: Sequence[Any]) -> None:
    """Print a list of resources; what is nested stays for `--json` unless there is nothing else."""
    if not items:
        say("There are none.", style="dim")
        return
    if not all(isinstance(item, dict) for item in items):
        for item in items:
            console().print(cell(item), soft_wrap=True)
        return
    rows = cast("Sequence[dict[str, Any]]", items)
    names = list(dict.fromkeys(name for row in rows for name in row))
    flat = [name for name in names if any(_is_flat(_short(row.get(name))) for row in rows)]
    console().print(table(flat or names, ([_short(row.get(name)) for name in flat or names] for row in rows)))


def show_resource(resource: Mapping[str, Any]) -> None:
    """Print one resource: a name and a value a line, what is nested indented below its name."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in _lines(resource):
        made.add_row(name, value)
    console().print(made)


def _lines(resource: Mapping[str, Any], indent: str = "") -> Iterable[tuple[Text, Text]]:
    for name, value in resource.items():
        if isinstance(value, dict) and value:
            yield Text(indent + clean(name)), Text("")
            yield from _lines(cast("dict[str, Any]", value), indent + "  ")
        else:
            yield Text(indent + clean(name)), cell(value)


def _short(value: Any) -> Any:
    """What has a name of its own is shown by it."""
    return cast("dict[str, Any]", value)["name"] if isinstance(value, dict) and "name" in value else value


def _is_flat(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) for one in cast("list[Any]", value))
    return value is not None and not isinstance(value, dict)
