"""The identity graph: written a chunk at a time, read by identifiers and by profiles (spec.graph has the words).

A write holds what it is based on against others, and is refused whole when that has changed meanwhile: the same events
are then resolved again. So two processes never give one identifier to two profiles, nor a limit's last place twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from headwater.spec.graph import Cause, Changes, Known, Merge
from headwater.spec.space import MAX_TYPES, Collection, IdentifierType
from headwater.store import accounts
from headwater.store import workspace as workspaces
from headwater.store.rows import pages
from headwater.store.schema import group_links, identifiers, kept_apart, merges, profiles, violations

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

VIOLATIONS: Final = 10_000
"""The newest violations of a space are kept."""

_encode = msgspec.json.Encoder().encode


class Contested(Exception):
    """What the changes are based on is no longer so; nothing was written. Read again and resolve again."""


def owners(connection: Connection, space_id: str, wanted: Iterable[str]) -> dict[str, str]:
    """The canonical profiles that identifiers lead to; those that lead nowhere are left out."""
    found: dict[str, str] = {}
    joined = identifiers.join(profiles, profiles.c.id == identifiers.c.profile_id)
    for page in pages(wanted):
        query = sa.select(identifiers.c.identifier, profiles.c.canonical_id).select_from(joined)
        query = query.where(identifiers.c.space_id == space_id, identifiers.c.identifier.in_(page))
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def known(connection: Connection, ids: Iterable[str], *, apart: bool = True) -> list[Known]:
    """Canonical profiles with what merges brought to them; ids that are not canonical are left out.

    `apart` False says that no merge of the space was ever undone, which saves a question.
    """
    found: dict[str, Known] = {}
    of: dict[str, str] = {}
    for page in pages(ids):
        for row in connection.execute(sa.select(profiles).where(profiles.c.canonical_id.in_(page))).mappings():
            of[row["id"]] = row["canonical_id"]
            one = found.setdefault(row["canonical_id"], Known(row["canonical_id"], 0, 0, {}, set(), set()))
            one.members.add(row["id"])
            if row["id"] == one.id:
                one.created_at, one.version = int(row["created_at"]), int(row["version"])
    columns = (identifiers.c.identifier, identifiers.c.profile_id, identifiers.c.added_at)
    for page in pages(of):
        for identifier, first_id, at in connection.execute(
            sa.select(*columns).where(identifiers.c.profile_id.in_(page))
        ):
            found[of[first_id]].links[identifier] = (first_id, int(at))
    if apart:
        for low, high in pairs_apart(connection, of):
            for here, there in ((low, high), (high, low)):
                if here in of:
                    found[of[here]].apart.add(there)
    return list(found.values())


def pairs_apart(connection: Connection, ids: Iterable[str]) -> set[tuple[str, str]]:
    """The pairs of profiles that are kept apart and name one of these."""
    found: set[tuple[str, str]] = set()
    for page in pages(ids):
        here = sa.or_(kept_apart.c.low_id.in_(page), kept_apart.c.high_id.in_(page))
        query = sa.select(kept_apart.c.low_id, kept_apart.c.high_id).where(here)
        found |= {(row[0], row[1]) for row in connection.execute(query)}
    return found


def write(connection: Connection, space_id: str, changes: Changes) -> int:
    """Write what a chunk changed, and return how many violations there are, with those that only the graph can tell.

    Raises Contested when it is based on what is no longer so, or written already.
    """
    _hold(connection, changes.based_on)
    try:
        _insert(connection, profiles, [_profile(space_id, one) for one in changes.profiles])
        _insert(connection, identifiers, [_identifier(space_id, one) for one in changes.links])
        _insert(connection, merges, [_merge(space_id, one) for one in changes.merges])
    except IntegrityError as error:
        raise Contested from error
    if changes.merges:
        ids = {id for one in changes.merges for id in (one.survivor_id, one.merged_id)}
        accounts.look_at_those_above(connection, ids, changes.merges[-1].cause.at)
        repoint = profiles.update().where(profiles.c.canonical_id == sa.bindparam("merged"))
        connection.execute(
            repoint.values(canonical_id=sa.bindparam("survivor")),
            [{"merged": one.merged_id, "survivor": one.survivor_id} for one in changes.merges],
        )
        _refuse_those_apart(connection, {one.survivor_id for one in changes.merges})
    groups = [
        {"user_id": one.user_id, "account_id": one.account_id, "cause": _text(one.cause)} for one in changes.groups
    ]
    _insert(connection, group_links, groups, again=True)
    told = list(changes.violations)
    if changes.parents:
        told += accounts.put_under(connection, space_id, changes.parents)
    broken = [msgspec.structs.asdict(one) | {"space_id": space_id, "cause": _text(one.cause)} for one in told]
    _insert(connection, violations, broken, again=True)
    if broken:
        _trim(connection, space_id)
    if changes.types:
        _add_types(connection, space_id, changes.types)
    return len(told)


def _hold(connection: Connection, based_on: dict[str, int]) -> None:
    for page in pages(sorted(based_on)):
        query = sa.select(profiles.c.id, profiles.c.version).where(
            profiles.c.id.in_(page), profiles.c.canonical_id == profiles.c.id
        )
        rows = connection.execute(query.order_by(profiles.c.id).with_for_update())
        if {row[0]: int(row[1]) for row in rows} != {each: based_on[each] for each in page}:
            raise Contested
        grow = profiles.update().where(profiles.c.id.in_(page)).values(version=profiles.c.version + 1)
        connection.execute(grow)


def _refuse_those_apart(connection: Connection, survivors: set[str]) -> None:
    """Whoever merged may not have heard yet that the two were told apart a moment ago."""
    low, high = profiles.alias(), profiles.alias()
    joined = kept_apart.join(low, low.c.id == kept_apart.c.low_id).join(high, high.c.id == kept_apart.c.high_id)
    for page in pages(survivors):
        query = sa.select(low.c.id).select_from(joined).where(low.c.canonical_id == high.c.canonical_id)
        if connection.execute(query.where(low.c.canonical_id.in_(page)).limit(1)).first() is not None:
            raise Contested


def _insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]], *, again: bool = False) -> None:
    """Insert rows; with `again`, those that are there already are left as they are."""
    if not rows:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    connection.execute(insert.on_conflict_do_nothing() if again else insert, rows)


def _profile(space_id: str, one: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "space_id": space_id,
        "collection": one.collection,
        "canonical_id": one.id,
        "created_at": one.created_at,
        "version": 1,
    }


def _identifier(space_id: str, one: Any) -> dict[str, Any]:
    return {
        "space_id": space_id,
        "identifier": one.identifier,
        "profile_id": one.profile_id,
        "added_at": one.cause.at,
        "cause": _text(one.cause),
    }


def _merge(space_id: str, one: Merge) -> dict[str, Any]:
    return msgspec.structs.asdict(one) | {"space_id": space_id, "cause": _text(one.cause)}


def _text(cause: Cause) -> str:
    return _encode(cause).decode()


def _trim(connection: Connection, space_id: str) -> None:
    here = violations.c.space_id == space_id
    oldest = sa.select(violations.c.id).where(here).order_by(violations.c.id.desc()).offset(VIOLATIONS).limit(1)
    connection.execute(violations.delete().where(here, violations.c.id <= oldest.scalar_subquery()))


def _add_types(connection: Connection, space_id: str, types: dict[str, Collection]) -> None:
    space = workspaces.find_space(connection, space_id)
    there = {kind.name for kind in space.identifiers}
    new = [IdentifierType(name=name, collection=types[name]) for name in types if name not in there]
    room = max(0, MAX_TYPES - len(there))
    if new[:room]:
        workspaces.update_space(connection, space_id, identifiers=(*space.identifiers, *new[:room]))
