"""Runs one SQL query of a stranger, in a process that can do nothing else: `python -m headwater.warehouse.sandbox`.

The task comes on standard input and the answer goes to standard output, in one piece or page by page. The process may
read the archive's files and the warehouses named in its task, through DuckDB, and nothing more: DuckDB's access to
files is closed but for those, its settings are locked, only a single SELECT is run, and the kernel lets the process
write to no file at all.
"""

from __future__ import annotations

import io
import re
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import duckdb
import msgspec

_PAUSE_SECONDS: Final = 0.02
_ANSWER_BYTES: Final = 16_000_000
_FETCH: Final = 500
_PAGE_ROWS: Final = 2_000
_PAGE_CHARS: Final = 2_000_000
_CELL_CHARS: Final = 20_000
"""Nobody who reads pages takes a longer text, so that no more of it is told."""

_NAMED: Final = 20
_NO_TABLE: Final = re.compile(r'^Catalog Error: Table with name "?(.+?)"? does not exist')
_TABLES: Final = """
    SELECT database_name, schema_name, table_name FROM duckdb_tables()
    WHERE list_contains(?, database_name) ORDER BY ALL
"""


class Task(msgspec.Struct, frozen=True):
    """What to run, over what.

    `parts` are paths to files of the archive, `live` is an Arrow stream of the events after them. `warehouses` are
    DuckDB files by the name to attach them under; names without a warehouse mean the first. `load_every` is
    the time between two loads, in seconds. With `pages` the answer comes as several, each behind its length in four
    bytes, and cells are what a trait can be: text, numbers and null.
    """

    sql: str
    parts: list[str]
    live: bytes
    warehouses: dict[str, str]
    rows: int
    memory_mb: int
    seconds: int
    load_every: float
    pages: bool = False


class Answer(msgspec.Struct, frozen=True):
    """The result, or in `refused` or `unavailable` a sentence that says why there is none. Of pages, one is `last`."""

    columns: list[str] = []
    types: list[str] = []
    rows: list[list[Any]] = []
    truncated: bool = False
    refused: str = ""
    unavailable: str = ""
    last: bool = False


Take = Callable[[duckdb.DuckDBPyConnection, int], Answer]


def main() -> None:
    """Read the task, do it, write the answer."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    _confine(task)
    if task.pages:
        _send(msgspec.structs.replace(_run(task, _send_pages), last=True))
        return
    sys.stdout.buffer.write(msgspec.json.encode(_run(task, _answer), enc_hook=str))
    sys.stdout.buffer.flush()


def _confine(task: Task) -> None:
    """Let the kernel refuse what DuckDB might overlook."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (task.seconds * 4, task.seconds * 4))
    memory = (task.memory_mb + 2_048) * 1_048_576
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _run(task: Task, take: Take) -> Answer:
    try:
        connection = _open(task)
        kinds = [statement.type for statement in connection.extract_statements(task.sql)]
        if kinds != [duckdb.StatementType.SELECT]:
            return Answer(refused="Only a single SELECT statement can be run.")
        try:
            return take(connection.execute(task.sql), task.rows)
        except duckdb.CatalogException as error:
            return Answer(refused=_explained(connection, task, str(error).strip()))
    except _Held as error:
        return Answer(unavailable=str(error))
    except duckdb.OutOfMemoryException:
        return Answer(refused=f"The query needs more than the {task.memory_mb} MB that it may use.")
    except duckdb.Error as error:
        return Answer(refused=str(error).strip())
    except MemoryError:
        return Answer(refused="The query needs more memory than it may use.")


def _explained(connection: duckdb.DuckDBPyConnection, task: Task, said: str) -> str:
    """What DuckDB said, and when it missed a table, which there are and when others come."""
    missed = _NO_TABLE.search(said)
    if missed is None:
        return said
    found = connection.execute(_TABLES, [list(task.warehouses)]).fetchmany(_NAMED + 1)
    first = next(iter(task.warehouses), "")
    names = [f"{schema}.{table}" if base == first else f"{base}.{schema}.{table}" for base, schema, table in found]
    there = ", ".join(names[:_NAMED]) + (", and more" if len(names) > _NAMED else "")
    return (
        f"There is no table {missed[1]}. A load makes a table when the first event for it is loaded, and there is one"
        f" every {task.load_every:g} s; `events` has every event at once."
        + (f" Tables so far: {there}." if there else " Nothing has been loaded yet.")
    )


class _Held(Exception):
    """A warehouse's file is open elsewhere for too long."""


def _open(task: Task) -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "memory_limit": f"{task.memory_mb}MB",
        "threads": 2,
        "temp_directory": "",
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    for name, path in task.warehouses.items():
        _attach(connection, name, path, wait=task.seconds / 3)
    _show_events(connection, task)
    connection.execute("SET allowed_paths = ?", [task.parts])
    connection.execute("SET enable_external_access = false")
    if task.warehouses:
        connection.execute(f"USE {_quoted(next(iter(task.warehouses)))}")
    connection.execute("SET lock_configuration = true")
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, name: str, path: str, *, wait: float) -> None:
    """Attach a warehouse to read, as soon as no load has it open."""
    patience = time.monotonic() + wait
    statement = f"ATTACH '{path.replace(chr(39), chr(39) * 2)}' AS {_quoted(name)} (READ_ONLY)"
    while True:
        try:
            connection.execute(statement)
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > patience:
                raise _Held(f'The warehouse "{name}" cannot be opened just now; a load may be running.') from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _show_events(connection: duckdb.DuckDBPyConnection, task: Task) -> None:
    """Make the view `events`."""
    import pyarrow as pa

    with pa.ipc.open_stream(io.BytesIO(task.live)) as stream:
        connection.register("live_events", stream.read_all())
    # The columns are those of the live events; files that were written before a column was have it empty.
    parts = ["SELECT * FROM live_events WHERE false"]
    if task.parts:
        listed = ", ".join(f"'{path.replace(chr(39), chr(39) * 2)}'" for path in task.parts)
        read = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
        parts.append(f"SELECT * FROM {read}")  # noqa: S608 - quoted
    parts.append("SELECT * FROM live_events")
    connection.execute(f"CREATE TEMP VIEW events AS {' UNION ALL BY NAME '.join(parts)}")


def _answer(found: duckdb.DuckDBPyConnection, most: int) -> Answer:
    about = found.description or []
    rows: list[list[Any]] = []
    size = 0
    truncated = False
    while not truncated and (fetched := found.fetchmany(_FETCH)):
        for row in fetched:
            cells = [_sayable(cell) for cell in row]
            size += len(msgspec.json.encode(cells, enc_hook=str))
            if len(rows) == most or size > _ANSWER_BYTES:
                truncated = True
                break
            rows.append(cells)
    return Answer([str(column[0]) for column in about], [str(column[1]) for column in about], rows, truncated)


def _sayable(cell: Any) -> Any:
    """A cell as JSON can say it: what browsers would round is written as text."""
    if isinstance(cell, int) and not -(2**63) <= cell < 2**63:
        return str(cell)
    return cell


def _send_pages(found: duckdb.DuckDBPyConnection, most: int) -> Answer:
    """Send the rows, and return what is to be said in the end. The first page has the columns, and may have no row."""
    about = found.description or []
    _send(Answer([str(column[0]) for column in about], [str(column[1]) for column in about]))
    rows: list[list[Any]] = []
    count = size = 0
    while fetched := found.fetchmany(_FETCH):
        for row in fetched:
            if count == most:
                _send(Answer(rows=rows))
                return Answer(truncated=True)
            cells = [_trait_of(cell) for cell in row]
            rows.append(cells)
            count += 1
            size += sum(len(cell) for cell in cells if isinstance(cell, str))
            if len(rows) == _PAGE_ROWS or size > _PAGE_CHARS:
                _send(Answer(rows=rows))
                rows, size = [], 0
    return Answer(rows=rows)


def _send(page: Answer) -> None:
    content = msgspec.json.encode(page)
    sys.stdout.buffer.write(len(content).to_bytes(4, "big") + content)
    sys.stdout.buffer.flush()


def _trait_of(cell: Any) -> str | int | float | None:
    """A cell as text or a number (profiles-governance 3.5). Moments are in UTC; yes and no are words."""
    match cell:
        case None:
            return None
        case bool():
            return "true" if cell else "false"
        case int():
            return cell if -(2**63) <= cell < 2**63 else str(cell)
        case float():
            return cell if isfinite(cell) else None
        case Decimal():
            whole = cell == cell.to_integral_value()
            return int(cell) if whole and abs(cell) < 2**63 else float(cell)
        case datetime():
            moment = cell.astimezone(UTC) if cell.tzinfo else cell
            return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case date() | time_of_day():
            return cell.isoformat()
        case _:
            return str(cell)[:_CELL_CHARS]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
