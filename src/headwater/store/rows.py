"""Many rows at once: those of some profiles, rows in the place of those with the same keys, and values in pages.

What is asked and written for nearly every event is handed to the driver as it is: what a statement of SQLAlchemy does
for each row costs as much as the database does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

T = TypeVar("T")
_PAGE: Final = 500


def pages(values: Iterable[T]) -> Iterator[list[T]]:
    """Values in lists that fit into one statement."""
    listed = list(values)
    for start in range(0, len(listed), _PAGE):
        yield listed[start : start + _PAGE]


def of_profiles(
    connection: Connection, column: sa.Column[bytes], partition: int, ids: Iterable[str]
) -> dict[str, bytes]:
    """What stands in a column for these profiles and a partition; those that have no row are left out."""
    listed = list(ids)
    if not listed:
        return {}
    dialect = connection.dialect.name
    asked = listed if dialect == "postgresql" else msgspec.json.encode(listed).decode()
    rows = connection.exec_driver_sql(_choice(dialect, column), (partition, asked))
    return {row[0]: bytes(row[1]) for row in rows}


@cache
def _choice(dialect: str, column: sa.Column[bytes]) -> str:
    these = "= ANY(%s::text[])" if dialect == "postgresql" else "IN (SELECT value FROM json_each(?))"
    sign = "%s" if dialect == "postgresql" else "?"
    return f'SELECT profile_id, {column.name} FROM {column.table} WHERE "partition" = {sign} AND profile_id {these}'  # noqa: S608 - ours


def put(connection: Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put rows, each with a value for every column of the table, in the place of those with the same keys.

    Values go to the driver as they are: text, whole numbers and bytes.
    """
    if rows:
        connection.exec_driver_sql(_upsert(connection.dialect.name, table), list(rows))


@cache
def _upsert(dialect: str, table: sa.Table) -> str:
    keys = [column.name for column in table.primary_key]
    names = [column.name for column in table.columns]
    sign = "%s" if dialect == "postgresql" else "?"
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    return (
        f"INSERT INTO {table.name} ({_listed(names)}) VALUES ({', '.join([sign] * len(names))})"  # noqa: S608 - ours
        f" ON CONFLICT ({_listed(keys)}) DO UPDATE SET {changes}"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
