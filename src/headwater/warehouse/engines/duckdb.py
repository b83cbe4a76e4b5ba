"""DuckDB: a warehouse in one file, which other processes may open to read between loads."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headwater.spec.destination import Field
from headwater.spec.errors import SetupError, Unavailable
from headwater.warehouse.engines import EngineDefinition, Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from headwater.warehouse.casting import ArrowTable, Kind
    from headwater.warehouse.tables import Capabilities, Existing

_TYPES: Final = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
_LONGEST_PATH: Final = 200
_OUTSIDE: Final = (
    "The path of a DuckDB warehouse must be relative, such as lake.duckdb: the file is in the folder warehouse of the "
    "data folder. To have it elsewhere, the operator can mount a disk there."
)
_LARGE_LOAD: Final = 10_000
_MERGED_ONE_IN: Final = 16
_MERGES: Final = 1
"""Of each table, so that a small load which comes after many large ones is not kept for long."""


class DuckDBSession:
    """One transaction on an open file."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._inserted = 0
        self._deleted = False

    def columns(self, schemas: Sequence[str]) -> dict[str, dict[str, Existing]]:
        """See Session."""
        kinds = {word: kind for kind, word in _kinds().items()}
        found: dict[str, dict[str, Existing]] = {}
        query = (
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name IN (SELECT unnest(?))"
        )
        for schema, table, column, word in self._connection.execute(query, [list(schemas)]).fetchall():
            found.setdefault(schema, {}).setdefault(table, {})[column] = kinds.get(word)
        return found

    def create(self, schema: str, table: str, columns: dict[str, Kind]) -> None:
        """See Session."""
        listed = ", ".join(f"{_quoted(name)} {_TYPES[kind]}" for name, kind in columns.items())
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
        self._connection.execute(f"CREATE TABLE {_table(schema, table)} ({listed})")

    def add(self, schema: str, table: str, columns: dict[str, Kind]) -> None:
        """See Session."""
        for name, kind in columns.items():
            self._connection.execute(f"ALTER TABLE {_table(schema, table)} ADD COLUMN {_quoted(name)} {_TYPES[kind]}")

    def known(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int]) -> set[str]:
        """See Session. Numbers are compared first: ten times faster than texts where, as usual, none is found."""
        with self._wanted(ids, uuids):
            target = _table(schema, table)
            numbers = f"SELECT uuid FROM {target} WHERE uuid IN (SELECT uuid FROM wanted)"  # noqa: S608 - quoted
            found = self._connection.execute(numbers).fetchall()
            if not found:
                return set()
            texts = f"SELECT id FROM {target} WHERE id IN (SELECT id FROM wanted)"  # noqa: S608 - quoted
            return {row[0] for row in self._connection.execute(texts).fetchall()}

    def rows(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int], *, by: str = "id") -> ArrowTable:
        """See Session."""
        with self._wanted(ids, uuids):
            target = _table(schema, table)
            query = f"SELECT * FROM {target} WHERE {_quoted(by)} IN (SELECT id FROM wanted)"  # noqa: S608 - quoted
            return self._connection.sql(query).to_arrow_table()

    def delete(self, schema: str, table: str, ids: Sequence[str], uuids: Sequence[int], *, by: str = "id") -> None:
        """See Session."""
        with self._wanted(ids, uuids):
            target = _table(schema, table)
            query = f"DELETE FROM {target} WHERE {_quoted(by)} IN (SELECT id FROM wanted)"  # noqa: S608 - quoted
            self._connection.execute(query)
        self._deleted = True

    def insert(self, schema: str, table: str, rows: ArrowTable) -> None:
        """See Session."""
        self._connection.register("incoming", rows)
        try:
            query = f"INSERT INTO {_table(schema, table)} BY NAME SELECT * FROM incoming"  # noqa: S608 - quoted
            self._connection.execute(query)
        finally:
            self._connection.unregister("incoming")
        self._inserted += rows.num_rows

    def commit(self) -> None:
        """End the transaction. Small loads have DuckDB merge the groups of rows that they and those before them left.

        That writes every row three times over, so large loads, whose groups are large enough to be read fast, do
        without; now and then one that removed rows has their room freed.
        """
        kept = not self._deleted or random.randrange(_MERGED_ONE_IN)  # noqa: S311 - nothing to guess
        merges = 0 if self._inserted >= _LARGE_LOAD and kept else _MERGES
        self._connection.execute(f"SET max_vacuum_tasks = {merges}")
        self._connection.commit()

    @contextmanager
    def _wanted(self, ids: Sequence[str], uuids: Sequence[int]) -> Generator[None]:
        import pyarrow as pa

        table = pa.table({"id": pa.array(ids, pa.string()), "uuid": pa.array(uuids, pa.int64())})
        self._connection.register("wanted", table)
        try:
            yield
        finally:
            self._connection.unregister("wanted")


def path_of(settings: Mapping[str, Any], place: Place) -> Path:
    """The file of a warehouse, always inside the folder of warehouses. Raises SetupError for a setting that leaves it.

    Whoever may set a warehouse up could otherwise name any file of the machine, to be read or written.
    """
    _fits(settings)
    path = place.folder / (settings.get("path") or f"{place.warehouse_id}.duckdb")
    # A link there may lead elsewhere; what it leads to counts.
    if not path.resolve().is_relative_to(place.folder.resolve()):
        raise SetupError(_OUTSIDE)
    return path


def _fits(settings: Mapping[str, Any]) -> None:
    path = settings.get("path") or ""
    parts = path.split("/") if isinstance(path, str) else []
    odd = not parts or "\0" in path or "\\" in path or len(path.encode("utf-8", "replace")) > _LONGEST_PATH
    if odd or (path and not {"", ".", ".."}.isdisjoint(parts)):
        raise SetupError(_OUTSIDE)


@contextmanager
def _open(settings: dict[str, Any], place: Place) -> Generator[DuckDBSession]:
    import duckdb

    from headwater.warehouse.attaching import attached, first_line

    try:
        with attached(path_of(settings, place)) as connection:
            connection.begin()
            session = DuckDBSession(connection)
            yield session
            session.commit()
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.FatalException) as error:
        raise Unavailable(f"DuckDB could not finish the load: {first_line(error)}", retry_after=5.0) from error
    except duckdb.Error as error:
        raise SetupError(f"DuckDB refused the load: {first_line(error)}") from error


def _check(settings: dict[str, Any], place: Place) -> None:
    with _open(settings, place) as session:
        session.columns(["main"])


def _capabilities() -> Capabilities:
    from headwater.warehouse.tables import Capabilities

    return Capabilities(identifier_bytes=255, columns=5_000, upsert_columns=5_000)


def _kinds() -> dict[Kind, str]:
    from headwater.warehouse.casting import Kind

    return {Kind(kind): word for kind, word in _TYPES.items()}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _table(schema: str, table: str) -> str:
    return f"{_quoted(schema)}.{_quoted(table)}"


definition = EngineDefinition(
    name="DuckDB",
    description="A database in one file: nothing to install, fast to query, read by many tools.",
    local=True,
    fields=(
        Field(
            key="path",
            label="File",
            description="Name of the file, in the folder warehouse of the data folder; empty: named after the id.",
        ),
    ),
    capabilities=_capabilities,
    open=_open,
    check=_check,
    fits=_fits,
)
