"""The options that several commands share, and the settings that they make."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headwater.app.settings import read
from headwater.spec.settings import Settings

HELP = {"help_option_names": ["-h", "--help"]}
"""What every command answers to."""

MACHINE = "Where the house is"

Data = Annotated[str, typer.Option("--data", metavar="DIR", help="Folder for everything that is kept on disk.")]
Log = Annotated[str, typer.Option("--log", metavar="URL", help="Where the event log is.")]
StoreUrl = Annotated[str, typer.Option("--store", metavar="URL", help="Where the store is.")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The settings file.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting; `headwater settings` lists them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[
    str,
    typer.Option("--url", metavar="URL", help="The management API (or HEADWATER_URL).", rich_help_panel=MACHINE),
]
Token = Annotated[
    str,
    typer.Option("--token", metavar="TOKEN", help="The token for it (or HEADWATER_TOKEN).", rich_help_panel=MACHINE),
]
Folder = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The data folder of a house on this machine, which knows both.",
        rich_help_panel=MACHINE,
    ),
]


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about the settings."""

    data: str = ""
    log: str = ""
    store: str = ""
    config: Path | None = None
    assignments: tuple[str, ...] = ()

    def settings(self) -> Settings:
        """The settings in force. Raises SetupError."""
        return read(self.mapping(), file=self.config)

    def mapping(self) -> dict[str, str]:
        """The settings that flags name, by their dotted names. Raises a usage error for what is no assignment."""
        named = {"data": self.data, "log.url": self.log, "store.url": self.store}
        return {name: value for name, value in named.items() if value} | dict(_assignments(self.assignments))


def _assignments(texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE.", param_hint="--set")
        yield name.strip(), value
