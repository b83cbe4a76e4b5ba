"""What is known of profiles: bytes that whoever folds events keeps here, a state for each profile and partition.

Each partition of the log writes its own states, so that two who fold different partitions never meet; who reads a
profile unites the states of all partitions, and of all profiles that merges made one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.store.rows import of_profiles, pages, put
from headwater.store.schema import known_profiles, profiles

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def states(connection: Connection, partition: int, ids: Iterable[str]) -> dict[str, bytes]:
    """The states that a partition has of profiles; those of which it knows nothing are left out."""
    return of_profiles(connection, known_profiles.c.state, partition, ids)


def write(connection: Connection, partition: int, changed: Mapping[str, bytes]) -> None:
    """Put a partition's states of profiles in the place of those that it had."""
    put(connection, known_profiles, [(id, partition, changed[id]) for id in sorted(changed)])


def of_people(connection: Connection, canonical_ids: Iterable[str]) -> dict[str, list[bytes]]:
    """Every state that canonical profiles have, with those of all profiles that merges made one with them."""
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    joined = profiles.join(known_profiles, known_profiles.c.profile_id == profiles.c.id)
    for page in pages(canonical_ids):
        query = sa.select(profiles.c.canonical_id, known_profiles.c.state).select_from(joined)
        query = query.where(profiles.c.canonical_id.in_(page)).order_by(profiles.c.id, known_profiles.c.partition)
        for row in connection.execute(query):
            found[row[0]].append(bytes(row[1]))
    return dict(found)
