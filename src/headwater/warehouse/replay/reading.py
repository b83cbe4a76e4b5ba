"""Reads the archive for a replay, in a process of its own: `python -m headwater.warehouse.replay.reading`.

The task comes as the first line of standard input; when that ends, whoever asked is gone, and so is this process. On
standard output come frames, each with its length before it: pages of events, and last what there is to say in the end.
A reader who takes its time holds this process up, and no more than a page waits in its memory.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import duckdb
import msgspec

from headwater.spec.destination import Item
from headwater.spec.fql import Holds, compile_query, parse
from headwater.spec.replay import PastPage, Wanted
from headwater.warehouse.files import ArchivePlace, open_files
from headwater.warehouse.replay.choosing import Question, Stretch, number, rows

PAGE: Final = 500
_BATCH: Final = 2_000
_PROMISED_SECONDS: Final = 600.0
_decode = msgspec.json.Decoder().decode


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to read, or with `count` only to count.

    The files of stretches are names in the `archive`. `spill` is a folder for what does not fit into the memory.
    """

    wanted: Wanted
    stretches: list[Stretch]
    archive: ArchivePlace
    memory_mb: int
    spill: str
    count: bool = False


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page, or the end: `last` with the number of events that were counted, or why it cannot go on."""

    page: PastPage | None = None
    last: bool = False
    counted: int = 0
    unavailable: str = ""


_encode = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Read the task, do it, say so."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_watch, daemon=True).start()
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # what is made is no circle, and there is much of it
    try:
        say(Frame(last=True, counted=work(task, say)))
    except (duckdb.Error, OSError) as error:
        say(Frame(unavailable=f"The archive cannot be read: {str(error).strip()}"))
    except MemoryError:
        say(Frame(unavailable="The archive cannot be read: it needs more memory than it may use."))
    os._exit(0)  # nothing is left to be done, and DuckDB takes its time to let go


def say(frame: Frame) -> None:
    """Write a frame."""
    content = _encode(frame)
    sys.stdout.buffer.write(len(content).to_bytes(4, "big") + content)
    sys.stdout.buffer.flush()


def _watch() -> None:
    """End with whoever asked."""
    while os.read(0, 1):
        pass
    os._exit(1)


def work(task: Task, tell: Callable[[Frame], None]) -> int:
    """Tell every page, or count. Raises duckdb.Error or OSError when the archive cannot be read."""
    holds = compile_query(parse(task.wanted.condition)) if task.wanted.condition else None
    counted = 0
    files = open_files(task.archive)
    with _open(task) as connection:
        for stretch in task.stretches:
            show(connection, files.paths(stretch.sizes, seconds=_PROMISED_SECONDS))
            if not task.count:
                for page in _pages(connection, task.wanted, stretch, holds):
                    tell(Frame(page))
            elif holds is None:
                counted += _one(connection, number(task.wanted, stretch))
            else:
                counted += sum(len(page.items) for page in _pages(connection, task.wanted, stretch, holds))
    return counted


def _open(task: Task) -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "memory_limit": f"{task.memory_mb}MB",
        "threads": 1,
        "temp_directory": task.spill,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def show(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    """Make the view `archived` of some files."""
    listed = ", ".join(f"'{path.replace(chr(39), chr(39) * 2)}'" for path in paths)
    read = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW archived AS SELECT * FROM {read}")  # noqa: S608 - quoted


def _one(connection: duckdb.DuckDBPyConnection, question: Question) -> int:
    [(found,)] = connection.execute(question.sql, question.parameters).fetchall()
    return int(found)


def _pages(
    connection: duckdb.DuckDBPyConnection, wanted: Wanted, stretch: Stretch, holds: Holds | None
) -> Iterator[PastPage]:
    """The events of a stretch; the last page ends with it, and may hold nothing."""
    question = rows(wanted, stretch)
    items: list[Item] = []
    for batch in connection.sql(question.sql, params=question.parameters).to_arrow_reader(_BATCH):
        columns = [column.to_pylist() for column in batch.columns]
        for body, type, name, message_id, position, at in zip(*columns, strict=True):
            if holds is not None and not _holds(holds, body):
                continue
            items.append(Item(body.encode(), type, name, message_id, position, at))
            if len(items) == PAGE:
                yield PastPage(stretch.partition, position + 1, items)
                items = []
    yield PastPage(stretch.partition, stretch.end, items)


def _holds(holds: Holds, body: str) -> bool:
    try:
        event = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(event, dict) and holds(event)


if __name__ == "__main__":
    main()
