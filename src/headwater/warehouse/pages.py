"""The rows of a query, page by page, so that a million of them need no more memory than a few thousand.

The query runs as `warehouse/query.py` runs it, and cells are what a trait can be. While pages are read, the process
holds the warehouses open to read and no load can write to them; whoever asks should not dawdle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.spec.errors import Unavailable
from headwater.spec.sql_trait import Cell
from headwater.warehouse.query import open_sandbox, prepare, refuse, too_greedy, too_slow

if TYPE_CHECKING:
    from headwater.eventlog import EventLog
    from headwater.spec.settings import WarehouseSettings
    from headwater.spec.workspace import Warehouse

_LONGEST_PAGE: Final = 256_000_000


class Page(msgspec.Struct, frozen=True):
    """Some rows. The first page has the columns and their DuckDB types; `truncated` says that there were more rows."""

    columns: list[str] = []
    types: list[str] = []
    rows: list[list[Cell]] = []
    truncated: bool = False
    refused: str = ""
    unavailable: str = ""
    last: bool = False


_decode = msgspec.json.Decoder(Page).decode


async def pages(
    sql: str,
    *,
    folder: Path,
    log: EventLog,
    settings: WarehouseSettings,
    warehouses: Iterable[Warehouse],
    stopping: asyncio.Event | None = None,
) -> AsyncGenerator[Page]:
    """Run one SELECT and yield what it gives, at most `query_rows` rows in at most `query_seconds`.

    Raises SenderError with what is wrong with the query, and Unavailable when it cannot be run now, or no further
    because the house stops.
    """
    task = await prepare(sql, folder=folder, log=log, settings=settings, warehouses=warehouses)
    deadline = asyncio.get_running_loop().time() + settings.query_seconds
    process = await open_sandbox()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(msgspec.msgpack.encode({**task, "pages": True}))
            await process.stdin.drain()
        process.stdin.close()
        last = False
        while not last:
            try:
                page = _decode(await _unless(stopping, _frame(process.stdout), deadline))
            except TimeoutError:
                raise too_slow(settings) from None
            except asyncio.IncompleteReadError:
                raise too_greedy() from None
            refuse(page.refused, page.unavailable)
            yield page
            last = page.last
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _frame(stream: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await stream.readexactly(4), "big")
    if length > _LONGEST_PAGE:
        raise too_greedy()
    return await stream.readexactly(length)


async def _unless(stopping: asyncio.Event | None, reading: Coroutine[Any, Any, bytes], deadline: float) -> bytes:
    """What is read, unless the time is up or the house stops before."""
    read = asyncio.ensure_future(reading)
    stop = asyncio.ensure_future(stopping.wait()) if stopping is not None else None
    wait = max(0.0, deadline - asyncio.get_running_loop().time())
    try:
        await asyncio.wait({read, stop} if stop else {read}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        if read.done():
            return read.result()
        if stop is not None and stop.done():
            raise Unavailable("The house stops.")
        raise TimeoutError
    finally:
        for task in (read, stop):
            if task is not None and not task.done():
                task.cancel()
