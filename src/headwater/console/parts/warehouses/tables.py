"""The tables of a warehouse, with their columns and how fresh they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import quote

from headwater.console.parts.figures import ago_html, count
from headwater.console.parts.pieces import Html, empty, html, link, loading, notice, safe, table_html
from headwater.console.person import Person
from headwater.manage.operations.tables import ListQueryTables, QueryTable, list_query_tables


async def warehouse_tables(person: Person, warehouse_id: str, engine: str) -> None:
    """Show the tables once the browser is there; only those of DuckDB can be seen from here."""
    if engine != "duckdb":
        notice("The tables are in your own database; look at them there.")
        return
    if not person.may("events:read"):
        notice("The tables need the scope events:read, which you do not have.", tone="warning")
        return

    async def show() -> None:
        found = (await person.ask(list_query_tables, ListQueryTables())).tables
        mine = [one for one in found if one.warehouse_id == warehouse_id]
        if mine:
            html(tables_html(mine, int(time.time() * 1000), person.zone))
        else:
            empty("No tables yet", "The first load makes one for each kind of event.")

    await loading(240, show)


def tables_html(tables: Sequence[QueryTable], now: int, zone: str) -> Html:
    """Each table with its columns folded away, and a link that queries it. Pure."""
    return table_html(
        ("Table", "Rows", "Columns", "Events up to", ""),
        (
            (
                Html(f'<span class="mono">{safe(one.sql)}</span>'),
                "–" if one.rows is None else count(one.rows),
                Html(_columns(one)),
                Html(f'<span class="nowrap">{ago_html(one.fresh_at, now, zone)}</span>'),
                link("Query", f"/warehouse/query?sql={quote(' '.join(('SELECT * FROM', one.sql, 'LIMIT 100')))}"),
            )
            for one in tables
        ),
        right=(1,),
        label="Tables",
    )


def _columns(one: QueryTable) -> str:
    rows = "".join(
        f"<div>{safe(column.name)} <span class='soft'>{safe(column.type.lower())}</span></div>"
        for column in one.columns
    )
    return (
        f"<details><summary>{count(len(one.columns))} columns</summary><div class='mono columns'>{rows}</div></details>"
    )
