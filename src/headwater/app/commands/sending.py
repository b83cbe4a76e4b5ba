"""A file on its way to the house, with a bar on standard error that shows how far it is."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from headwater.app.commands import output
from headwater.spec.errors import SetupError


class Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell

    def read(self, size: int = -1, /) -> bytes:
        """As the file has it."""
        found = self._file.read(size)
        self._tell(len(found))
        return found


@contextmanager
def sending(file: str, *, quiet: bool) -> Generator[tuple[Counted, int | None]]:
    """The file, and its size if it has one; `-` is standard input. Raises SetupError for one that cannot be read."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    console = output.console(error=True)
    with ExitStack() as stack:
        try:
            opened = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise SetupError(f"{file} cannot be read: {error.strerror}.") from error
        size = _size(opened) if file != "-" else None
        quiet = quiet or not console.is_terminal
        bar = stack.enter_context(Progress(*columns, console=console, disable=quiet))
        task = bar.add_task("sending", total=size)

        def tell(count: int) -> None:
            bar.advance(task, count)
            if not count or bar.tasks[0].completed == size:
                bar.update(task, description="the house takes it")

        yield Counted(opened, tell), size


def _size(file: IO[bytes]) -> int | None:
    """In bytes; None for what has none, such as a pipe that has a name."""
    found = os.fstat(file.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None
