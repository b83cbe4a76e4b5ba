"""The books: counts per minute, source, destination, step and reason, added up exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.outcome import Count
from headwater.store.schema import cursors, ledger

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KEY = ("minute", "source_id", "destination_id", "step", "reason")


def add(connection: Connection, counts: Iterable[Count]) -> None:
    """Add counts to the books; a negative count takes events away again (a pending one that was delivered)."""
    sums: Counter[tuple[int, str, str, str, str]] = Counter()
    for count in counts:
        sums[count.minute, count.source_id, count.destination_id, count.step, count.reason] += count.events
    rows = [dict(zip(_KEY, key, strict=True)) | {"events": events} for key, events in sums.items() if events]
    if not rows:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(ledger)
    connection.execute(
        insert.on_conflict_do_update(index_elements=_KEY, set_={"events": ledger.c.events + insert.excluded.events}),
        rows,
    )


def cursor(connection: Connection, name: str, partition: int) -> int:
    """The place in the log up to which something here is derived; 0 at first."""
    query = sa.select(cursors.c.position).where(cursors.c.name == name, cursors.c.partition == partition)
    return connection.execute(query).scalar() or 0


def set_cursor(connection: Connection, name: str, partition: int, position: int) -> None:
    """Remember that place, in the transaction that derives."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(cursors)
    connection.execute(
        insert.on_conflict_do_update(index_elements=("name", "partition"), set_={"position": insert.excluded.position}),
        {"name": name, "partition": partition, "position": position},
    )


def totals(
    connection: Connection,
    *,
    since_minute: int = 0,
    until_minute: int = 2**62,
    source_id: str | None = None,
    destination_id: str | None = None,
) -> list[Count]:
    """The sums over some minutes (`until` not included) by source, destination, step and reason; `minute` is 0."""
    sums = sa.func.sum(ledger.c.events)
    query = sa.select(ledger.c.source_id, ledger.c.destination_id, ledger.c.step, ledger.c.reason, sums).where(
        ledger.c.minute >= since_minute, ledger.c.minute < until_minute
    )
    if source_id is not None:
        query = query.where(ledger.c.source_id == source_id)
    if destination_id is not None:
        query = query.where(ledger.c.destination_id == destination_id)
    query = query.group_by(ledger.c.source_id, ledger.c.destination_id, ledger.c.step, ledger.c.reason)
    rows = connection.execute(query.having(sums != 0)).all()
    return [
        Count(source, destination, 0, step, reason, int(events)) for source, destination, step, reason, events in rows
    ]


def advance(connection: Connection, name: str, partition: int, expected: int, position: int) -> bool:
    """Move the place on if it still stands where it was read: of two processes that derive the same, one goes on."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(cursors)
    place = insert.values(name=name, partition=partition, position=position)
    moved = connection.execute(
        place.on_conflict_do_update(
            index_elements=("name", "partition"),
            set_={"position": place.excluded.position},
            where=cursors.c.position == expected,
        ).returning(cursors.c.position)
    )
    return moved.first() is not None
