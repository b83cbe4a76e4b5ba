"""The whole history of many people at once: profiles, identifiers and merges, also those undone, traits and values.

A merge that was undone still tells that an identity was another one for a time; so a history reaches as far as merges
ever did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.spec.graph import Link, Merge
from headwater.store.components import read_cause, read_merge
from headwater.store.rows import pages
from headwater.store.schema import identifiers, known_profiles, merges, profiles, removed_identifiers
from headwater.store.standing import standings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Removed(msgspec.Struct, frozen=True):
    """An identifier that somebody took away, as it was, and when (milliseconds)."""

    link: Link
    at: int


class Histories(msgspec.Struct, frozen=True):
    """People of one space. `profiles` are the moments at which each was made; `states` what is known of each, and
    `standings` what values it has by computations.

    A profile that a merge connects with one of these is one of these, and so are all identifiers of them, with those
    that were removed.
    """

    profiles: dict[str, int]
    links: list[Link]
    removed: list[Removed]
    merges: list[Merge]
    states: dict[str, list[bytes]]
    standings: dict[str, bytes]


def histories(connection: Connection, space_id: str, ids: Iterable[str]) -> Histories:
    """The people whom these profiles are; ids of other spaces and of companies are passed over."""
    made: dict[str, int] = {}
    joined: dict[str, Merge] = {}
    wanted = set(ids)
    while wanted:
        new = {id: at for id, at in _with_their_people(connection, space_id, wanted).items() if id not in made}
        made |= new
        wanted = set()
        for merge in _merges(connection, new):
            joined[merge.id] = merge
            wanted |= {merge.left_id, merge.right_id} - made.keys()
    merged = [merge for merge in joined.values() if merge.left_id in made and merge.right_id in made]
    return Histories(
        made,
        _links(connection, made),
        _removed(connection, made),
        merged,
        _states(connection, made),
        standings(connection, made),
    )


def _with_their_people(connection: Connection, space_id: str, ids: Iterable[str]) -> dict[str, int]:
    here = (profiles.c.space_id == space_id, profiles.c.collection == "users")
    canonical: set[str] = set()
    for page in pages(ids):
        canonical |= set(
            connection.execute(sa.select(profiles.c.canonical_id).where(*here, profiles.c.id.in_(page))).scalars()
        )
    found: dict[str, int] = {}
    for page in pages(canonical):
        query = sa.select(profiles.c.id, profiles.c.created_at).where(profiles.c.canonical_id.in_(page))
        found |= {row[0]: int(row[1]) for row in connection.execute(query)}
    return found


def _merges(connection: Connection, ids: Iterable[str]) -> list[Merge]:
    found: dict[str, Merge] = {}
    for page in pages(ids):
        for end in (merges.c.left_id, merges.c.right_id):
            for row in connection.execute(sa.select(merges).where(end.in_(page))).mappings():
                found[row["id"]] = read_merge(row)
    return list(found.values())


def _links(connection: Connection, ids: Iterable[str]) -> list[Link]:
    found: list[Link] = []
    columns = (identifiers.c.identifier, identifiers.c.profile_id, identifiers.c.cause)
    for page in pages(ids):
        rows = connection.execute(sa.select(*columns).where(identifiers.c.profile_id.in_(page)))
        found += [Link(row[0], row[1], read_cause(row[2])) for row in rows]
    return found


def _removed(connection: Connection, ids: Iterable[str]) -> list[Removed]:
    found: list[Removed] = []
    table = removed_identifiers.c
    columns = (table.identifier, table.profile_id, table.cause, table.removed_at)
    for page in pages(ids):
        rows = connection.execute(sa.select(*columns).where(table.profile_id.in_(page)))
        found += [Removed(Link(row[0], row[1], read_cause(row[2])), int(row[3])) for row in rows]
    return found


def _states(connection: Connection, ids: Iterable[str]) -> dict[str, list[bytes]]:
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for page in pages(ids):
        query = sa.select(known_profiles.c.profile_id, known_profiles.c.state)
        for row in connection.execute(query.where(known_profiles.c.profile_id.in_(page))):
            found[row[0]].append(bytes(row[1]))
    return dict(found)
