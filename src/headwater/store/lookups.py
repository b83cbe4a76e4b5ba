"""Many profiles by their names at once, each with all that is shown of its traits: one statement for each kind of name.

What one statement costs hardly depends on how many profiles it is for, so that whoever is asked by many asks together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from headwater.store.rows import pages
from headwater.store.schema import identifiers, known_profiles, profiles, standings_of_profiles

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_first = profiles.alias("first")
_member = profiles.alias("member")
_SHOWN = (_member.c.canonical_id, _member.c.id, known_profiles.c.state, standings_of_profiles.c.standing)
_NAMES = sa.bindparam("names", expanding=True)
_SPACE = sa.bindparam("space_id")


class LookedUp(msgspec.Struct):
    """A canonical profile: its states, as `known.of_people` has them, and the standings of its members by their ids."""

    id: str
    states: list[bytes]
    standings: dict[str, bytes]


def _with_all(begin: sa.FromClause) -> sa.FromClause:
    """The profiles that are one with the first, and what is known of each."""
    return (
        begin.join(_member, _member.c.canonical_id == _first.c.canonical_id)
        .outerjoin(known_profiles, known_profiles.c.profile_id == _member.c.id)
        .outerjoin(standings_of_profiles, standings_of_profiles.c.profile_id == _member.c.id)
    )


_BY_IDENTIFIER: Final = (
    sa.select(identifiers.c.identifier, *_SHOWN)
    .select_from(_with_all(identifiers.join(_first, _first.c.id == identifiers.c.profile_id)))
    .where(identifiers.c.space_id == _SPACE, identifiers.c.identifier.in_(_NAMES))
    .order_by(_member.c.id, known_profiles.c.partition)
)
_BY_ID: Final = (
    sa.select(_first.c.id, *_SHOWN)
    .select_from(_with_all(_first))
    .where(_first.c.space_id == _SPACE, _first.c.id.in_(_NAMES))
    .order_by(_member.c.id, known_profiles.c.partition)
)


def look_up(connection: Connection, space_id: str, names: Iterable[str]) -> dict[str, LookedUp]:
    """The canonical profiles of ids and of identifiers (`type:value`), by these names; who is not there is left out."""
    wanted = {name for name in names if "\0" not in name}
    ids = {name for name in wanted if ":" not in name}
    found: dict[str, LookedUp] = {}
    for query, asked in ((_BY_ID, ids), (_BY_IDENTIFIER, wanted - ids)):
        for page in pages(asked):
            for row in connection.execute(query, {"space_id": space_id, "names": page}):
                _add(found, row)
    return found


def _add(found: dict[str, LookedUp], row: Any) -> None:
    name, canonical_id, member_id, state, standing = row
    one = found.get(name)
    if one is None:
        one = found[name] = LookedUp(canonical_id, [], {})
    if state is not None:
        one.states.append(bytes(state))
    if standing is not None:
        one.standings[member_id] = bytes(standing)
