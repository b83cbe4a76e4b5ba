"""One partition of one volume on disk: which segments it has, and reading them. Blocks; safe for several threads.

Other processes add segments and drop them at any time. So what is known of the folder is only ever a guess that is
looked up again when it does not hold: a segment that has gone was read by everybody, and reading goes on with the next.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final, TypeVar

from headwater.eventlog import Chunk, Record
from headwater.eventlog import segments as files
from headwater.eventlog.retention import Head, Place, Span, may_go
from headwater.eventlog.streams import Stream

T = TypeVar("T")
_IDLE_CONNECTIONS: Final = 4
_OPEN_ROWS: Final = 4
_TRIES: Final = 10


class Strand:
    """The segments of one partition of one volume."""

    def __init__(self, folder: Path, streams: tuple[Stream, ...]) -> None:
        self.folder = folder
        self.streams = streams
        self._lock = threading.Lock()
        self._numbers: list[int] = []
        self._spans: dict[int, dict[str, Span]] = {}
        self._watched = (-1, "")
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        self._open_rows: dict[tuple[str, int], list[Record]] = {}

    def refresh(self) -> list[int]:
        """Look at the folder again. Returns the numbers of the valid segments, oldest first."""
        numbers = files.segment_numbers(self.folder)
        if len(numbers) > 1 and not self._is_sealed(numbers[-2]):
            numbers.pop()
        with self._lock:
            self._numbers = numbers
            kept = set(numbers)
            self._spans = {number: spans for number, spans in self._spans.items() if number in kept}
            stale = [connection for number, connection in self._idle if number not in kept]
            self._idle = [pair for pair in self._idle if pair[0] in kept]
        for connection in stale:
            connection.close()
        return numbers

    def _is_sealed(self, number: int) -> bool:
        try:
            return all(span.end for span in self.spans(number).values())
        except (sqlite3.Error, FileNotFoundError):
            if self.path(number).exists():
                raise
            return True

    def numbers(self) -> list[int]:
        """The valid segments as last seen."""
        return self._numbers or self.refresh()

    def path(self, number: int) -> Path:
        """Where a segment lies."""
        return files.segment_path(self.folder, number)

    def mark(self) -> tuple[int, int]:
        """Size and time (ns) of what the active segment writes to: it differs when something may have been written.

        Does not block.
        """
        if not self._numbers:
            return (0, 0)
        number = self._numbers[-1]
        if self._watched[0] != number:
            self._watched = (number, str(files.files_of(self.path(number))[1]))
        try:
            found = os.stat(self._watched[1])  # noqa: PTH116 - asked every few milliseconds, for ever
        except FileNotFoundError:
            return (0, 0)
        return (found.st_size, found.st_mtime_ns)

    @contextlib.contextmanager
    def _connection(self, number: int) -> Generator[sqlite3.Connection]:
        with self._lock:
            found = next((pair for pair in self._idle if pair[0] == number), None)
            if found is not None:
                self._idle.remove(found)
        connection = found[1] if found is not None else files.connect(self.path(number))
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        surplus = None
        with self._lock:
            self._idle.append((number, connection))
            if len(self._idle) > _IDLE_CONNECTIONS:
                surplus = self._idle.pop(0)[1]
        if surplus is not None:
            surplus.close()

    def spans(self, number: int) -> dict[str, Span]:
        """What a segment holds of each stream."""
        known = self._spans.get(number)
        if known is None or any(span.end is None for span in known.values()):
            with self._connection(number) as connection:
                known = files.read_spans(connection)
            self._spans[number] = known
        return known

    def _base(self, number: int, stream: str) -> int:
        known = self._spans.get(number) or self.spans(number)
        span = known.get(stream)
        return 0 if span is None else span.base.position

    def persevere(self, ask: Callable[[], T | None]) -> T:
        """Ask again, after another look at the folder, while the answer is None or a segment goes away meanwhile."""
        for _ in range(_TRIES):
            before = self.numbers()
            try:
                answer = ask()
            except (sqlite3.Error, FileNotFoundError):
                if self.refresh() == before:
                    raise
                continue
            if answer is not None:
                return answer
            self.refresh()
        raise sqlite3.OperationalError(f"the segments in {self.folder.name} change too fast to be read")

    def read(self, stream: str, position: int, max_records: int, max_bytes: int) -> Chunk:
        """Records from a position on; none if none are there yet."""
        return self.persevere(lambda: self._read(stream, position, max_records, max_bytes))

    def _read(self, stream: str, position: int, max_records: int, max_bytes: int) -> Chunk | None:
        numbers = self.numbers()
        number = self._locate(numbers, stream, position)
        position = max(position, self._base(number, stream))
        records = self._read_rows(number, stream, position, max_records, max_bytes)
        if records:
            return Chunk(position, records)
        # In a sealed one, more may have come between the two looks, or the next segment goes on from here.
        sealed = all(span.end for span in self.spans(number).values())
        return None if sealed else Chunk(position, [])

    def _locate(self, numbers: list[int], stream: str, position: int) -> int:
        if position >= self._base(numbers[-1], stream):
            return numbers[-1]
        place = bisect.bisect_right(numbers, position, key=lambda number: self._base(number, stream))
        return numbers[max(0, place - 1)]

    def _read_rows(self, number: int, stream: str, position: int, max_records: int, max_bytes: int) -> list[Record]:
        taken: list[Record] = []
        room = max_bytes
        with self._connection(number) as connection:
            rows = files.find_rows(connection, stream, position)
            try:
                for first, count, payload in rows:
                    skip = max(0, position - first)
                    fair = max(0 if taken else 1, room * count // max(1, len(payload)))
                    limit = min(count - skip, max_records - len(taken), fair)
                    taken += self._open_row(stream, first, payload, skip, limit)
                    room -= len(payload) * limit // count
                    if skip + limit < count or len(taken) >= max_records:
                        break
            finally:
                rows.close()
        return taken

    def _open_row(self, stream: str, first: int, payload: bytes, skip: int, limit: int) -> list[Record]:
        """Records of one row. A row that is read in pieces is kept open, so that it is decoded once."""
        kept = self._open_rows.pop((stream, first), None)
        records = files.decode_row(payload) if kept is None else kept
        if skip + limit < len(records):
            with self._lock:
                while len(self._open_rows) >= _OPEN_ROWS:
                    del self._open_rows[next(iter(self._open_rows))]
                self._open_rows[stream, first] = records
        return records[skip : skip + limit] if skip or limit < len(records) else records

    def heads(self) -> dict[str, Head]:
        """Where each stream stands."""
        return self.persevere(self._heads)

    def _heads(self) -> dict[str, Head] | None:
        number = self.numbers()[-1]
        with self._connection(number) as connection:
            spans = self._spans.get(number) or files.read_spans(connection)
            return files.read_heads(connection, spans, files.heads_query(spans))

    def bounds(self, stream: str) -> tuple[int, int]:
        """The position of the oldest record kept, and that of the next record."""
        oldest = self.persevere(lambda: self._base(self.refresh()[0], stream))
        head = self.heads().get(stream)
        return oldest, oldest if head is None else head.position

    def places(self) -> list[Place]:
        """Every cursor that is kept here."""
        return self.persevere(self._places)

    def _places(self) -> list[Place] | None:
        with self._connection(self.numbers()[-1]) as connection:
            return files.read_places(connection)

    def place(self, group: str, stream: str) -> int:
        """One cursor; 0 when it was never set."""
        found = (place.position for place in self.places() if place.group == group and place.stream == stream)
        return next(found, 0)

    def appended_at(self, stream: str, position: int) -> int:
        """When the record at a position was appended (milliseconds); 0 when it was dropped. It must have been there."""
        return self.persevere(lambda: self._appended_at(stream, position))

    def _appended_at(self, stream: str, position: int) -> int | None:
        numbers = self.numbers()
        if position < self._base(numbers[0], stream):
            return 0
        with self._connection(self._locate(numbers, stream, position)) as connection:
            return files.read_appended_at(connection, stream, position)

    def trim(self, cursors: Strand, before: int) -> int:
        """Drop, from the oldest on, sealed segments that are older than an instant (milliseconds) and passed by all.

        `cursors` is the strand that keeps this partition's cursors. Returns the bytes freed.
        """
        freed = 0
        for number in self.refresh()[:-1]:
            if not may_go(self.spans(number), cursors.places(), before) or not (dropped := self._drop(number)):
                break
            freed += dropped
        for path in self.unfolded():
            files.fold(path, "TRUNCATE")
        self.refresh()
        return freed

    def _drop(self, number: int) -> int:
        """Remove a segment. Who has it open keeps what it sees; who opens it in this moment finds it whole or gone."""
        path = self.path(number)
        if not files.fold(path, "TRUNCATE"):
            return 0
        freed = 0
        for file in files.files_of(path):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                freed += file.stat().st_size
                file.unlink()
        return freed

    def unfolded(self) -> list[Path]:
        """Sealed segments whose write-ahead log was not brought into the file yet, as after a crash."""
        paths = [self.path(number) for number in self.refresh()[:-1]]
        return [path for path in paths if (log := files.files_of(path)[1]).exists() and log.stat().st_size]

    def size_bytes(self) -> int:
        """How much room the files take."""
        total = 0
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()
