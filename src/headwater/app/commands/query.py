"""`headwater query`: SQL over events and warehouses."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from headwater.app.commands import flags, output
from headwater.app.commands.client import Client, find_house
from headwater.spec.errors import SetupError

PATH = "/headwater/query"
"""Where the operation `query` is."""

_PATIENCE_SECONDS = 600.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Events")(query)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT statement; @FILE reads it from a file.")],
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    url: flags.Url = "",
    token: flags.Token = "",
    data: flags.Folder = "",
) -> None:
    """Ask the events and the DuckDB warehouses in SQL.

    `events` has a row for every event that is kept. Each source is a schema of the warehouse with a table for each
    event name, `tracks`, `identifies`, `users`, `pages` and so on.

    \b
    Examples:
      headwater query "SELECT type, count(*) FROM events GROUP BY 1"
      headwater query "SELECT event, count(*) FROM first_source.tracks GROUP BY 1"
      headwater query @report.sql --csv > report.csv
    """
    if json and as_csv:
        raise typer.BadParameter("Choose one of them.", param_hint="--json, --csv")
    client = Client.of_house(find_house(url=url, token=token, data=data), seconds=_PATIENCE_SECONDS)
    found: dict[str, Any] = client.ask("POST", PATH, body={"sql": _statement(sql)})
    columns: list[str] = found["columns"]
    rows: list[list[Any]] = found["rows"]
    if json:
        output.print_json(found)
    elif as_csv:
        _write_csv(columns, rows)
    else:
        output.show(output.table(columns, rows))
    if found.get("truncated"):
        output.say(f"Only the first {len(rows)} rows are shown; the query has more.", error=True)


def _statement(sql: str) -> str:
    if not sql.startswith("@"):
        return sql
    try:
        return Path(sql[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{sql[1:]} cannot be read: {error}.") from error


def _write_csv(columns: list[str], rows: list[list[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(value) for value in row] for row in rows)
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode() if isinstance(value, (dict, list)) else value
