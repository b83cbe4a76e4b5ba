"""Subscriptions and filters of destinations: made, changed and removed, each with the configuration's version moved.

What cannot be done raises SenderError: 404 for what is not there, or not at that destination.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.spec.workspace import DestinationFilter, Subscription
from headwater.store import workspace as workspaces
from headwater.store.schema import destination_filters, subscriptions

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_MEANING = frozenset(("action", "trigger", "mapping"))
"""What moves a subscription's version."""


def create(
    connection: Connection,
    destination_id: str,
    *,
    name: str,
    action: str,
    trigger: str,
    mapping: Mapping[str, Any],
    enabled: bool,
) -> Subscription:
    """Give a destination a subscription."""
    workspaces.find_destination(connection, destination_id)
    at = workspaces.now()
    row = {
        "id": workspaces.new_id(),
        "name": name,
        "action": action,
        "trigger": trigger,
        "mapping": dict(mapping),
        "enabled": enabled,
        "version": 1,
        "hooks": {},
        "created_at": at,
        "updated_at": at,
    }
    connection.execute(subscriptions.insert().values(**row, destination_id=destination_id))
    workspaces.touch(connection)
    return workspaces.read_subscription(row)


def find(connection: Connection, destination_id: str, subscription_id: str) -> Subscription:
    """One subscription, held against changes by others until the transaction ends."""
    return workspaces.read_subscription(_find(connection, subscriptions, destination_id, subscription_id))


def update(connection: Connection, destination_id: str, subscription_id: str, **columns: Any) -> Subscription:
    """Change columns and return the subscription as it is then."""
    before = find(connection, destination_id, subscription_id)
    changed = {name: value for name, value in columns.items() if _written(getattr(before, name)) != _written(value)}
    if changed:
        moved = before.version + 1 if _MEANING & changed.keys() else before.version
        values = {**changed, "version": moved, "updated_at": workspaces.now()}
        connection.execute(subscriptions.update().where(subscriptions.c.id == subscription_id).values(**values))
        workspaces.touch(connection)
    return find(connection, destination_id, subscription_id)


def _written(value: Any) -> bytes:
    """A value as it is told apart: to Python true is 1 and 1.0, to a mapping they are three."""
    return msgspec.json.encode(value, order="deterministic")


def delete(connection: Connection, destination_id: str, subscription_id: str) -> None:
    """Remove a subscription."""
    _delete(connection, subscriptions, destination_id, subscription_id)


def create_filter(
    connection: Connection,
    destination_id: str,
    *,
    title: str,
    condition: str,
    actions: tuple[dict[str, Any], ...],
    description: str,
    enabled: bool,
) -> DestinationFilter:
    """Give a destination a filter."""
    workspaces.find_destination(connection, destination_id)
    at = workspaces.now()
    row = {
        "id": workspaces.new_id(),
        "title": title,
        "condition": condition,
        "actions": list(actions),
        "description": description,
        "enabled": enabled,
        "created_at": at,
        "updated_at": at,
    }
    connection.execute(destination_filters.insert().values(**row, destination_id=destination_id))
    workspaces.touch(connection)
    return workspaces.read_filter(row)


def find_filter(connection: Connection, destination_id: str, filter_id: str) -> DestinationFilter:
    """One filter, held against changes by others until the transaction ends."""
    return workspaces.read_filter(_find(connection, destination_filters, destination_id, filter_id))


def update_filter(connection: Connection, destination_id: str, filter_id: str, **columns: Any) -> DestinationFilter:
    """Change columns and return the filter as it is then."""
    find_filter(connection, destination_id, filter_id)
    if columns:
        values: dict[str, Any] = {**columns, "updated_at": workspaces.now()}
        if "actions" in columns:
            values["actions"] = list(columns["actions"])
        connection.execute(destination_filters.update().where(destination_filters.c.id == filter_id).values(**values))
        workspaces.touch(connection)
    return find_filter(connection, destination_id, filter_id)


def delete_filter(connection: Connection, destination_id: str, filter_id: str) -> None:
    """Remove a filter."""
    _delete(connection, destination_filters, destination_id, filter_id)


def _find(connection: Connection, table: sa.Table, destination_id: str, id: str) -> Any:
    query = sa.select(table).where(table.c.id == id, table.c.destination_id == destination_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise _missing(table)
    return row


def _delete(connection: Connection, table: sa.Table, destination_id: str, id: str) -> None:
    gone = connection.execute(table.delete().where(table.c.id == id, table.c.destination_id == destination_id))
    if gone.rowcount == 0:
        raise _missing(table)
    workspaces.touch(connection)


def _missing(table: sa.Table) -> SenderError:
    noun = "subscription" if table is subscriptions else "filter"
    return SenderError(f"The destination has no such {noun}.", code="not_found", status=404)
