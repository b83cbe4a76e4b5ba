"""The history of warehouse loads, kept to the newest of each warehouse."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.store.schema import loads

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KEPT = 500
"""Loads remembered of each warehouse."""


class Load(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One load: events from position `first` up to `last`, not included, of a partition of `processed`.

    `state` is running, success, partial (all rows are in, and `notices` tell what was out of order) or failure
    (nothing is in, `notices` tell why, and the same events are tried again). Moments are in milliseconds.
    """

    id: str
    warehouse_id: str
    partition: int
    first: int
    last: int
    state: str
    started_at: int
    ended_at: int | None = None
    rows: int = 0
    notices: tuple[str, ...] = ()


def begin(connection: Connection, *, warehouse_id: str, partition: int, first: int, last: int, now: int) -> str:
    """Note that a load runs, and return its id. One left running before has died with its process."""
    connection.execute(
        loads.update()
        .where(loads.c.warehouse_id == warehouse_id, loads.c.partition == partition, loads.c.state == "running")
        .values(state="failure", ended_at=now, notices=["The process ended during the load; it is done again."])
    )
    load_id = uuid.uuid4().hex
    connection.execute(
        loads.insert().values(
            id=load_id,
            warehouse_id=warehouse_id,
            partition=partition,
            first=first,
            last=last,
            state="running",
            started_at=now,
            ended_at=None,
            rows=0,
            notices=[],
        )
    )
    _forget_old(connection, warehouse_id)
    return load_id


def end(connection: Connection, load_id: str, *, state: str, rows: int, notices: tuple[str, ...], now: int) -> None:
    """Note how a load ended."""
    connection.execute(
        loads.update().where(loads.c.id == load_id).values(state=state, ended_at=now, rows=rows, notices=list(notices))
    )


def list_loads(connection: Connection, warehouse_id: str, *, limit: int = 100) -> list[Load]:
    """The newest loads of a warehouse, the newest first."""
    query = (
        sa.select(loads)
        .where(loads.c.warehouse_id == warehouse_id)
        .order_by(loads.c.started_at.desc(), loads.c.id)
        .limit(limit)
    )
    return [
        Load(
            id=row["id"],
            warehouse_id=row["warehouse_id"],
            partition=row["partition"],
            first=row["first"],
            last=row["last"],
            state=row["state"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            rows=row["rows"],
            notices=tuple(row["notices"]),
        )
        for row in connection.execute(query).mappings()
    ]


def _forget_old(connection: Connection, warehouse_id: str) -> None:
    newest = (
        sa.select(loads.c.started_at)
        .where(loads.c.warehouse_id == warehouse_id)
        .order_by(loads.c.started_at.desc())
        .offset(KEPT)
        .limit(1)
    )
    oldest = connection.execute(newest).scalar()
    if oldest is not None:
        connection.execute(loads.delete().where(loads.c.warehouse_id == warehouse_id, loads.c.started_at <= oldest))
