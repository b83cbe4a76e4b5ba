"""The first rows of an SQL trait's query, as they would be told. Nothing is told and nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from headwater.spec.sql_trait import Cell, Discard, SqlTrait
from headwater.warehouse.pages import Page
from headwater.warehouse.sql_traits.rules import Columns, call, read_columns, read_row


class Sample(msgspec.Struct):
    """What became of the first rows: calls, and by their place the rows that were left out."""

    columns: list[str]
    rows: int = 0
    calls: list[dict[str, Any]] = []
    discarded: list[tuple[int, Discard]] = []
    truncated: bool = False


async def sample(trait: SqlTrait, found: AsyncGenerator[Page]) -> Sample:
    """Look at all rows found. Raises SenderError with what is wrong with the query or its columns."""
    sample = Sample([])
    columns: Columns | None = None
    seen: set[str] = set()
    async with aclosing(found):
        async for page in found:
            if columns is None:
                columns = read_columns(page.columns, page.types, trait.key)
                sample.columns = page.columns
            for cells in page.rows:
                _take(cells, columns, trait, seen, sample)
            sample.truncated |= page.truncated
    return sample


def _take(cells: list[Cell], columns: Columns, trait: SqlTrait, seen: set[str], sample: Sample) -> None:
    row = read_row(cells, columns)
    at, sample.rows = sample.rows, sample.rows + 1
    if isinstance(row, str):
        sample.discarded.append((at, row))
        return
    name = f"\0{row.link}" if row.link else row.key
    if name in seen:
        sample.discarded.append((at, "duplicate_key"))
        return
    seen.add(name)
    made = call(trait, row, sequence=0)
    del made["messageId"]
    sample.calls.append(msgspec.json.decode(msgspec.json.encode(made)))
