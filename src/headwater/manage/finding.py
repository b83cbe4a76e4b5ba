"""Reading what is known of several profiles, and finding profiles by it. Each function is part of one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from headwater.manage.knowing import holds
from headwater.profiles.known import State, decode, unite
from headwater.store import components, known

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

NEWEST: Final = 2_000
"""Of so many profiles the traits are searched, the newest first: there is no index of traits."""

_MOST_BYTES: Final = 32_000_000
_PAGE: Final = 100


def states_of(connection: Connection, canonical_ids: Iterable[str]) -> dict[str, State]:
    """What is known of canonical profiles; those of which nothing is folded yet are left out."""
    found: dict[str, State] = {}
    for id, parts in known.of_people(connection, canonical_ids).items():
        state = unite(map(decode, parts))
        if state is not None:
            found[id] = state
    return found


def search_traits(connection: Connection, space_id: str, collection: str, wanted: str) -> tuple[list[str], int]:
    """The newest profiles with a trait that holds this text, and how many were looked through."""
    wanted, found, room = wanted.casefold(), [], _MOST_BYTES
    ids = components.newest(connection, space_id, collection, NEWEST)
    searched = 0
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        read = known.of_people(connection, page)
        for id in page:
            state = unite(map(decode, read.get(id, ())))
            if state is not None and holds(state, wanted):
                found.append(id)
        searched += len(page)
        room -= sum(len(part) for parts in read.values() for part in parts)
        if room <= 0:
            break
    return found, searched
