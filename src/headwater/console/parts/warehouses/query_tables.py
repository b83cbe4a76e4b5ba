"""The tables that a query can name, as a list to look at or to pick from. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.console.parts.figures import short_count
from headwater.console.parts.pieces import Html, safe
from headwater.manage.operations.tables import QueryTable


def picking_html(tables: Sequence[QueryTable]) -> Html:
    """Every table with its columns as buttons; what each puts into a query is in `data-insert`."""
    return Html("".join(_table(one, open=at == 0) for at, one in enumerate(tables)))


def _table(one: QueryTable, *, open: bool) -> str:
    rows = "" if one.rows is None else f"<small>{short_count(one.rows)} rows</small>"
    columns = "".join(
        f'<button type="button" class="plain" data-insert="{safe(quoted(column.name))}">{safe(column.name)} '
        f"<small>{safe(column.type.lower())}</small></button>"
        for column in one.columns
    )
    return (
        f"<details{' open' if open else ''}><summary><span>{safe(one.sql)}</span> {rows}</summary>"
        f'<button type="button" class="plain use" data-insert="{safe(one.sql)}">Insert the name</button>'
        f"{columns}</details>"
    )


def quoted(column: str) -> str:
    """A column as a query names it."""
    plain = column.isascii() and column.isidentifier() and column == column.lower()
    return column if plain else '"' + column.replace('"', '""') + '"'
