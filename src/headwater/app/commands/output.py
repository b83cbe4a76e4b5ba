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
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_WIDE = 10_000
_FEW = 10
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, error: bool = False) -> Console:
    """Standard output (or error); when it is not a terminal, plain and so wide that no line is broken."""
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


def print_pieces(pieces: Iterable[bytes]) -> None:
    """Print a text as its pieces come."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
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
        case dict() if _is_plain(cast("dict[str, Any]", value)):
            return Text(clean(" ".join(f"{name}={one}" for name, one in cast("dict[str, Any]", value).items())))
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
        say("There are none.", style="dim", error=True)
        return
    if not all(isinstance(item, dict) for item in items):
        for item in items:
            console().print(cell(item), soft_wrap=True)
        return
    rows = cast("Sequence[dict[str, Any]]", items)
    names = list(dict.fromkeys(name for row in rows for name in row))
    flat = [name for name in names if any(_is_flat(_short(row.get(name))) for row in rows)]
    chosen = [{name: _short(row.get(name)) for name in flat or names} for row in rows]
    made = table(flat or names, (list(row.values()) for row in chosen))
    target = console()
    if Measurement.get(target, target.options.update(max_width=_WIDE), made).maximum <= target.width:
        show(made)
        return
    # Too wide: one below the other, so that an id stays in one piece and can be copied.
    for row in chosen:
        show_resource(row)
        say()


def show_resource(resource: Mapping[str, Any]) -> None:
    """Print one resource: a name and a value a line, what is nested indented below its name."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in _lines(resource):
        made.add_row(name, value)
    show(made)


def show(made: Table) -> None:
    """Print a table; into a file or pipe without the blanks at the ends of its lines."""
    target = console()
    if target.is_terminal:
        target.print(made)
        return
    with target.capture() as captured:
        target.print(made)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def _lines(resource: Mapping[str, Any], indent: str = "") -> Iterable[tuple[Text, Text]]:
    for name, value in resource.items():
        shown = _short(value)
        if isinstance(shown, dict) and shown:
            yield Text(indent + clean(name)), Text("")
            yield from _lines(cast("dict[str, Any]", shown), indent + "  ")
        elif isinstance(shown, list) and shown and all(isinstance(one, dict) for one in cast("list[Any]", shown)):
            yield Text(indent + clean(name)), Text("")
            yield from (_item(one, indent + "  ") for one in cast("list[dict[str, Any]]", shown))
        elif shown not in (None, "", [], {}):
            yield Text(indent + clean(name)), cell(shown)


def _item(one: dict[str, Any], indent: str) -> tuple[Text, Text]:
    title = next((name for name in ("name", "key", "slug", "id") if isinstance(one.get(name), str)), "")
    said = one.get("description") or {name: value for name, value in one.items() if name != title}
    return Text(indent + clean(str(one.get(title, "-")))), cell(said)


def _short(value: Any) -> Any:
    """What is a resource of its own is shown by its name."""
    if isinstance(value, dict) and {"id", "name"} <= cast("dict[str, Any]", value).keys():
        return cast("dict[str, Any]", value)["name"]
    return cast("Any", value)


def _is_flat(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) for one in cast("list[Any]", value))
    if isinstance(value, dict):
        return _is_plain(cast("dict[str, Any]", value))
    return value not in (None, "")


def _is_plain(value: Mapping[str, Any]) -> bool:
    """Is there little in it, and nothing with parts of its own?"""
    return 0 < len(value) <= _FEW and not any(isinstance(one, (dict, list)) for one in value.values())
