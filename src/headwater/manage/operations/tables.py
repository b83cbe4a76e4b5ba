"""Which tables an SQL query can name. Headwater's own."""

from __future__ import annotations

import msgspec

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import AnyWarehouse
from headwater.store import loads
from headwater.warehouse.query import Table, list_tables

_GOOD = ("success", "partial")


class ListQueryTables(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing needs to be said."""


class QueryColumn(Shape, frozen=True, kw_only=True):
    """A column, with its type in DuckDB's words."""

    name: str
    type: str


class QueryTable(Shape, frozen=True, kw_only=True):
    """A table. `sql` is how a query names it, quoted where that is needed.

    `rows` is null where counting is not cheap. `freshAt` is up to when its events are in it: null when nothing was
    loaded yet, and the moment of the answer for `events`, which holds every event at once.
    """

    sql: str
    warehouse_id: str
    database: str
    schema: str
    name: str
    columns: list[QueryColumn]
    rows: int | None
    fresh_at: str | None


class ListQueryTablesAnswer(Shape, frozen=True, kw_only=True):
    """Tables, `events` first, then those of each DuckDB warehouse."""

    tables: list[QueryTable]


@operation("GET", "/headwater/query/tables", scope="events:read", tag="Events")
async def list_query_tables(desk: Desk, request: ListQueryTables) -> ListQueryTablesAnswer:
    """List the tables that an SQL query can name, with their columns."""
    warehouses = (await desk.workspace()).all_warehouses
    found = await list_tables(folder=desk.folder, settings=desk.settings.warehouse, warehouses=warehouses)
    fresh = {one.id: await _loaded_at(desk, one) for one in warehouses if one.engine == "duckdb"}
    return ListQueryTablesAnswer(tables=[_show(one, fresh, desk.now) for one in found])


async def _loaded_at(desk: Desk, warehouse: AnyWarehouse) -> int | None:
    """When the newest load that succeeded began: the events before it are in."""
    kept = await desk.store.read(lambda connection: loads.list_loads(connection, warehouse.id, limit=20))
    return next((one.started_at for one in kept if one.state in _GOOD), None)


def _show(table: Table, fresh: dict[str, int | None], now: int) -> QueryTable:
    at = fresh.get(table.warehouse_id) if table.warehouse_id else now
    return QueryTable(
        sql=table.sql,
        warehouse_id=table.warehouse_id,
        database=table.database,
        schema=table.schema,
        name=table.name,
        columns=[QueryColumn(name=name, type=type) for name, type in table.columns],
        rows=table.rows,
        fresh_at=None if at is None else format_moment(at),
    )
