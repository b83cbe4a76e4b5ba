"""Profiles as whoever computes needs them: whole, with how they stand, and read again only when they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from headwater.store.graph import known
from headwater.store.rows import pages
from headwater.store.schema import profiles
from headwater.store.standing import standings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Person(msgspec.Struct, frozen=True):
    """A canonical profile. `identifiers` are oldest first; `standings` are its own and its members', by profile."""

    id: str
    space_id: str
    collection: str
    version: int
    members: tuple[str, ...]
    identifiers: tuple[str, ...]
    standings: dict[str, bytes]


def look(
    connection: Connection, ids: Iterable[str], versions: Mapping[str, int]
) -> tuple[dict[str, str], dict[str, Person]]:
    """The canonical profiles of these, and those of them that are not of the versions that the caller has."""
    rows = _rows(connection, ids)
    canonical = {id: row["canonical_id"] for id, row in rows.items()}
    rows |= _rows(connection, set(canonical.values()) - rows.keys())
    changed = {id for id in canonical.values() if id in rows and versions.get(id) != rows[id]["version"]}
    if not changed:
        return canonical, {}
    found = known(connection, changed, apart=False)
    stand = standings(connection, [member for one in found for member in one.members])
    people = {
        one.id: Person(
            one.id,
            rows[one.id]["space_id"],
            rows[one.id]["collection"],
            one.version,
            tuple(sorted(one.members)),
            tuple(sorted(one.links, key=lambda identifier, links=one.links: (links[identifier][1], identifier))),
            {member: stand[member] for member in one.members if member in stand},
        )
        for one in found
    }
    return canonical, people


def _rows(connection: Connection, ids: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for page in pages(ids):
        for row in connection.execute(sa.select(profiles).where(profiles.c.id.in_(page))).mappings():
            found[row["id"]] = row
    return found


def merged(connection: Connection, space_id: str, collection: str, after: str, limit: int) -> list[str]:
    """The canonical profiles of a space that others were merged into, in the order of ids."""
    query = sa.select(profiles.c.canonical_id).distinct()
    query = query.where(
        profiles.c.canonical_id > after,
        profiles.c.canonical_id != profiles.c.id,
        profiles.c.space_id == space_id,
        profiles.c.collection == collection,
    )
    return list(connection.execute(query.order_by(profiles.c.canonical_id).limit(limit)).scalars())


def number(connection: Connection, space_id: str, collection: str) -> int:
    """How many canonical profiles a space has."""
    query = sa.select(sa.func.count()).select_from(profiles)
    query = query.where(
        profiles.c.space_id == space_id,
        profiles.c.collection == collection,
        profiles.c.canonical_id == profiles.c.id,
    )
    return connection.execute(query).scalar() or 0
