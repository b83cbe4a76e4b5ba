"""Copying every table of one store into an empty other, in one transaction, and proving that all came over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SetupError
from headwater.store.schema import leases, metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store

_BATCH: Final = 1_000
_WRAP: Final = 2**64
_STAYING: Final = {leases.name}
"""Who holds a lease on the old machine is nothing to the new ones."""

TABLES: Final = [table for table in metadata.sorted_tables if table.name not in _STAYING]
"""In an order in which what is referred to comes first."""

_json = msgspec.json.Encoder(order="sorted").encode
_pack = msgspec.msgpack.Encoder().encode


class Sum(msgspec.Struct, frozen=True):
    """How many rows a table has, and a checksum over all of them in whatever order."""

    rows: int = 0
    check: int = 0


def count(store: Store) -> dict[str, int]:
    """How many rows each table has; no tables when none were made yet."""

    def ask(connection: Connection) -> dict[str, int]:
        standing = set(sa.inspect(connection).get_table_names())
        query = sa.select(sa.func.count())
        return {
            table.name: connection.execute(query.select_from(table)).scalar_one()
            for table in TABLES
            if table.name in standing
        }

    return store.run(ask, write=False)


def copy(
    source: Store, target: Store, note: Callable[[Connection], None], tell: Callable[[int], None]
) -> dict[str, Sum]:
    """Copy all rows, check them, and `note` something beside them: all or nothing. Returns what each table came to.

    `tell` hears of rows copied. The target's tables stand and are empty. Raises SetupError when what came over is not
    what was there; nothing is then in the target.
    """

    def change(into: Connection) -> dict[str, Sum]:
        return source.run(lambda connection: _copy_all(connection, into, note, tell), write=False)

    return target.run(change)


def _copy_all(
    source: Connection, into: Connection, note: Callable[[Connection], None], tell: Callable[[int], None]
) -> dict[str, Sum]:
    sums: dict[str, Sum] = {}
    for table in TABLES:
        sums[table.name] = _copy(source, into, table, tell)
    for table in TABLES:
        came = _add(row for rows in _read(into, table) for row in rows)
        if came != sums[table.name]:
            raise SetupError(
                f"The table {table.name} has {sums[table.name].rows} rows, and {came.rows} came over, or others. "
                "Nothing was moved; please report it."
            )
    note(into)
    return sums


def _copy(source: Connection, into: Connection, table: sa.Table, tell: Callable[[int], None]) -> Sum:
    total = Sum()
    for rows in _read(source, table):
        clean = [{name: _storable(value) for name, value in row.items()} for row in rows]
        into.execute(table.insert(), clean)
        added = _add(clean)
        total = Sum(total.rows + added.rows, (total.check + added.check) % _WRAP)
        tell(len(rows))
    if total.rows and into.dialect.name == "postgresql":
        _continue_numbers(into, table)
    return total


def _read(connection: Connection, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    """All rows; those that others of the table refer to come first."""
    own = [column for column in table.columns for key in column.foreign_keys if key.column.table is table]
    query = sa.select(table).order_by(*(column.is_not(None) for column in own))
    found = connection.execute(query.execution_options(yield_per=_BATCH))
    for rows in found.mappings().partitions(_BATCH):
        yield [dict(row) for row in rows]


def _storable(value: Any) -> Any:
    """PostgreSQL's text holds no NUL, which SQLite's may; its JSON keeps the text as it is."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def _add(rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Sum:
    number = check = 0
    for row in rows:
        number += 1
        packed = _pack([_json(value) if isinstance(value, dict | list) else value for value in row.values()])
        check += int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest())
    return Sum(number, check % _WRAP)


def _continue_numbers(connection: Connection, table: sa.Table) -> None:
    """Rows that come later get numbers behind those that came over."""
    for column in table.primary_key.columns:
        if column.autoincrement is True:
            asked = sa.select(sa.func.pg_get_serial_sequence(table.name, column.name))
            sequence = connection.execute(asked).scalar()
            if sequence is not None:
                highest = sa.select(sa.func.max(column)).scalar_subquery()
                connection.execute(sa.select(sa.func.setval(sequence, highest)))
