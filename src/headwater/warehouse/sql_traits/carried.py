"""What an SQL trait told last, carried to the host that runs it next: a copy of its memory lies beside the archive.

The copy is written when a run is over, so that of two memories with the same number of runs the copy is the one that
knows all that was told. A copy that could not be written costs that rows are told once more. Every function blocks.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.warehouse.sql_traits.memory import remove

if TYPE_CHECKING:
    from headwater.warehouse.files import Files


def fetch(files: Files, path: Path) -> None:
    """Put the copy in the place of an older memory. Raises OSError when the archive is away."""
    try:
        content = files.read(_name(path))
    except FileNotFoundError:
        return
    copy = path.with_name(f"{path.name}.copy")
    path.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)
    if _runs(copy) >= _runs(path):
        remove(path)
        copy.rename(path)
    remove(copy)


def keep(files: Files, path: Path) -> None:
    """Write the copy of a memory that nobody has open. Raises OSError when the archive is away."""
    files.write(_name(path), path.read_bytes())


def forget(files: Files, path: Path) -> None:
    """Remove the copy of a memory. Raises OSError when the archive is away."""
    files.remove(_name(path))


def _name(path: Path) -> str:
    return f"sql_traits/{path.name}"


def _runs(path: Path) -> int:
    """How many runs a memory has seen; -1 for what is none."""
    if not path.exists():
        return -1
    try:
        with closing(sqlite3.connect(path)) as memory:
            (runs,) = memory.execute("SELECT sequence FROM run").fetchone()
            return int(runs)
    except (sqlite3.Error, TypeError):
        return -1
