"""Counts the archive for computations, in a process of its own: `python -m headwater.warehouse.counting`.

The task comes as the first line of standard input; when that ends, whoever asked is gone, and so is this process. Lines
on standard output say how far it has come, and last whether it is done. The answer goes to the file that the task
names, in the order of profiles. DuckDB finds the rows, takes what queries read out of their bodies and sorts them by
profile, on disk where they are many; the queries fold them, one profile at a time.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from headwater.profiles.computing.past import Wanted
from headwater.profiles.language import Item, State
from headwater.warehouse.selecting import Reading, Selection, plan, select

ANSWER: Final = pa.schema([("profile_id", pa.string()), ("states", pa.binary())])
"""The columns of an answer, as `profiles.computing.past` has them."""

_BATCH: Final = 20_000
_PAGE: Final = 2_000
_SAY_SECONDS: Final = 0.5
_encode = msgspec.msgpack.Encoder().encode


class Task(msgspec.Struct, frozen=True):
    """What to count, of which events, by how many of whom this is one.

    `parts` are paths to files of the archive, of which the events before the positions of `until`, by partition, count.
    `path` is the answer's file, `spill` a folder for what does not fit into the memory. Of `workers`, each counts the
    profiles whose hash it is.
    """

    parts: list[str]
    space_id: str
    wanted: list[Wanted]
    until: dict[int, int]
    path: str
    spill: str
    memory_mb: int
    worker: int = 0
    workers: int = 1


class Said(msgspec.Struct, frozen=True):
    """A line of output: events read of all, or at last that the answer is there, or why it is not."""

    done: int = 0
    total: int = 0
    finished: bool = False
    unavailable: str = ""


def main() -> None:
    """Read the task, do it, say so."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_watch, daemon=True).start()
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # what is made is no circle, and there is much of it
    try:
        count(task, say)
    except (duckdb.Error, OSError) as error:
        say(Said(unavailable=f"The archive cannot be counted: {str(error).strip()}"))
    except MemoryError:
        say(Said(unavailable="The archive cannot be counted: it needs more memory than it may use."))
    else:
        say(Said(finished=True))
    os._exit(0)  # nothing is left to be done, and DuckDB takes its time to let go


def say(said: Said) -> None:
    """Write a line."""
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def _watch() -> None:
    """End with whoever asked."""
    while os.read(0, 1):
        pass
    os._exit(1)


def count(task: Task, tell: Callable[[Said], None]) -> None:
    """Write the answer's file. Raises duckdb.Error or OSError when the archive cannot be read or the disk is full."""
    reading = plan(task.wanted)
    with _open(task) as connection:
        _show_rows(connection, task)
        chosen = select(reading, task.space_id, task.wanted, task.until, share=(task.worker, task.workers))
        pace = _Pace(connection, task, tell)
        try:
            pace.start(connection, chosen)
            _write(Path(task.path), _folded(connection, chosen, reading, task.wanted, pace))
        finally:
            pace.stop()


def _open(task: Task) -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "memory_limit": f"{task.memory_mb}MB",
        "threads": 1,
        "temp_directory": task.spill,
        "preserve_insertion_order": False,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    return connection


def _show_rows(connection: duckdb.DuckDBPyConnection, task: Task) -> None:
    """Make the view `archived`. Files that were written before a column was have it empty."""
    listed = ", ".join(f"'{path.replace(chr(39), chr(39) * 2)}'" for path in task.parts)
    read = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    columns = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()}  # noqa: S608 - quoted
    lacking = "" if "profiles" in columns else ", NULL::VARCHAR AS profiles"
    connection.execute(f"CREATE TEMP VIEW archived AS SELECT *{lacking} FROM {read}")  # noqa: S608 - quoted


class _Pace:
    """Says twice a second how far the count has come: the first half is finding and sorting, the second counting."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, task: Task, tell: Callable[[Said], None]) -> None:
        self._connection = connection
        self._tell = tell
        self._rows = 0
        self._chosen = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._workers = task.workers
        self.folded = 0
        """Rows that are counted already."""

    def start(self, connection: duckdb.DuckDBPyConnection, chosen: Selection) -> None:
        """Find how much there is to do, which reads no bodies."""
        self._rows = _one(connection, "SELECT count(*) FROM archived", []) // self._workers
        self._chosen = _one(connection, chosen.number, chosen.parameters[: chosen.shared])
        self._thread.start()

    def stop(self) -> None:
        """Say no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_SAY_SECONDS):
            found = min(1.0, max(0.0, self._connection.query_progress() / 100)) if not self.folded else 1.0
            counted = self.folded / self._chosen if self._chosen else 1.0
            self._tell(Said(done=int(self._rows * (found + counted) / 2), total=self._rows))


def _one(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> int:
    [(found,)] = connection.execute(sql, parameters).fetchall()
    return int(found)


def _folded(
    connection: duckdb.DuckDBPyConnection,
    chosen: Selection,
    reading: Reading,
    wanted: Sequence[Wanted],
    pace: _Pace,
) -> Iterator[tuple[str, bytes]]:
    """The profiles of which something was counted, in their order, with their states."""
    takers = [
        [
            (place, compiled.fold, each.since_ms)
            for place, (each, compiled) in enumerate(zip(wanted, reading.compiled, strict=True))
            if event in compiled.events
        ]
        for event in reading.events
    ]
    names = [each.name for each in wanted]
    new_states = [compiled.new_state for compiled in reading.compiled]
    profile, states, taken = "", list[State | None](), set[int]()
    nothing: list[State | None] = [None] * len(names)
    for person, event, at, item in _items(connection, chosen, reading, pace):
        if person != profile:
            if taken:
                yield profile, _encode({names[place]: states[place] for place in sorted(taken)})
                taken.clear()
            profile, states = person, nothing.copy()
        for place, fold, since in takers[event]:
            if at >= since:
                state = states[place]
                if state is None:
                    state = states[place] = new_states[place]()
                if fold(state, item):
                    taken.add(place)
    if taken:
        yield profile, _encode({names[place]: states[place] for place in sorted(taken)})


def _items(
    connection: duckdb.DuckDBPyConnection, chosen: Selection, reading: Reading, pace: _Pace
) -> Iterator[tuple[str, int, int, Item]]:
    """Events in the order of their profiles: profile, place of the name among `reading.events`, moment and item."""
    build = reading.build
    types = ["track", "page", "screen"]
    events = reading.events
    found = connection.sql(chosen.rows, params=chosen.parameters).to_arrow_reader(_BATCH)
    for batch in found:
        columns = [column.to_pylist() for column in batch.columns]
        people, kinds, places, moments, sources, ids, names = columns[:7]
        bodies = build(columns[7:], len(people))
        for person, kind, place, at, source, id, name, (properties, context) in zip(
            people, kinds, places, moments, sources, ids, names, bodies, strict=True
        ):
            named = events[place] if kind == 0 else name
            yield person, place, at, Item(types[kind], named or "", source, id, at, properties, context)
        pace.folded += len(people)


def _write(path: Path, answer: Iterator[tuple[str, bytes]]) -> None:
    with path.open("wb") as file:
        with pa.ipc.new_file(file, ANSWER) as stream:
            ids, states = list[str](), list[bytes]()
            for id, state in answer:
                ids.append(id)
                states.append(state)
                if len(ids) == _PAGE:
                    stream.write_batch(pa.record_batch([pa.array(ids), pa.array(states, pa.binary())], schema=ANSWER))
                    ids.clear()
                    states.clear()
            if ids:
                stream.write_batch(pa.record_batch([pa.array(ids), pa.array(states, pa.binary())], schema=ANSWER))
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()
