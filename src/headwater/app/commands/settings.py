"""`headwater settings`: every setting as it is in force, and a reference file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from headwater.app.commands import flags, output
from headwater.app.settings import environment_name, explain, fields
from headwater.spec.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("settings", rich_help_panel="House")(show_settings)


def show_settings(
    example: Annotated[bool, typer.Option("--example", help="Print a settings file with every setting in it.")] = False,
    json: flags.Json = False,
    data: flags.Data = "",
    log: flags.Log = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Show every setting: its value, where that came from, and what it means.

    A setting is taken from the command line, else from the environment, else from headwater.toml, else its default.

    \b
    Examples:
      headwater settings
      headwater settings --set collect.port=80
      headwater settings --example > headwater.toml
    """
    if example:
        output.say("\n".join(example_file()))
        return
    given = flags.Flags(data=data, log=log, store=store, config=config, assignments=tuple(set or ()))
    found = explain(given.mapping(), file=config)
    if json:
        output.print_json(found)
        return
    rows = ((one.name, _text(one.value), one.origin, one.sentence) for one in found)
    output.show(output.table(("setting", "value", "from", "meaning"), rows))


def example_file() -> Iterator[str]:
    """The lines of a settings file that names every setting, each with its sentence and default, commented out."""
    yield "# Every setting of Headwater with its default. Remove the # in front of what you change."
    yield "# The environment wins over this file, and the command line (--set name=value) over both."
    room = ""
    defaults = msgspec.to_builtins(Settings())
    for name, _, sentence in fields():
        above, _, last = name.rpartition(".")
        if above != room:
            room = above
            yield f"\n[{room}]"
        default = defaults[above][last] if above else defaults[last]
        yield f"\n# {sentence} ({environment_name(name)})"
        yield f"# {last} = {_toml(default)}"


def _toml(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value)  # pyright: ignore[reportUnknownVariableType] - any setting
    return msgspec.json.encode(value).decode() if isinstance(value, bool) else str(value)
