"""The workspace's configuration: read as one snapshot, changed one resource at a time.

Every function that changes anything ends with `touch`, so that the snapshot's version moves and every role sees it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.spec.errors import SetupError
from headwater.spec.workspace import Destination, Source, Warehouse, Workspace
from headwater.store.schema import destinations, sources, warehouses, workspaces, write_keys

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def version(connection: Connection) -> int:
    """The configuration's version; -1 before the workspace is made."""
    found = connection.execute(sa.select(workspaces.c.version)).scalar()
    return -1 if found is None else int(found)


def touch(connection: Connection) -> None:
    """Move the configuration's version."""
    connection.execute(workspaces.update().values(version=workspaces.c.version + 1))


def load(connection: Connection) -> Workspace:
    """The whole configuration. Raises SetupError before the workspace is made."""
    row = connection.execute(sa.select(workspaces)).mappings().first()
    if row is None:
        raise SetupError("There is no workspace yet; `headwater serve` makes one on its first start.")
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key in connection.execute(sa.select(write_keys).order_by(write_keys.c.created_at)).mappings():
        keys[key["source_id"]].append(key["write_key"])
    return Workspace(
        id=row["id"],
        slug=row["slug"],
        name=row["name"],
        version=row["version"],
        locked=row["locked"],
        sources=tuple(
            Source(
                id=source["id"],
                slug=source["slug"],
                name=source["name"],
                kind=source["kind"],
                enabled=source["enabled"],
                write_keys=tuple(keys[source["id"]]),
                settings=source["settings"],
                labels=tuple(source["labels"]),
                events_per_second=source["events_per_second"],
                created_at=source["created_at"],
            )
            for source in connection.execute(sa.select(sources).order_by(sources.c.created_at)).mappings()
        ),
        destinations=tuple(
            Destination(**destination)  # pyright: ignore[reportCallIssue] - the columns are the fields
            for destination in connection.execute(
                sa.select(destinations).order_by(destinations.c.created_at)
            ).mappings()
        ),
        warehouses=tuple(
            Warehouse(
                id=warehouse["id"],
                engine=warehouse["engine"],
                name=warehouse["name"],
                enabled=warehouse["enabled"],
                settings=warehouse["settings"],
                all_sources=warehouse["all_sources"],
                source_ids=tuple(warehouse["source_ids"]),
                without_source_ids=tuple(warehouse["without_source_ids"]),
                created_at=warehouse["created_at"],
            )
            for warehouse in connection.execute(sa.select(warehouses).order_by(warehouses.c.created_at)).mappings()
        ),
    )
