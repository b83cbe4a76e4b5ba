"""The last queries of this browser, kept in the browser alone."""

from __future__ import annotations

import json
from typing import Any, Final, cast
from urllib.parse import quote

from nicegui import ui

KEPT: Final = 20
_LONGEST: Final = 20_000
_IN_ADDRESS: Final = 3_000
_READ: Final = 'return JSON.parse(localStorage.getItem("headwater_queries") || "[]")'
_WRITE: Final = 'localStorage.setItem("headwater_queries", JSON.stringify(%s))'


async def read_past() -> list[str]:
    """The queries, newest first. Anything else that is found there is left alone."""
    try:
        found: Any = await ui.run_javascript(_READ, timeout=5)
    except TimeoutError:
        return []
    kept = cast("list[Any]", found) if isinstance(found, list) else []
    return [one for one in kept if isinstance(one, str) and len(one) <= _LONGEST][:KEPT]


def add_past(past: list[str], sql: str) -> list[str]:
    """The queries with this one first and only once. Pure."""
    return [sql, *(one for one in past if one != sql)][:KEPT]


def keep_past(past: list[str]) -> None:
    """Keep them, and put the newest into the page's address, unless it is too long for one."""
    ui.run_javascript(_WRITE % json.dumps([one for one in past if len(one) <= _LONGEST]))
    if past and len(past[0]) <= _IN_ADDRESS:
        ui.navigate.history.replace(f"/console/warehouse/query?sql={quote(past[0])}")


def title(sql: str) -> str:
    """A query in one short line. Pure."""
    line = " ".join(sql.split())
    return line if len(line) <= 90 else f"{line[:90]}…"
