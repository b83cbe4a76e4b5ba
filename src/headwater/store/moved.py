"""What the store remembers of a move to another log: where its positions begin, and which records were moved.

The places stand among the cursors, because they are places in the log too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from headwater.store import ledger
from headwater.store.schema import cursors

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_START: Final = "moved-start:"
_END: Final = "moved-end:"

Places = Mapping[tuple[str, int], tuple[int, int]]
"""First position and the one after the last of what was moved, by the name of the stream and the partition."""


def note(connection: Connection, places: Places) -> None:
    """Remember a move."""
    for (stream, partition), (first, end) in places.items():
        ledger.set_cursor(connection, _START + stream, partition, first)
        ledger.set_cursor(connection, _END + stream, partition, end)


def starts(connection: Connection) -> dict[tuple[str, int], int]:
    """Where the positions of the log begin, by stream and partition; empty for a house that was never moved."""
    return _read(connection, _START)


def ends(connection: Connection, stream: str) -> dict[int, int]:
    """The position after the last moved record of a stream, by partition; empty for a house that was never moved."""
    return {partition: end for (name, partition), end in _read(connection, _END).items() if name == stream}


def _read(connection: Connection, prefix: str) -> dict[tuple[str, int], int]:
    query = sa.select(cursors.c.name, cursors.c.partition, cursors.c.position).where(cursors.c.name.startswith(prefix))
    found = connection.execute(query)
    return {(row.name.removeprefix(prefix), row.partition): row.position for row in found}
