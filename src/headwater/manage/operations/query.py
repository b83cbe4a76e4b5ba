"""SQL over what the house keeps: the archive, what is not archived yet, and DuckDB warehouses. Headwater's own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.spec.errors import Unavailable
from headwater.spec.wire import JSON
from headwater.warehouse.query import query

MAX_QUERIES = 4
_running: set[object] = set()


class QueryEvents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A query."""

    sql: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100_000,
            description="One SELECT in DuckDB's SQL, over `events` or the tables of DuckDB warehouses.",
        ),
    ]


class QueryEventsAnswer(Shape, frozen=True, kw_only=True):
    """Rows, in the order of `columns`; `types` are DuckDB's. `truncated`: there were more than may be shown."""

    columns: list[str]
    types: list[str]
    rows: list[list[JSON]]
    truncated: bool


@operation("POST", "/headwater/query", scope="events:read", tag="Events", changes=False)
async def query_events(desk: Desk, request: QueryEvents) -> QueryEventsAnswer:
    """Run an SQL query over all events kept and over DuckDB warehouses; it can only read."""
    with among_few():
        workspace = await desk.workspace()
        found = await query(
            request.sql,
            folder=desk.folder,
            log=desk.log,
            settings=desk.settings.warehouse,
            warehouses=workspace.all_warehouses,
        )
    return QueryEventsAnswer(
        columns=list(found.columns), types=list(found.types), rows=found.rows, truncated=found.truncated
    )


@contextmanager
def among_few() -> Generator[None]:
    """Run a query inside. Raises Unavailable when as many run as may."""
    if len(_running) >= MAX_QUERIES:
        raise Unavailable(f"{MAX_QUERIES} queries run already; try again when one has ended.", retry_after=2)
    mine = object()
    _running.add(mine)
    try:
        yield
    finally:
        _running.discard(mine)
