"""One run: read the rows to the end, then tell what is new, what changed, and what is gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from headwater.eventlog import EventLog
from headwater.eventlog.streams import COLLECTED
from headwater.profiles.batches import batches
from headwater.spec.errors import SenderError
from headwater.spec.sql_trait import Cell, SqlTrait
from headwater.warehouse.pages import Page
from headwater.warehouse.sql_traits.memory import Memory
from headwater.warehouse.sql_traits.rules import Columns, Row, call, context, read_columns, read_row

_TOLD_AT_ONCE: Final = 2_000

Tell = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]
"""Appends calls; returns when they are durable."""


class Tally(msgspec.Struct):
    """What a run has come to so far."""

    rows: int = 0
    changed: int = 0
    vanished: int = 0
    discarded: Counter[str] = msgspec.field(default_factory=Counter)


async def run(trait: SqlTrait, found: AsyncGenerator[Page], *, memory: Memory, tell: Tell, tally: Tally) -> None:
    """Run an SQL trait, whose query gives `found`, and count what becomes of its rows.

    Raises SenderError for columns or rows that cannot be taken, and whatever reading and telling raise.
    """
    sequence = await _stage(trait, found, memory, tally)
    last: Row | None = None
    while rows := await asyncio.to_thread(memory.changed, last, _TOLD_AT_ONCE):
        await tell([call(trait, row, sequence=sequence) for row in rows])
        await asyncio.to_thread(memory.told, rows)
        tally.changed += len(rows)
        last = rows[-1]
    last = None
    while gone := await asyncio.to_thread(memory.gone, last, _TOLD_AT_ONCE):
        rows = [row for row, _ in gone]
        # Somebody who left a company is not linked to it once more by what is said of the company.
        about = [msgspec.structs.replace(row, link="") for row, still in gone if not still]
        await tell([call(trait, row, sequence=sequence) for row in about])
        await asyncio.to_thread(memory.forget, rows)
        tally.vanished += len(rows)
        last = rows[-1]
    await asyncio.to_thread(memory.end)


async def _stage(trait: SqlTrait, found: AsyncGenerator[Page], memory: Memory, tally: Tally) -> int:
    columns: Columns | None = None
    sequence = 0
    async with aclosing(found):
        async for page in found:
            if columns is None:
                columns = read_columns(page.columns, page.types, trait.key)
                sequence = await asyncio.to_thread(memory.begin, columns.names)
            if page.truncated:
                raise SenderError(f"The query gives more than {tally.rows:,} rows.", code="query_refused", field="sql")
            await asyncio.to_thread(_take, page.rows, columns, memory, tally)
    return sequence


def _take(rows: Sequence[Sequence[Cell]], columns: Columns, memory: Memory, tally: Tally) -> None:
    tally.rows += len(rows)
    taken: list[Row] = []
    for cells in rows:
        row = read_row(cells, columns)
        if isinstance(row, Row):
            taken.append(row)
        else:
            tally.discarded[row] += 1
    if taken and (repeated := len(taken) - memory.stage(taken)):
        tally.discarded["duplicate_key"] += repeated


def teller(log: EventLog, source_id: str, trait: SqlTrait) -> Tell:
    """Tells by appending batches of a source to `collected`, each call to the partition that collect would choose."""
    partitions = len(log.partitions(COLLECTED))

    async def tell(calls: Sequence[dict[str, Any]]) -> None:
        records = await asyncio.to_thread(
            batches, calls, source_id=source_id, context=context(trait), partitions=partitions
        )
        for partition, found in records.items():
            await log.append(COLLECTED, partition, found)

    return tell
