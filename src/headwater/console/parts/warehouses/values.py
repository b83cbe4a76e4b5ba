"""Results of a query as people want them: cells, order, CSV, a guess at a chart, and where an error is. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from headwater.console.parts.charts import Kind, Series, series_options
from headwater.spec.wire import JSON

_TIMES: Final = ("TIMESTAMP", "DATE")
_NUMBERS: Final = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)
_FRACTIONS: Final = ("FLOAT", "DOUBLE", "DECIMAL", "UHUGEINT")
_FORMULA: Final = ("=", "+", "-", "@")
_LINE: Final = re.compile(r"LINE (\d+): ")
_CELL: Final = 300
_POINTS: Final = 2_000
_LINES: Final = 6


class Found(msgspec.Struct, frozen=True):
    """What a query found. `types` are DuckDB's, in the order of `columns`."""

    columns: list[str]
    types: list[str]
    rows: list[list[JSON]]


class Axes(msgspec.Struct, frozen=True):
    """Which columns a chart shows, by their places, and how."""

    across: int
    up: tuple[int, ...]
    kind: Kind


def is_time(type: str) -> bool:
    """Is a column of this type a place in time?"""
    return type.upper().startswith(_TIMES)


def is_number(type: str) -> bool:
    """Can a column of this type be drawn?"""
    name = type.upper().partition("(")[0]
    return name in _NUMBERS or name in _FRACTIONS


def guess(found: Found) -> Axes | None:
    """The chart that is probably wanted: the first column of time (or the first that is no number) against numbers."""
    numbers = [at for at, type in enumerate(found.types) if is_number(type)]
    times = [at for at, type in enumerate(found.types) if is_time(type)]
    others = [at for at in range(len(found.columns)) if at not in numbers]
    across = (times or others or numbers)[:1]
    up = [at for at in numbers if at not in across]
    if not across or not up or not found.rows:
        return None
    kind: Kind = "line" if times and len(found.rows) > 2 else "bar"
    return Axes(across[0], tuple(up[:_LINES]), kind)


def chart_options(found: Found, axes: Axes) -> dict[str, Any]:
    """The chart of some columns, of at most 2,000 rows; on an axis of time in the order of time."""
    timed = is_time(found.types[axes.across])
    rows = [row for row in found.rows[:_POINTS] if row[axes.across] is not None or not timed]
    if timed:
        rows = sorted(rows, key=lambda row: str(row[axes.across]))
    series = [Series(name=found.columns[at], values=[_number(row[at]) for row in rows]) for at in axes.up]
    places = [text(row[axes.across]) for row in rows]
    return series_options(places, series, kind=axes.kind, axis="time" if timed else "category")


def text(value: JSON) -> str:
    """A value as one reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def short(value: JSON) -> str:
    """A value for a cell, cut when it is long."""
    whole = text(value)
    return whole if len(whole) <= _CELL else f"{whole[:_CELL]}…"


def in_order(rows: Sequence[list[JSON]], column: int, *, down: bool) -> list[list[JSON]]:
    """Rows by a column: numbers by size, all else as text; null is last."""
    there = [row for row in rows if row[column] is not None]
    nulls = [row for row in rows if row[column] is None]
    return sorted(there, key=lambda row: _weight(row[column]), reverse=down) + nulls


def as_csv(found: Found) -> str:
    """All rows as CSV with a line of names, quoted where needed.

    Text that a spreadsheet would run as a formula gets an apostrophe before it: events are written by strangers.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_plain(name) for name in found.columns])
    writer.writerows([_plain(value) for value in row] for row in found.rows)
    return out.getvalue()


def _plain(value: JSON) -> str:
    if isinstance(value, str) and value.lstrip().startswith(_FORMULA) and _number(value) is None:
        return f"'{value}"
    return text(value)


def position(message: str, sql: str) -> tuple[int, int] | None:
    """The line and column, from 1, that an error points to; None when it points nowhere."""
    lines = message.splitlines()
    for at, line in enumerate(lines[:-1]):
        found = _LINE.match(line)
        mark = lines[at + 1].find("^")
        if found is None or mark < found.end():
            continue
        number = int(found[1])
        written = sql.splitlines()
        if not 1 <= number <= len(written):
            return None
        return number, _column(line[found.end() :], mark - found.end(), written[number - 1])
    return None


def _column(shown: str, mark: int, written: str) -> int:
    """Where a mark below a line that was cut to be shown stands in the line as it was written."""
    if not shown.startswith("..."):
        return mark + 1
    whole = shown[3:].removesuffix("...")
    start = written.find(whole)
    return (start + mark - 3 if start >= 0 else mark) + 1


def _weight(value: JSON) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    number = _number(value)
    return (0, number, "") if number is not None else (1, 0.0, text(value).casefold())


def _number(value: JSON) -> float | None:
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None
