"""`headwater secrets rotate`: a new key for all secrets at rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.app.commands import flags, output
from headwater.spec.errors import SetupError

if TYPE_CHECKING:
    from headwater.store.rotation import Progress as Step

_SAID = {
    "key": "Making a new key",
    "sealing": "Sealing secrets anew",
    "waiting": "Waiting for those who seal now",
    "removing": "Removing the old key",
    "done": "Done",
}
_MANY = (
    "The store is a server that other machines may use, and they must know the new key before anything is sealed with "
    "it. Run `headwater secrets rotate --prepare`, copy the key file {path} to every machine of the house, and run "
    "this again. If this is the only machine, run it with --alone."
)


def register(app: typer.Typer) -> None:
    """Add the group with its command."""
    group = typer.Typer(no_args_is_help=True, context_settings=flags.HELP, help="The key that seals secrets at rest.")
    group.command("rotate")(rotate)
    group.callback()(_group)
    app.add_typer(group, name="secrets", rich_help_panel="House")


def _group() -> None:
    """The key that seals secrets at rest."""


def rotate(
    prepare: Annotated[bool, typer.Option("--prepare", help="Only add a key that seals nothing yet.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="On many machines: remove the old key from here.")] = False,
    alone: Annotated[bool, typer.Option("--alone", help="No other machine uses this store.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="The old key is lost: go on with the key file here.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="How long the old key stays after the last secret.")
    ] = 5.0,
    json: flags.Json = False,
    data: flags.Data = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Make a new key and seal every secret with it, while the house runs or not. Running roles need no restart.

    It may be interrupted at any moment, even by a power cut: every secret still opens, and running it again goes on. A
    backup of the store from before needs the key file from before.

    \b
    Examples:
      headwater secrets rotate
      headwater secrets rotate --data /var/lib/headwater
    """
    from headwater.app.house import key_file, open_store
    from headwater.store import rotation, sealing
    from headwater.store.secrets import Secrets

    settings = flags.Flags(data=data, store=store, config=config, assignments=tuple(set or ())).settings()
    path = key_file(settings)
    if lost:
        opened = open_store(settings)
        try:
            newest = Secrets.from_file(path).newest
            opened.run(lambda connection: sealing.note(connection, newest))
        finally:
            opened.close()
        _tell(json, f"The key in {path} seals from now on. Copy it to every machine, and enter each secret again.")
        return
    if not path.exists():
        raise SetupError(f"There is no key file in {path.parent} yet; `headwater serve` makes one.")
    if prepare:
        _tell(json, f"The key {rotation.prepare(path)} is known. Copy {path} to every machine, then rotate.")
        return
    many = bool(settings.store.url) and not settings.store.url.startswith("sqlite") and not alone
    if many and not finish and not rotation.prepared(path):
        raise SetupError(_MANY.format(path=path))
    opened = open_store(settings)
    try:
        done = _follow(rotation.rotate(opened, path, retire=finish or not many, grace=wait), quiet=json)
    finally:
        opened.close()
    _tell(json, _conclusion(path, done, retired=finish or not many), sealed=done)


def _follow(steps: Iterator[Step], *, quiet: bool) -> int:
    """Show how far it is. Returns how many rows were sealed anew."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = output.console(error=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    sealed = before = 0
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(_SAID["key"], total=None)
        for step in steps:
            sealed += max(step.sealed - before, 0)
            before = step.sealed
            total = step.total or None
            bar.update(task, description=_SAID[step.stage], completed=step.done, total=total)
    return sealed


def _conclusion(path: Path, sealed: int, *, retired: bool) -> str:
    if retired:
        return f"Rows sealed anew: {sealed}. {path} holds the new key alone."
    return (
        f"Rows sealed anew: {sealed}. Copy {path} to every machine of the house, then run "
        "`headwater secrets rotate --finish`, and copy it once more."
    )


def _tell(json: bool, sentence: str, sealed: int | None = None) -> None:
    if json:
        output.print_json({"message": sentence} | ({} if sealed is None else {"sealed": sealed}))
    else:
        output.say(sentence)
