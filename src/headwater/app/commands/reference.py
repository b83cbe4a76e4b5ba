"""The reference page of the command line, read off the commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
import typer.main
from rich.text import Text

from headwater.app.commands.operations import names

_HEAD = """\
# Command line

`headwater COMMAND --help` says the same as this page. Errors are one sentence on standard error; the exit status is 0
when it went well, 1 when it did not, and 2 when the words could not be understood. `--json` prints JSON for scripts.

Commands that ask a running house find it by `--url` and `--token`, else by `HEADWATER_URL` and `HEADWATER_TOKEN`, else
by `cli.json` in the data folder (`--data`, `HEADWATER_DATA` or `./data`), which the first `headwater serve` leaves there
for the person who started it.

A field that holds others is given as JSON, as `name=value` pairs, or as `@FILE` with JSON in it; the option may be
repeated and later ones win. A value is taken as JSON where it is JSON, so that `count=3` is a number and `name="3"` a
text.
"""


def page(app: typer.Typer) -> str:
    """The page in Markdown: the commands of the machine and of events first, then one for each operation."""
    group: Any = typer.main.get_command(app)
    top = typer.Context(group, info_name="headwater")
    own = [name for name in group.list_commands(top) if name not in names()]
    operations = [name for name in group.list_commands(top) if name in names()]
    parts = [_HEAD, *(_section(group, top, name, "##") for name in own), "## Operations\n"]
    tag = ""
    for name in operations:
        if names()[name].tag != tag:
            tag = names()[name].tag
            parts.append(f"### {tag}\n")
        parts.append(_section(group, top, name, "####"))
    return "\n".join(parts)


def _section(group: Any, top: typer.Context, name: str, mark: str) -> str:
    command = group.get_command(top, name)
    context = typer.Context(command, parent=top, info_name=name)
    lines = [f"{mark} headwater {name}", "", *_prose(Text.from_markup(command.help or "").plain), ""]
    rows = list(_rows(command, context))
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _prose(help: str) -> Iterator[str]:
    """The help's paragraphs; those kept as they are (after a backspace) become code."""
    for paragraph in help.split("\n\n"):
        kept = paragraph.startswith("\b")
        text = paragraph.removeprefix("\b\n").rstrip()
        if not kept:
            yield text
        elif text.startswith("Example"):
            yield from ("```console", *(f"$ {line.strip()}" for line in text.splitlines()[1:]), "```")
        else:
            yield f"`{text}`"
        yield ""


def _rows(command: Any, context: typer.Context) -> Iterator[str]:
    for one in command.get_params(context):
        if getattr(one, "hidden", False) or "--help" in one.opts:
            continue
        is_option = any(name.startswith("-") for name in one.opts)
        words = "`, `".join((*one.opts, *one.secondary_opts)) if is_option else one.metavar or one.name.upper()
        taken = f" {one.metavar}" if is_option and one.metavar else ""
        sentence = Text.from_markup(one.help or "").plain.replace("|", "\\|")
        yield f"| `{words}`{taken.replace('|', chr(92) + '|')} | {sentence}{' Required.' if one.required else ''} |"
