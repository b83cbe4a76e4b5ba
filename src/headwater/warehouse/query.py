"""SQL over the archive, the events not archived yet, and the DuckDB warehouses.

`events` has a row for every event kept, with the columns of the archive (`warehouse/archive.py`). Each DuckDB warehouse
is attached under its name, written as schemas are, and for the first one the name may be left out:
`select * from site.tracks`.
The query runs in a process of its own (`warehouse/sandbox.py`), which is killed when its time is up.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from headwater.eventlog.streams import PROCESSED
from headwater.spec.errors import SenderError, SetupError, Unavailable
from headwater.warehouse.narrowing import ALL, TREE, Days, days_of
from headwater.warehouse.reading import ARCHIVE_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headwater.eventlog import EventLog
    from headwater.spec.settings import WarehouseSettings
    from headwater.spec.wire import JSON
    from headwater.spec.workspace import AnyWarehouse
    from headwater.warehouse.archive import Part
    from headwater.warehouse.casting import ArrowTable
    from headwater.warehouse.files import Files

_LIVE_RECORDS: Final = 200_000
_LIVE_BYTES: Final = 256_000_000
"""More that is not archived yet would fill the memory, and the answer from a part of it would be wrong."""

_LIVE_CHUNK: Final = 2_000
_TRIES: Final = 5
_PLAIN: Final = re.compile("[a-z][a-z0-9_]*")
_TABLES: Final = """
    SELECT c.database_name, c.schema_name, c.table_name, any_value(t.estimated_size),
        list(c.column_name ORDER BY c.column_index), list(c.data_type ORDER BY c.column_index)
    FROM duckdb_columns() c LEFT JOIN duckdb_tables() t USING (database_name, schema_name, table_name)
    WHERE c.database_name NOT IN ('system', 'memory', 'temp')
        OR (c.database_name = 'temp' AND c.table_name = 'events')
    GROUP BY ALL
    ORDER BY 1, 2, 3
"""


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """Rows of a query as JSON values, with the names and DuckDB types of the columns.

    `truncated` says that there were more rows than may be shown.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[JSON]]
    truncated: bool


class Table(msgspec.Struct, frozen=True):
    """A table that a query can name: `sql` is how, `columns` are names with DuckDB types in their order.

    `warehouse_id` and `database` are empty for `events`, and `rows` is None where counting is not cheap.
    """

    sql: str
    warehouse_id: str
    database: str
    schema: str
    name: str
    columns: list[tuple[str, str]]
    rows: int | None = None


async def query(
    sql: str, *, folder: Path, log: EventLog, settings: WarehouseSettings, warehouses: Iterable[AnyWarehouse]
) -> Result:
    """Run one SELECT statement. `folder` is the data folder, `warehouses` are those of the workspace.

    Raises SenderError with what is wrong with the query, also when it takes too long or too much, and Unavailable when
    a warehouse is being loaded and cannot be read just now.
    """
    return await _answered(
        await prepare(sql, folder=folder, log=log, settings=settings, warehouses=warehouses), settings
    )


async def prepare(
    sql: str, *, folder: Path, log: EventLog, settings: WarehouseSettings, warehouses: Iterable[AnyWarehouse]
) -> dict[str, Any]:
    """The task of a query (`warehouse/sandbox.py`), with all that it may read. Raises Unavailable as `query` does."""
    parts, live = await _events(sql, folder, log, settings)
    attached = {name: path for name, (path, _) in _attachable(folder, warehouses).items()}
    return _task(sql, parts, live, attached, settings)


async def list_tables(*, folder: Path, settings: WarehouseSettings, warehouses: Iterable[AnyWarehouse]) -> list[Table]:
    """Every table that a query can name, `events` first. Raises Unavailable as `query` does; no event is read."""
    from headwater.warehouse.archive import SCHEMA

    attached = _attachable(folder, warehouses)
    live = await asyncio.to_thread(_as_stream, [SCHEMA.empty_table()])
    paths = {name: path for name, (path, _) in attached.items()}
    found = await _answered(_task(_TABLES, [], live, paths, settings), settings)
    first = next(iter(attached), "")
    tables: list[Table] = []
    order = list(attached)
    for database, schema, name, rows, columns, types in found.rows:
        pairs = list(zip(columns, types, strict=True))
        if database not in attached:
            tables.append(Table(name, "", "", "", name, pairs))
            continue
        parts = [schema, name] if database == first else [database, schema, name]
        sql = ".".join(part if _PLAIN.fullmatch(part) else _quoted(part) for part in parts)
        tables.append(Table(sql, attached[database][1], database, schema, name, pairs, rows))
    return sorted(tables, key=lambda one: order.index(one.database) if one.database else -1)


def _task(
    sql: str, parts: list[str], live: bytes, attached: dict[str, str], settings: WarehouseSettings
) -> dict[str, Any]:
    return {
        "sql": sql,
        "parts": parts,
        "live": live,
        "warehouses": attached,
        "rows": settings.query_rows,
        "memory_mb": settings.query_memory_mb,
        "seconds": math.ceil(settings.query_seconds),
        "load_every": settings.load_every_seconds,
    }


async def _answered(task: dict[str, Any], settings: WarehouseSettings) -> Result:
    content = await _in_sandbox(msgspec.msgpack.encode(task), settings)
    answer: dict[str, Any] = msgspec.json.decode(content)
    refuse(answer["refused"], answer["unavailable"])
    return Result(tuple(answer["columns"]), tuple(answer["types"]), answer["rows"], answer["truncated"])


def refuse(refused: str, unavailable: str) -> None:
    """Raise what the sandbox said instead of giving rows; nothing if it said nothing."""
    if refused:
        raise SenderError(refused, code="query_refused", field="sql")
    if unavailable:
        raise Unavailable(unavailable)


def too_slow(settings: WarehouseSettings) -> SenderError:
    """What is said of a query whose time is up."""
    return SenderError(f"The query took longer than {settings.query_seconds:g} s.", code="query_too_slow", field="sql")


def too_greedy() -> SenderError:
    """What is said of a query whose process ended without a word."""
    return SenderError("The query needs more memory or time than it may use.", code="query_refused", field="sql")


async def open_sandbox() -> asyncio.subprocess.Process:
    """Start a process that takes one task and answers it. Whoever asks for it ends it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "headwater.warehouse.sandbox"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd="/",
    )


async def _in_sandbox(task: bytes, settings: WarehouseSettings) -> bytes:
    process = await open_sandbox()
    try:
        content, _ = await asyncio.wait_for(process.communicate(task), settings.query_seconds)
    except TimeoutError:
        raise too_slow(settings) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not content:
        raise too_greedy()
    return content


async def _events(sql: str, folder: Path, log: EventLog, settings: WarehouseSettings) -> tuple[list[str], bytes]:
    """Files of the archive, and as an Arrow stream the events that come after them; no event is in both or in none.

    Files of days that the query cannot need are left out where they would have to be fetched.
    """
    from headwater.warehouse.archive import SCHEMA, table
    from headwater.warehouse.files import place_of

    files = await open_archive(settings, folder)
    cursors, parts = await archived(log, files)
    tables = [SCHEMA.empty_table()]
    records = size = 0
    for partition, cursor in cursors.items():
        position = cursor
        while (chunk := await log.read(PROCESSED, partition, position, max_records=_LIVE_CHUNK)).records:
            size += sum(len(record.value) for record in chunk.records)
            records += len(chunk.records)
            if records > _LIVE_RECORDS or size > _LIVE_BYTES:
                raise Unavailable(
                    "Too many events wait for the archive to be asked for; try again later.", retry_after=15
                )
            tables.append(table(partition, chunk))
            position = chunk.next
    days = await _days(sql, settings) if place_of(settings, folder).url else ALL
    wanted = {part.name: part.size for part in parts if any(each.holds(part.day) for each in days)}
    paths = await at_hand(files, wanted, seconds=settings.query_seconds)
    return paths, await asyncio.to_thread(_as_stream, tables)


async def _days(sql: str, settings: WarehouseSettings) -> tuple[Days, ...]:
    """The days that a query can need."""
    from headwater.warehouse.archive import SCHEMA

    quoted = "'" + sql.replace("'", "''") + "'"
    found = await _answered(_task(TREE.format(quoted), [], _as_stream([SCHEMA.empty_table()]), {}, settings), settings)
    if not found.rows:
        return ALL
    try:
        return days_of(msgspec.json.decode(cast("str", found.rows[0][0])), datetime.now(UTC))
    except RecursionError:
        return ALL


async def open_archive(settings: WarehouseSettings, folder: Path) -> Files:
    """The files of the archive; `folder` is the data folder. Raises Unavailable when they cannot be reached."""
    from headwater.warehouse.files import open_files, place_of

    try:
        return await asyncio.to_thread(open_files, place_of(settings, folder))
    except OSError as error:
        raise Unavailable(f"The archive cannot be read: {error}") from error


async def at_hand(files: Files, sizes: Mapping[str, int], *, seconds: float) -> list[str]:
    """Where files of the archive lie on this machine, for so many seconds. Raises Unavailable when they cannot."""
    try:
        return await asyncio.to_thread(files.paths, sizes, seconds=seconds)
    except OSError as error:
        raise Unavailable(f"The archive cannot be read: {error}") from error


async def archived(log: EventLog, files: Files) -> tuple[dict[int, int], list[Part]]:
    """How far the archive reaches in each partition, and exactly its files up to there."""
    from headwater.warehouse.archive import read_name, standing

    for _ in range(_TRIES):
        cursors = {
            partition: await log.committed(ARCHIVE_GROUP, PROCESSED, partition)
            for partition in log.partitions(PROCESSED)
        }
        try:
            sizes = await asyncio.to_thread(files.sizes, tuple(cursors.items()))
            found = [read_name(name, size) for name, size in sizes.items()]
        except OSError as error:
            raise Unavailable(f"The archive cannot be read: {error}") from error
        parts, _covered = standing(part for part in found if part is not None)
        reached = [part for part in parts if part.first < cursors.get(part.partition, 0)]
        if all(part.last < cursors[part.partition] for part in reached):
            return cursors, reached
    raise Unavailable("The archive is being written faster than it can be listed.")


def _as_stream(tables: Sequence[ArrowTable]) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema) as stream:
        for table in tables:
            stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _attachable(folder: Path, warehouses: Iterable[AnyWarehouse]) -> dict[str, tuple[str, str]]:
    """The DuckDB files there are, with the ids of their warehouses, by the name to attach them under.

    Of warehouses that share a file the first counts.
    """
    from headwater.warehouse.engines import Place
    from headwater.warehouse.engines.duckdb import path_of
    from headwater.warehouse.naming import Names

    found: dict[str, tuple[str, str]] = {}
    names = Names()
    for one in warehouses:
        if one.engine != "duckdb":
            continue
        try:
            path = path_of(one.settings, Place(folder / "warehouse", one.id))
        except SetupError:
            continue
        if path.exists() and str(path.absolute()) not in {each for each, _ in found.values()}:
            name = names.schema(one.name) or names.schema(one.id)
            others = (f"{name}_{number}" for number in count(2))
            free = name if name not in found else next(each for each in others if each not in found)
            found[free] = (str(path.absolute()), one.id)
    return found
