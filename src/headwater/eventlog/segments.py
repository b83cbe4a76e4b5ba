"""The files of a log on SQLite: what one holds, how one is made, and the statements that are run on it. Blocks.

A segment is one file: a stretch of time of one partition of one volume. It holds, for each stream of its volume, one
row for each group commit (the position of the first record, their number, when they were appended, the records in
msgpack), and the cursors, if it belongs to the volume that keeps them. Segments of a partition are numbered. The one
that takes records is *active*; the others are *sealed* and never change again.

A segment is valid once the one before it is sealed. A new one is made whole under another name and moved into place
while the write lock of its predecessor is held, and the predecessor is sealed in that same transaction; so a process
that dies in between leaves a file that is not valid, and the next to roll replaces it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from headwater.eventlog import FORGOTTEN, Commit, Record
from headwater.eventlog.retention import Head, Place, Span
from headwater.eventlog.streams import STREAMS, Stream

PAGE_BYTES: Final = 16_384
ROW_RECORDS: Final = 1_000
ROW_BYTES: Final = 1_000_000
LOCK_SECONDS: Final = 30.0
_LOCK_POLL_SECONDS: Final = 0.0005

_encode = msgspec.msgpack.Encoder().encode
decode_row = msgspec.msgpack.Decoder(list[Record]).decode


def streams_of(volume: str) -> tuple[Stream, ...]:
    """The streams that are written together."""
    return tuple(stream for stream in STREAMS.values() if stream.volume == volume)


def segment_path(folder: Path, number: int) -> Path:
    """Where the segment of that number lies."""
    return folder / f"{number:010d}.sqlite"


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of the segments that lie in a folder, oldest first; the last may not be valid."""
    return sorted(int(path.stem) for path in folder.glob("*.sqlite"))


def connect(path: Path, *, lock_seconds: float = LOCK_SECONDS, cache_bytes: int = 2_000_000) -> sqlite3.Connection:
    """Open a file that exists. Commits reach the disk, and nobody folds the write-ahead log on the way.

    A transaction that is larger than the cache writes its pages twice.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=lock_seconds,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA cache_size=-{cache_bytes // 1024}")
    return connection


def wait_no_longer(connection: sqlite3.Connection) -> None:
    """Let `begin` do the waiting: SQLite's own grows to a tenth of a second, in which others come first again."""
    connection.execute("PRAGMA busy_timeout=0")


def begin(connection: sqlite3.Connection) -> None:
    """Take the write lock, as soon as other processes leave it free."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_POLL_SECONDS)


def make_segment(path: Path, heads: dict[str, Head], places: Iterable[Place], *, created_at: int) -> None:
    """Make a segment whole and move it into place, over one that never became valid. The caller holds the lock."""
    unfinished = path.with_suffix(".new")
    for leftover in files_of(unfinished):
        leftover.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        _fill(connection, heads, places, created_at)
    finally:
        connection.close()
    _sync(unfinished)
    unfinished.replace(path)
    _sync(path.parent)


def _fill(connection: sqlite3.Connection, heads: dict[str, Head], places: Iterable[Place], created_at: int) -> None:
    for pragma in (f"page_size={PAGE_BYTES}", "synchronous=OFF", "journal_mode=WAL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE segment (created_at INTEGER NOT NULL, sealed INTEGER NOT NULL)")
    connection.execute(
        "CREATE TABLE span (stream TEXT PRIMARY KEY, base INTEGER NOT NULL, base_at INTEGER NOT NULL,"
        ' "end" INTEGER, end_at INTEGER) WITHOUT ROWID'
    )
    connection.execute(
        "CREATE TABLE place (name TEXT, stream TEXT, position INTEGER NOT NULL, PRIMARY KEY (name, stream))"
        " WITHOUT ROWID"
    )
    connection.execute("INSERT INTO segment VALUES (?, 0)", (created_at,))
    for stream, head in heads.items():
        connection.execute(
            f'CREATE TABLE "rows_{stream}" (first INTEGER PRIMARY KEY, count INTEGER NOT NULL,'
            " appended_at INTEGER NOT NULL, payload BLOB NOT NULL)"
        )
        connection.execute("INSERT INTO span VALUES (?, ?, ?, NULL, NULL)", (stream, head.position, head.at))
    connection.executemany("INSERT INTO place VALUES (?, ?, ?)", [(p.group, p.stream, p.position) for p in places])
    connection.execute("COMMIT")


def files_of(path: Path) -> tuple[Path, Path, Path]:
    """The database file, and the two that SQLite keeps beside it."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_spans(connection: sqlite3.Connection) -> dict[str, Span]:
    """What the segment holds of each stream, in one look."""
    spans: dict[str, Span] = {}
    for name, base, base_at, end, end_at in connection.execute("SELECT * FROM span"):
        spans[name] = Span(Head(base, base_at), None if end is None else Head(end, end_at))
    return spans


def read_created_at(connection: sqlite3.Connection) -> int:
    """When the segment was made (milliseconds)."""
    return int(connection.execute("SELECT created_at FROM segment").fetchone()[0])


def count_pages(connection: sqlite3.Connection) -> int:
    """How many pages the file takes once its write-ahead log is folded in."""
    return int(connection.execute("PRAGMA page_count").fetchone()[0])


def heads_query(streams: Iterable[str]) -> str:
    """One statement that says whether a segment is sealed, and the next position and last time of each stream."""
    columns = ", ".join(
        f'(SELECT {what} FROM "rows_{stream}" ORDER BY first DESC LIMIT 1)'  # noqa: S608 - names from streams.py
        for stream in streams
        for what in ("first + count", "appended_at")
    )
    return f"SELECT sealed, {columns} FROM segment"  # noqa: S608


def read_heads(connection: sqlite3.Connection, spans: dict[str, Span], query: str) -> dict[str, Head] | None:
    """Where each stream of an active segment stands, or None when the segment is sealed."""
    sealed, *found = connection.execute(query).fetchone()
    if sealed:
        return None
    pairs = zip(found[::2], found[1::2], strict=True)
    return {
        name: span.base if position is None else Head(position, at)
        for (name, span), (position, at) in zip(spans.items(), pairs, strict=True)
    }


def write_rows(connection: sqlite3.Connection, stream: str, head: Head, records: Sequence[Record]) -> int:
    """Add records at a head, as few rows as reading allows. Returns their bytes."""
    written, position = 0, head.position
    insert = f'INSERT INTO "rows_{stream}" VALUES (?, ?, ?, ?)'  # noqa: S608
    for count, payload in pack(records):
        connection.execute(insert, (position, count, head.at, payload))
        written += len(payload)
        position += count
    return written


def pack(records: Sequence[Record], step: int = ROW_RECORDS) -> Iterator[tuple[int, bytes]]:
    """Cut records into rows, each small enough to be opened for the sake of one record."""
    for start in range(0, len(records), step):
        part = records[start : start + step]
        payload = _encode(part)
        if len(payload) > 2 * ROW_BYTES and len(part) > 1:
            yield from pack(part, max(1, len(part) * ROW_BYTES // len(payload)))
        else:
            yield len(part), payload


def write_places(connection: sqlite3.Connection, commits: Iterable[Commit]) -> None:
    """Set cursors, or take them away; of several for the same group and stream the last counts."""
    for group, stream, position in ((c.group, c.stream.name, c.position) for c in commits):
        if position == FORGOTTEN:
            connection.execute("DELETE FROM place WHERE name = ? AND stream = ?", (group, stream))
        else:
            connection.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", (group, stream, position))


def read_places(connection: sqlite3.Connection) -> list[Place] | None:
    """Every cursor, or None when the segment is sealed and a later one keeps them."""
    found = connection.execute(
        "SELECT segment.sealed, place.name, place.stream, place.position FROM segment LEFT JOIN place"
    ).fetchall()
    if found[0][0]:
        return None
    return [Place(group, stream, position) for _, group, stream, position in found if group is not None]


def write_seal(connection: sqlite3.Connection, heads: dict[str, Head]) -> None:
    """Mark the segment sealed, inside the transaction that the caller holds."""
    connection.executemany(
        'UPDATE span SET "end" = ?, end_at = ? WHERE stream = ?',
        [(head.position, head.at, name) for name, head in heads.items()],
    )
    connection.execute("UPDATE segment SET sealed = 1")


def find_rows(connection: sqlite3.Connection, stream: str, position: int) -> sqlite3.Cursor:
    """(first, count, payload) of each row from the one that holds a position on. Close the cursor."""
    return connection.execute(
        f'SELECT first, count, payload FROM "rows_{stream}" WHERE first + count > ?1 AND first >='  # noqa: S608
        f' coalesce((SELECT max(first) FROM "rows_{stream}" WHERE first <= ?1), 0) ORDER BY first',
        (position,),
    )


def read_appended_at(connection: sqlite3.Connection, stream: str, position: int) -> int | None:
    """When the record at a position was appended, or None when the segment does not hold it."""
    found = connection.execute(
        f'SELECT appended_at FROM "rows_{stream}" WHERE first <= ?1 AND first + count > ?1'  # noqa: S608
        " ORDER BY first DESC LIMIT 1",
        (position,),
    ).fetchone()
    return None if found is None else int(found[0])


def fold(path: Path, mode: str) -> bool:
    """Bring the write-ahead log into the database file (PASSIVE beside a writer, TRUNCATE when sealed).

    Returns whether all of it is there now; if somebody is in the way or the file has gone, it is not.
    """
    try:
        with contextlib.closing(connect(path, lock_seconds=5.0)) as connection:
            return fold_open(connection, mode) == 0
    except sqlite3.OperationalError:
        return False


def fold_open(connection: sqlite3.Connection, mode: str) -> int:
    """As `fold`, for a file that is open. Returns the pages that the write-ahead log holds, 0 when all are folded."""
    busy, pages, folded = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return max(1, pages) if busy or pages != folded else 0
