"""The operator's own app at each vendor, one for each definition; the secret is sealed by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store.schema import oauth_apps
from headwater.store.workspace import now, touch

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def find(connection: Connection, definition: str) -> dict[str, Any] | None:
    """What the operator says of the app of a definition, or None."""
    found = connection.execute(sa.select(oauth_apps.c.settings).where(oauth_apps.c.definition == definition)).scalar()
    return None if found is None else dict(found)


def names(connection: Connection) -> set[str]:
    """The definitions that have an app."""
    return set(connection.execute(sa.select(oauth_apps.c.definition)).scalars())


def keep(connection: Connection, definition: str, settings: Mapping[str, Any]) -> None:
    """Put an app in the place of what stands there."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(oauth_apps)
    columns = {"settings": dict(settings), "updated_at": now()}
    statement = insert.values(definition=definition, **columns)
    connection.execute(statement.on_conflict_do_update(index_elements=("definition",), set_=columns))
    touch(connection)


def delete(connection: Connection, definition: str) -> bool:
    """Forget an app. Returns whether there was one."""
    gone = connection.execute(oauth_apps.delete().where(oauth_apps.c.definition == definition)).rowcount > 0
    if gone:
        touch(connection)
    return gone
