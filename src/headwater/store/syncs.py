"""The history of warehouse loads, read for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from headwater.store.schema import loads

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One load of a partition. `state` is running, success, partial or failure; moments are in milliseconds."""

    id: str
    warehouse_id: str
    partition: int
    first: int
    last: int
    state: str
    started_at: int
    ended_at: int | None
    rows: int
    notices: list[Any]


def history(connection: Connection, warehouse_id: str, *, offset: int = 0, count: int = 200) -> tuple[list[Load], int]:
    """A page of a warehouse's loads, newest first, and how many there are."""
    theirs = loads.c.warehouse_id == warehouse_id
    total = connection.execute(sa.select(sa.func.count()).select_from(loads).where(theirs)).scalar_one()
    newest = sa.select(*(loads.c[name] for name in Load.__struct_fields__)).where(theirs)
    newest = newest.order_by(loads.c.started_at.desc(), loads.c.id).limit(count).offset(offset)
    return [Load(**row) for row in connection.execute(newest).mappings()], int(total)
