"""The command `headwater`: its own commands, and one for each operation of the house.

An operation's command is made when it is asked for, so that `headwater serve` never loads the operations.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from headwater import __version__
from headwater.app.commands import (
    admin_token,
    catch,
    doctor,
    flags,
    migrate,
    output,
    query,
    redrive,
    replay,
    rotate,
    send,
    serve,
    settings,
    tail,
    trace,
)
from headwater.spec.errors import HeadwaterError

_INTERRUPTED = 130


class Commands(TyperGroup):
    """The commands written here, and behind them those of the operations."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, the operations' by their tags."""
        from headwater.app.commands import operations

        own = list(self.commands)
        return own + [name for name in operations.names() if name not in self.commands]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name, or None."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        from headwater.app.commands import operations

        operation = operations.names().get(cmd_name)
        return None if operation is None else operations.command(cmd_name, operation)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant; one that does not exist is answered with those of a similar name."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            similar = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3)
            hint = f" Did you mean {' or '.join(similar)}?" if similar else " `headwater --help` lists them all."
            ctx.fail(f"There is no command {args[0]}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what goes wrong becomes one sentence, and Ctrl-C is quiet."""
        try:
            return super().invoke(ctx)
        except HeadwaterError as error:
            output.say(str(error), error=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(_INTERRUPTED) from error


app = typer.Typer(
    name="headwater",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings=flags.HELP,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.say(f"headwater {__version__}")
        raise typer.Exit


@app.callback()
def headwater(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Headwater: an open, self-hosted customer data platform that speaks Segment's wire formats.

    Start with [bold]headwater serve[/bold]; it prints a write key and the line that sends a first event.

    Every operation of the management API is a command of its own, in the panels below.
    """


for _room in (serve, send, tail, trace, query, redrive, replay, doctor, settings, catch, admin_token, rotate, migrate):
    _room.register(app)


def main() -> None:
    """The entry point."""
    app(prog_name="headwater")
