"""Warehouses of the people of a space, and how far each has come with what was there before it.

What the loads themselves read of the log is told by cursors of the log; the history of loads is in `loads`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.errors import SenderError
from headwater.store import workspace as workspaces
from headwater.store.schema import merges, profiles, profiles_syncs, profiles_warehouses, removed_identifiers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from headwater.spec.workspace import ProfilesWarehouse


class Progress(msgspec.Struct, frozen=True):
    """How far a warehouse knows the profiles that were there before it, and what was undone by hand.

    `scanned_to` is the last profile looked at, `scanned` whether that was the last of all; `rewired` is the space's
    count of what was undone and removed by hand, as far as the warehouse has heard of it. `worked_at` and `worked_id`
    are the moment and profile up to which it has the values of computations.
    """

    scanned_to: str = ""
    scanned: bool = False
    rewired: int = 0
    worked_at: int = 0
    worked_id: str = ""


def create(
    connection: Connection,
    *,
    space_id: str,
    engine: str,
    name: str,
    schema_name: str,
    enabled: bool = True,
    settings: Mapping[str, Any] | None = None,
) -> ProfilesWarehouse:
    """Connect a warehouse to a space; secret settings are sealed by the caller."""
    warehouse_id = workspaces.new_id()
    connection.execute(
        profiles_warehouses.insert().values(
            id=warehouse_id,
            space_id=space_id,
            engine=engine,
            name=name,
            schema_name=schema_name,
            enabled=enabled,
            settings=dict(settings or {}),
            event_tables=True,
            without_tables=[],
            resumed={},
            created_at=workspaces.now(),
        )
    )
    workspaces.touch(connection)
    return find(connection, warehouse_id)


def find(connection: Connection, warehouse_id: str) -> ProfilesWarehouse:
    """One of them, held against changes by others until the transaction ends. Raises SenderError 404."""
    query = sa.select(profiles_warehouses).where(profiles_warehouses.c.id == warehouse_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise SenderError("There is no such profiles warehouse.", code="not_found", status=404)
    return workspaces.profiles_warehouse(row)


def update(connection: Connection, warehouse_id: str, **columns: Any) -> ProfilesWarehouse:
    """Change columns and return it as it is then. Raises SenderError 404."""
    find(connection, warehouse_id)
    if columns:
        connection.execute(
            profiles_warehouses.update().where(profiles_warehouses.c.id == warehouse_id).values(**columns)
        )
        workspaces.touch(connection)
    return find(connection, warehouse_id)


def delete(connection: Connection, warehouse_id: str) -> None:
    """Load it no longer; its tables stay. Raises SenderError 404."""
    find(connection, warehouse_id)
    connection.execute(profiles_syncs.delete().where(profiles_syncs.c.warehouse_id == warehouse_id))
    connection.execute(profiles_warehouses.delete().where(profiles_warehouses.c.id == warehouse_id))
    workspaces.touch(connection)


def progress(connection: Connection, warehouse_id: str) -> Progress:
    """How far it has come; at the beginning before it was ever loaded."""
    query = sa.select(profiles_syncs).where(profiles_syncs.c.warehouse_id == warehouse_id)
    row = connection.execute(query).mappings().first()
    return Progress() if row is None else Progress(**{name: row[name] for name in Progress.__struct_fields__})


def set_progress(connection: Connection, warehouse_id: str, now: Progress) -> None:
    """Remember how far it has come; of one that is deleted meanwhile nothing is remembered."""
    here = sa.select(profiles_warehouses.c.id).where(profiles_warehouses.c.id == warehouse_id)
    if connection.execute(here).first() is None:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(profiles_syncs)
    values = msgspec.structs.asdict(now)
    connection.execute(
        insert.on_conflict_do_update(index_elements=("warehouse_id",), set_=values),
        {"warehouse_id": warehouse_id, **values},
    )


def scan(connection: Connection, space_id: str, after: str, *, before: int, limit: int) -> list[str]:
    """The next people of a space, by id, that were there before an instant (milliseconds)."""
    query = sa.select(profiles.c.id).where(profiles.c.space_id == space_id, profiles.c.collection == "users")
    query = query.where(profiles.c.id > after, profiles.c.created_at < before)
    return list(connection.execute(query.order_by(profiles.c.id).limit(limit)).scalars())


def changed_by_hand(connection: Connection, space_id: str, since: int) -> set[str]:
    """The profiles of a space whose merges were undone, or identifiers removed, at a moment (ms) or later."""
    query = sa.select(merges.c.left_id, merges.c.right_id).where(merges.c.space_id == space_id)
    found: set[str] = set()
    for left_id, right_id in connection.execute(query.where(merges.c.undone_at >= since)):
        found |= {left_id, right_id}
    gone = (removed_identifiers.c.space_id == space_id, removed_identifiers.c.removed_at >= since)
    return found | set(connection.execute(sa.select(removed_identifiers.c.profile_id).where(*gone)).scalars())
