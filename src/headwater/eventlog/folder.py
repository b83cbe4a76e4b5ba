"""The folder of a log on SQLite: how many partitions it has, and the first segment of each. Blocks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Final

from headwater.eventlog import segments as files
from headwater.eventlog.retention import Head
from headwater.eventlog.strand import Strand
from headwater.eventlog.streams import STREAMS
from headwater.spec.errors import SetupError, Unavailable

_FORMAT: Final = 1
Strands = dict[tuple[str, int], Strand]
"""By volume and partition."""


def open_strands(folder: Path, partitions: int, *, now: int) -> Strands:
    """Find every strand of a log, and make what is missing; several processes may do so at once.

    Raises Unavailable when the folder cannot be used now, and SetupError for another number of partitions than the log
    has or for the files of another version.
    """
    strands = {
        (volume, partition): Strand(folder / f"{volume}-{partition:04d}", files.streams_of(volume))
        for volume in sorted({stream.volume for stream in STREAMS.values()})
        for partition in range(partitions)
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _registry(folder, partitions):
            for strand in strands.values():
                _make_first(strand, now)
    except (sqlite3.OperationalError, OSError) as error:
        raise Unavailable(f"The log in {folder} cannot be opened: {error}.") from error
    return strands


def _make_first(strand: Strand, now: int) -> None:
    strand.folder.mkdir(exist_ok=True)
    if not files.segment_numbers(strand.folder):
        heads = {stream.name: Head(0, 0) for stream in strand.streams}
        files.make_segment(strand.path(0), heads, (), created_at=now)


@contextlib.contextmanager
def _registry(folder: Path, partitions: int) -> Generator[None]:
    """Hold the lock of the folder, and write down its format and number of partitions."""
    connection = sqlite3.connect(folder / "log.sqlite", isolation_level=None, timeout=files.LOCK_SECONDS)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS log (format INTEGER NOT NULL, partitions INTEGER NOT NULL)")
        known = connection.execute("SELECT format, partitions FROM log").fetchone()
        if known is None:
            known = (_FORMAT, partitions)
            connection.execute("INSERT INTO log VALUES (?, ?)", known)
        if known[0] != _FORMAT:
            raise SetupError(f"The log in {folder} has format {known[0]}; this version reads format {_FORMAT}.")
        if known[1] != partitions:
            raise SetupError(f"The log in {folder} has {known[1]} partitions; set log.partitions to that.")
        yield
        connection.execute("COMMIT")
