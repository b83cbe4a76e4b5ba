"""The reference page of the command line, read off the commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
import typer.main
from rich.text import Text
from typer.core import TyperGroup

from headwater.app.commands.fields import UNSEEN
from headwater.app.commands.operations import names

_HEAD = """\
# Command line

<!-- Made by docs/generate.py from the code; `make docs` writes it again. -->

`headwater COMMAND --help` says the same as this page. Errors are one sentence on standard error; the exit status is 0
when it went well, 1 when it did not, and 2 when the words could not be understood.

## Options of many commands

| | |
|---|---|
| `--json` | Print JSON, for scripts. |
| `--url` URL | Where the management API is; else `HEADWATER_URL`, else `cli.json`, else by the settings. |
| `--token` TOKEN | The token for it; else `HEADWATER_TOKEN`, else `cli.json`. |
| `--data` DIR | The data folder; else `HEADWATER_DATA`, else `./data`. |

The first `headwater serve` leaves `cli.json` in the data folder for the person who started it, so that the other
commands need no option on the same machine.

A field that holds others is given as JSON, as `name=value` pairs, or as `@FILE` with JSON in it; the option may be
repeated and later ones win. A value is taken as JSON where it is JSON, so that `count=3` is a number and `name="3"` a
text.
"""
_TOLD = {"--help", "--json", "--url", "--token", "--data"}


def page(app: typer.Typer) -> str:
    """The page in Markdown: the commands of the machine and of events first, then one for each operation."""
    group: Any = typer.main.get_command(app)
    top = typer.Context(group, info_name="headwater")
    own = [each for name in group.list_commands(top) if name not in names() for each in _with_members(group, top, name)]
    operations = [name for name in group.list_commands(top) if name in names()]
    parts = [_HEAD, *(_section(group, top, name, "##") for name in own), "## Operations\n"]
    tag = ""
    for name in operations:
        if names()[name].tag != tag:
            tag = names()[name].tag
            parts.append(f"### {tag}\n")
        parts.append(_section(group, top, name, "####"))
    return "\n".join(parts)


def _with_members(group: Any, top: typer.Context, name: str) -> list[str]:
    """A command's name; of a group, those of its members behind its own."""
    command = group.get_command(top, name)
    if not isinstance(command, TyperGroup):
        return [name]
    return [f"{name} {member}" for member in command.list_commands(top)]


def _section(group: Any, top: typer.Context, name: str, mark: str) -> str:
    command = group.get_command(top, name.partition(" ")[0])
    if member := name.partition(" ")[2]:
        command = command.get_command(top, member)
    context = typer.Context(command, parent=top, info_name=name)
    lines = [f"{mark} headwater {name}", "", *_prose(command.help or "")]
    rows = list(_rows(command, context))
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _prose(help: str) -> Iterator[str]:
    """The help's paragraphs; those kept as they are (after a backspace) are examples, or what is asked over HTTP."""
    for paragraph in help.split("\n\n"):
        kept = paragraph.startswith("\b")
        text = Text.from_markup(paragraph).plain.strip("\b\n")
        if not kept:
            yield text
        elif text.startswith("Example"):
            yield from ("```sh", *(line.strip() for line in text.splitlines()[1:]), "```")
        else:
            yield f"`{text}`"
        yield ""


def _rows(command: Any, context: typer.Context) -> Iterator[str]:
    for one in command.get_params(context):
        if getattr(one, "hidden", False) or (_TOLD & set(one.opts) and one.metavar != UNSEEN):
            continue
        is_option = any(name.startswith("-") for name in one.opts)
        words = "`, `".join((*one.opts, *one.secondary_opts)) if is_option else one.metavar or one.name.upper()
        taken = f" {one.metavar}" if is_option and one.metavar else ""
        sentence = Text.from_markup(one.help or "").plain
        required = " Required." if one.required else ""
        yield f"| `{words}`{_cell(taken)} | {_cell(sentence)}{required} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
