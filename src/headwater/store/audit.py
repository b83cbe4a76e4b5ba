"""The audit trail: who changed what, and when. Written in the transaction that changes, never changed afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.store.schema import audit
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the trail. `type` is in Segment's words (`Source Created`); `actor` is the id of the token."""

    id: str = ""
    at: int
    type: str
    actor: str
    resource_type: str
    resource_id: str
    resource_name: str


def add(connection: Connection, entry: Entry) -> None:
    """Write a line. It gets an id; those of one machine grow, so that lines of one instant keep their order."""
    line_id = f"{time.time_ns():016x}{new_id()[:8]}"
    connection.execute(audit.insert().values(**{**msgspec.structs.asdict(entry), "id": line_id}))


def entries(
    connection: Connection,
    *,
    since: int = 0,
    until: int = 2**62,
    resource_id: str | None = None,
    resource_type: str | None = None,
    offset: int = 0,
    count: int = 200,
) -> tuple[list[Entry], int]:
    """A page of the trail, newest first, and how many lines match. `until` is not included."""
    conditions = [audit.c.at >= since, audit.c.at < until]
    if resource_id is not None:
        conditions.append(audit.c.resource_id == resource_id)
    if resource_type is not None:
        conditions.append(audit.c.resource_type == resource_type)
    total = connection.execute(sa.select(sa.func.count()).select_from(audit).where(*conditions)).scalar_one()
    newest = (
        sa.select(audit).where(*conditions).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(count).offset(offset)
    )
    return [Entry(**row) for row in connection.execute(newest).mappings()], int(total)
