"""Sources that the house itself writes to, at most one of a kind for each space. Nobody has a write key of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.spec.workspace import Source
from headwater.store import workspace as workspaces
from headwater.store.schema import sources

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def own_source(connection: Connection, space_id: str, *, kind: str, slug: str, name: str) -> Source:
    """The source of that kind which belongs to the space; made when it is first asked for.

    A new one is called `<slug>_<slug of the space>` and `<name> (<name of the space>)`. Raises SenderError 404 for a
    space that is not there.
    """
    for row in connection.execute(sa.select(sources.c.id, sources.c.settings).where(sources.c.kind == kind)):
        if row[1].get("spaceId") == space_id:
            return workspaces.find_source(connection, row[0])
    space = workspaces.find_space(connection, space_id)
    made = workspaces.create_source(
        connection,
        slug=f"{slug}_{space.slug}",
        name=f"{name} ({space.name})",
        kind=kind,
        settings={"spaceId": space_id},
    )
    for key in made.write_keys:
        workspaces.remove_write_key(connection, made.id, key)
    return workspaces.find_source(connection, made.id)
