"""Parked deliveries looked at and left as they are: what waits, for whom, and what a partition has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from headwater.store.parked import ParkedDelivery
from headwater.store.schema import parked

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

REFUSED: Final = "The destination refused its credentials."
"""How the detail of a delivery begins whose destination was paused for its answer of 401 or 403."""

_LOOKED_AT: Final = 50
_PAGE: Final = 500


def first_due(connection: Connection) -> dict[str, int]:
    """The destinations with waiting deliveries, and when the first of each is due. Cheap however many wait."""
    return {row[0]: int(row[1]) for row in connection.execute(_FIRST_DUE) if row[1] is not None}


def sizes(connection: Connection) -> dict[str, int]:
    """How many deliveries wait, by destination."""
    query = sa.select(parked.c.destination_id, sa.func.count()).where(parked.c.state == "waiting")
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(parked.c.destination_id))}


def refused(connection: Connection, destination_id: str) -> bool:
    """Does a delivery wait because the destination refused its credentials, and was paused for that?"""
    query = (
        sa.select(parked.c.detail)
        .where(parked.c.state == "waiting", parked.c.destination_id == destination_id)
        .order_by(parked.c.due_at)
        .limit(_LOOKED_AT)
    )
    return any(detail.startswith(REFUSED) for detail in connection.execute(query).scalars())


def unreplayed(connection: Connection, destination_id: str) -> bool:
    """Does anything wait for a destination that no replay sends?"""
    chosen = (parked.c.state == "waiting", parked.c.destination_id == destination_id, parked.c.replay_id == "")
    return connection.execute(sa.select(parked.c.id).where(*chosen).limit(1)).first() is not None


def known(connection: Connection, partition: int, position: int) -> list[ParkedDelivery]:
    """All rows of a partition from a position on: those whose chunk may have been cut short. Without payloads."""
    columns = [column for column in parked.c if column.name not in ("payload", "notes")]
    here = (parked.c.partition == partition, parked.c.position >= position, parked.c.replay_id == "")
    query = sa.select(*columns).where(*here)
    return [ParkedDelivery(**row, payload=b"", notes=[]) for row in connection.execute(query).mappings()]


def expired(connection: Connection, destination_ids: Sequence[str], *, now: int) -> list[str]:
    """Those of the destinations for which deliveries wait beyond their horizon; paused ones have none that runs.

    It looks at all that waits for them. So ask this before `fail_waiting`, which nobody can write beside.
    """
    found: list[str] = []
    for start in range(0, len(destination_ids), _PAGE):
        page = destination_ids[start : start + _PAGE]
        query = sa.select(parked.c.destination_id).where(
            parked.c.state == "waiting",
            parked.c.destination_id.in_(page),
            parked.c.expires_at <= now,
            parked.c.reason != "PAUSED",
        )
        found += connection.execute(query.distinct()).scalars()
    return found


_FIRST_DUE = sa.text(
    """
    WITH RECURSIVE each_one(id) AS (
        SELECT min(destination_id) FROM parked WHERE state = 'waiting'
        UNION ALL
        SELECT (SELECT min(p.destination_id) FROM parked p WHERE p.state = 'waiting' AND p.destination_id > each_one.id)
        FROM each_one WHERE each_one.id IS NOT NULL
    )
    SELECT id, (SELECT min(p.due_at) FROM parked p WHERE p.state = 'waiting' AND p.destination_id = each_one.id)
    FROM each_one WHERE id IS NOT NULL
    """
)
"""Steps from one destination to the next along the index, instead of walking over every row of each."""
