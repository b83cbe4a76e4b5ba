"""What an SQL trait told last, in an SQLite file of its own, and what a run found.

The file need not survive a loss of power to the last write: a run that is begun again from an older state tells the
same under the same messageIds. Every method blocks for a moment, and one thread at a time may be in one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from headwater.warehouse.sql_traits.rules import Row, vanished

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS run (sequence INTEGER NOT NULL, unsure INTEGER NOT NULL);
    INSERT INTO run SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM run);
    CREATE TABLE IF NOT EXISTS shapes (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS told (
        key TEXT, link TEXT, hash BLOB NOT NULL, shape INTEGER NOT NULL, PRIMARY KEY (key, link)
    ) WITHOUT ROWID;
"""
_FOUND: Final = """
    DROP TABLE IF EXISTS found;
    CREATE TABLE found (
        key TEXT, link TEXT, hash BLOB NOT NULL, traits BLOB, PRIMARY KEY (key, link)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX found_link ON found (link) WHERE link <> '';
"""
_STAGE: Final = """
    INSERT OR IGNORE INTO found VALUES (
        :key, :link, :hash,
        CASE WHEN EXISTS (SELECT 1 FROM told WHERE key = :key AND link = :link AND hash = :hash) THEN NULL
            ELSE :traits END
    )
"""
_CHANGED: Final = """
    SELECT key, link, traits, hash FROM found WHERE traits IS NOT NULL AND (key, link) > (?, ?)
    ORDER BY key, link LIMIT ?
"""
_GONE: Final = """
    SELECT key, link, names, EXISTS (SELECT 1 FROM found WHERE found.key = told.key)
    FROM told JOIN shapes ON shapes.id = told.shape
    WHERE (key, link) > (?, ?) AND NOT EXISTS (
        SELECT 1 FROM found WHERE found.key = told.key AND found.link = told.link
    )
    ORDER BY key, link LIMIT ?
"""


class Memory:
    """The open file of one SQL trait, for one run: stage what is found, take what is new, say that it was told."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)
        self._shape = 0

    def begin(self, names: Sequence[str]) -> int:
        """Begin a run whose rows have these traits. Returns the number that is to be part of its messageIds.

        It is a new one, unless the run before ended while something was being told: then it is unknown whether that
        was told, and it must be told under the same messageIds again.
        """
        self._db.executescript(_FOUND)
        self._db.execute("UPDATE run SET sequence = sequence + 1 WHERE unsure = 0")
        text = msgspec.json.encode(names).decode()
        self._db.execute("INSERT OR IGNORE INTO shapes (names) VALUES (?)", (text,))
        (self._shape,) = self._db.execute("SELECT id FROM shapes WHERE names = ?", (text,)).fetchone()
        (sequence,) = self._db.execute("SELECT sequence FROM run").fetchone()
        return int(sequence)

    def stage(self, rows: Iterable[Row]) -> int:
        """Keep rows that were found. Returns how many of them are the first with their key, and were kept."""
        self._db.execute("BEGIN")
        kept = self._db.executemany(_STAGE, (msgspec.structs.asdict(row) for row in rows)).rowcount
        self._db.execute("COMMIT")
        return kept

    def changed(self, after: Row | None, most: int) -> list[Row]:
        """The next rows that are new or changed, which are about to be told."""
        found = [Row(*row) for row in self._db.execute(_CHANGED, (*_place(after), most))]
        self._about_to_tell(found)
        return found

    def told(self, rows: Sequence[Row]) -> None:
        """Remember that rows were told."""
        self._db.execute("BEGIN")
        values = [(row.key, row.link, row.hash, self._shape) for row in rows]
        self._db.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", values)
        self._db.execute("UPDATE run SET unsure = 0")
        self._db.execute("COMMIT")

    def gone(self, after: Row | None, most: int) -> list[tuple[Row, bool]]:
        """The next rows that were told and are not there any more, each as it is to be told.

        The second says that it need not be, because the company that the row was about is still there.
        """
        found = [
            (vanished(key, link, msgspec.json.decode(names)), bool(still))
            for key, link, names, still in self._db.execute(_GONE, (*_place(after), most))
        ]
        self._about_to_tell(found)
        return found

    def forget(self, rows: Sequence[Row]) -> None:
        """Forget rows; that they are gone was told."""
        self._db.execute("BEGIN")
        self._db.executemany("DELETE FROM told WHERE key = ? AND link = ?", [(row.key, row.link) for row in rows])
        self._db.execute("UPDATE run SET unsure = 0")
        self._db.execute("COMMIT")

    def end(self) -> None:
        """The run is over: what was found is needed no more."""
        self._db.execute("DROP TABLE IF EXISTS found")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _about_to_tell(self, found: Sequence[object]) -> None:
        if found:
            self._db.execute("UPDATE run SET unsure = 1")


def remove(path: Path) -> None:
    """Remove the file of an SQL trait that is deleted."""
    for each in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        each.unlink(missing_ok=True)


def _place(row: Row | None) -> tuple[str, str]:
    return ("", "") if row is None else (row.key, row.link)
