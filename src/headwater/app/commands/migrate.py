"""`headwater migrate`: from one machine's files to Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.app.commands import flags, output
from headwater.spec.errors import HeadwaterError, SetupError

if TYPE_CHECKING:
    from headwater.app.moving.move import Report, Stage
    from headwater.spec.settings import Settings

_SAID = {
    "draining": "Finishing what is at hand",
    "log": "Copying the log",
    "archive": "Copying the archive",
    "store": "Copying the store",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="House")(migrate)


def migrate(
    from_data: Annotated[str, typer.Option("--from-data", metavar="DIR", help="The data folder of the old house.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be moved, and whether it can be.")] = (
        False
    ),
    json: flags.Json = False,
    log: flags.Log = "",
    store: flags.StoreUrl = "",
    config: flags.Config = None,
    set: flags.Set = None,
) -> None:
    """Move a house from one machine's files to Kafka and PostgreSQL, with everything that it knows.

    Stop the old house first. It finishes what it holds, as at a stop: what a destination or warehouse does not take
    keeps waiting for it. Then its log, archive and store are copied and checked; the store comes last, in one
    transaction, so an interrupted move has moved nothing: run it again and it goes on. The old files stay as they are.

    \b
    Examples:
      headwater migrate --from-data ./data --log kafka://k1:9092 --store postgresql://user@db/headwater --dry-run
      headwater migrate --from-data ./data --config headwater.toml --set log.partitions=12
    """
    from headwater.app.folder import hold
    from headwater.app.moving.move import look, move, source_settings

    target = flags.Flags(log=log, store=store, config=config, assignments=tuple(set or ())).settings()
    if not target.log.url or not target.store.url:
        raise SetupError("Say where the house is to go: --log kafka://... and --store postgresql://...")
    folder = Path(from_data)
    source = source_settings(target, folder)
    hold(folder)
    if dry_run:
        _tell(_whole(lambda: asyncio.run(look(source, target))), target, folder, json=json, done=False)
        return
    with _bar(quiet=json) as tell:
        report = _whole(lambda: asyncio.run(move(source, target, tell)))
    _tell(report, target, folder, json=json, done=True)


def _whole(work: Callable[[], Report]) -> Report:
    """The first of the errors of roles that ran together is the one to be told."""
    try:
        return work()
    except* HeadwaterError as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    raise AssertionError("it returned or raised")


@contextmanager
def _bar(*, quiet: bool) -> Generator[Callable[[Stage, int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = output.console(error=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        tasks = {stage: bar.add_task(said, total=None, start=False) for stage, said in _SAID.items()}

        def tell(stage: Stage, done: int, whole: int) -> None:
            bar.start_task(tasks[stage])
            bar.update(tasks[stage], completed=done, total=whole)

        yield tell


def _tell(report: Report, target: Settings, folder: Path, *, json: bool, done: bool) -> None:
    if json:
        output.print_json(report)
        return
    for line in _lines(report, target, folder, done=done):
        output.say(line)


def _lines(report: Report, target: Settings, folder: Path, *, done: bool) -> Iterator[str]:
    full = {name: number for name, number in report.rows.items() if number}
    verb = "Moved" if done else "To be moved"
    yield f"{verb}, store: {sum(full.values())} rows of {len(full)} tables" + (
        ", equal by count and checksum." if done else "."
    )
    kept = ", ".join(f"{number} {name}" for name, number in report.records.items())
    yield f"{verb}, log: {kept}" + (", each at its partition and position." if done else ".")
    if report.archive_files and target.warehouse.archive_url:
        yield f"{verb}, archive: {report.archive_files} files to {target.warehouse.archive_url}."
    elif report.archive_files:
        yield f"Staying, archive: {report.archive_files} files in {folder / 'archive'}."
    if not done:
        unread = ", ".join(f"{number} by {name}" for name, number in report.unread.items() if number)
        yield f"Not dealt with yet: {unread}; this is finished first." if unread else "Nothing waits to be dealt with."
        yield "Nothing was changed. Without --dry-run the house is moved."
        return
    yield ""
    yield "What to do next:"
    for number, step in enumerate(_steps(target, folder), 1):
        yield f"  {number}. {step}"
    yield f"The old house in {folder} is as it was and does not start any more; delete it when you are content."


def _steps(target: Settings, folder: Path) -> Iterator[str]:
    yield f"Copy {folder / 'secret.key'} to every machine of deliver, warehouse and manage; name it with key_file."
    if not target.warehouse.archive_url:
        yield (
            f"Copy {folder / 'archive'} to an object store, or into a folder that all machines share, and name that "
            "with warehouse.archive_url."
        )
    yield f"Copy {folder / 'warehouse'} into the data folder of warehouse, if you have DuckDB warehouses."
    yield f"Copy {folder / 'history'} into the data folder of profiles, for the past in the Profile API."
    yield "Start the roles with the same --log and --store, and look at them with `headwater doctor`."
