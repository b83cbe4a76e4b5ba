"""One person or company of the identity graph, whole: to be shown, explained, searched for and taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.spec.graph import Cause, Component, GroupLink, Link, Merge, Violation
from headwater.store import accounts, standing
from headwater.store import workspace as workspaces
from headwater.store.graph import owners, pairs_apart
from headwater.store.rows import pages
from headwater.store.schema import (
    group_links,
    identifiers,
    kept_apart,
    merges,
    profiles,
    removed_identifiers,
    spaces,
    violations,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

read_cause: Final = msgspec.json.Decoder(Cause).decode
"""A cause, as it is written in the columns of that name."""

_write_cause: Final = msgspec.json.Encoder().encode
_LAST: Final = "\U0010ffff"
_LONGEST: Final = 600


def canonical(connection: Connection, space_id: str, name: str) -> str | None:
    """The canonical profile of a profile's id or of an identifier (`type:value`); None when there is none."""
    if "\0" in name:
        return None
    query = sa.select(profiles.c.canonical_id).where(profiles.c.id == name, profiles.c.space_id == space_id)
    found = connection.execute(query).scalar()
    return found or owners(connection, space_id, [name]).get(name)


def canonical_once(connection: Connection, space_id: str, name: str) -> str | None:
    """As `canonical`, but also for an identifier that was removed and leads nowhere now."""
    found = canonical(connection, space_id, name)
    if found is not None or "\0" in name:
        return found
    joined = removed_identifiers.join(profiles, profiles.c.id == removed_identifiers.c.profile_id)
    query = sa.select(profiles.c.canonical_id).select_from(joined).order_by(removed_identifiers.c.removed_at.desc())
    here = (removed_identifiers.c.space_id == space_id, removed_identifiers.c.identifier == name)
    return connection.execute(query.where(*here).limit(1)).scalar()


def component(connection: Connection, canonical_id: str) -> Component:
    """Everything about a canonical profile. Raises SenderError 404 when there is none."""
    query = sa.select(profiles).where(profiles.c.canonical_id == canonical_id).order_by(profiles.c.id)
    rows = list(connection.execute(query).mappings())
    if not rows:
        raise SenderError("There is no such profile.", code="not_found", status=404)
    ids = [row["id"] for row in rows]
    links: list[Link] = []
    removed: list[Link] = []
    found: dict[str, Merge] = {}
    for page in pages(ids):
        query = sa.select(identifiers.c.identifier, identifiers.c.profile_id, identifiers.c.cause)
        links += [
            Link(row[0], row[1], read_cause(row[2]))
            for row in connection.execute(query.where(identifiers.c.profile_id.in_(page)))
        ]
        gone = sa.select(removed_identifiers).where(removed_identifiers.c.profile_id.in_(page))
        removed += [_removed(row) for row in connection.execute(gone).mappings()]
        touching = sa.or_(merges.c.left_id.in_(page), merges.c.right_id.in_(page))
        for row in connection.execute(sa.select(merges).where(touching)).mappings():
            found[row["id"]] = read_merge(row)
    return Component(
        canonical_id,
        rows[0]["collection"],
        {row["id"]: int(row["created_at"]) for row in rows},
        tuple(sorted(links, key=lambda link: (link.cause.at, link.identifier))),
        tuple(sorted(found.values(), key=lambda merge: (merge.cause.at, merge.id))),
        tuple(sorted(removed, key=lambda link: (link.removed_at, link.identifier))),
    )


def find_merge(connection: Connection, space_id: str, merge_id: str) -> Merge | None:
    """One merge of a space."""
    if "\0" in merge_id:
        return None
    query = sa.select(merges).where(merges.c.id == merge_id, merges.c.space_id == space_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else read_merge(row)


def search(connection: Connection, space_id: str, prefixes: Sequence[str], *, exact: bool, limit: int) -> list[str]:
    """Canonical profiles with an identifier that is one of these, or begins with one; oldest identifiers first."""
    prefixes = [each for each in prefixes if "\0" not in each and len(each) <= _LONGEST]
    if exact:
        return list(dict.fromkeys(owners(connection, space_id, prefixes).values()))[:limit]
    found: dict[str, None] = {}
    joined = identifiers.join(profiles, profiles.c.id == identifiers.c.profile_id)
    for prefix in prefixes:
        query = sa.select(profiles.c.canonical_id).select_from(joined).where(identifiers.c.space_id == space_id)
        query = query.where(identifiers.c.identifier >= prefix, identifiers.c.identifier < prefix + _LAST)
        found |= dict.fromkeys(connection.execute(query.order_by(identifiers.c.identifier).limit(limit)).scalars())
    return list(found)[:limit]


def newest(connection: Connection, space_id: str, collection: str, limit: int, *, before: str = "") -> list[str]:
    """The canonical profiles made last; with `before`, those made before that one."""
    query = sa.select(profiles.c.id).where(profiles.c.space_id == space_id, profiles.c.collection == collection)
    query = query.where(profiles.c.canonical_id == profiles.c.id).order_by(profiles.c.id.desc())
    if before and "\0" not in before:
        query = query.where(profiles.c.id < before)
    return list(connection.execute(query.limit(limit)).scalars())


def groups(connection: Connection, ids: Iterable[str], *, of_users: bool) -> list[tuple[str, GroupLink]]:
    """The companies of a person's profiles, or the people of a company's, each with the canonical profile there."""
    here, there = group_links.c.user_id, group_links.c.account_id
    if not of_users:
        here, there = there, here
    found: list[tuple[str, GroupLink]] = []
    joined = group_links.join(profiles, profiles.c.id == there)
    for page in pages(ids):
        query = sa.select(profiles.c.canonical_id, group_links).select_from(joined).where(here.in_(page)).limit(1_000)
        for row in connection.execute(query).mappings():
            link = GroupLink(row["user_id"], row["account_id"], read_cause(row["cause"]))
            found.append((row["canonical_id"], link))
    return found


def list_violations(
    connection: Connection, space_id: str, *, kind: str = "", before: str = "", limit: int = 100
) -> list[Violation]:
    """Violations, newest first; `before` is the id of the last one of the page before."""
    query = sa.select(violations).where(violations.c.space_id == space_id)
    if "\0" in kind or "\0" in before:
        return []
    if kind:
        query = query.where(violations.c.kind == kind)
    if before:
        query = query.where(violations.c.id < before)
    rows = connection.execute(query.order_by(violations.c.id.desc()).limit(limit)).mappings()
    return [_violation(row) for row in rows]


def split(connection: Connection, space_id: str, merge: Merge, roots: Mapping[str, str], at: int) -> None:
    """Undo a merge: `roots` are the canonical profiles of all profiles that were one with it, from now on.

    The two sides are kept apart, whoever remembers parts of the graph is told to forget them, and whoever works out
    audiences is told to look at both.
    """
    whole = connection.execute(sa.select(profiles.c.canonical_id).where(profiles.c.id == merge.left_id)).scalar_one()
    accounts.look_at_those_above(connection, [whole], at)
    connection.execute(merges.update().where(merges.c.id == merge.id).values(undone_at=at))
    for profile_id, root in roots.items():
        values = {"canonical_id": root, "version": profiles.c.version + 1}
        connection.execute(profiles.update().where(profiles.c.id == profile_id).values(**values))
    low, high = sorted((merge.left_id, merge.right_id))
    if (low, high) not in pairs_apart(connection, [low]):
        connection.execute(kept_apart.insert().values(low_id=low, high_id=high, merge_id=merge.id, at=at))
    standing.part(connection, whole, set(roots.values()), at)
    accounts.look_at_those_above(connection, roots.values(), at)
    _rewire(connection, space_id)


def let_together(connection: Connection, space_id: str, merge: Merge) -> bool:
    """Lift what keeps the two sides of an undone merge apart; False when nothing does."""
    low, high = sorted((merge.left_id, merge.right_id))
    gone = connection.execute(kept_apart.delete().where(kept_apart.c.low_id == low, kept_apart.c.high_id == high))
    if gone.rowcount:
        _rewire(connection, space_id)
    return bool(gone.rowcount)


def list_apart(connection: Connection, space_id: str, limit: int) -> tuple[list[Merge], int]:
    """The undone merges of a space whose sides are kept apart, those undone last first, and how many there are."""
    joined = kept_apart.join(merges, merges.c.id == kept_apart.c.merge_id)
    query = sa.select(merges).select_from(joined).where(merges.c.space_id == space_id)
    total = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    rows = connection.execute(query.order_by(kept_apart.c.at.desc(), merges.c.id.desc()).limit(limit)).mappings()
    return [read_merge(row) for row in rows], int(total)


def remove(connection: Connection, space_id: str, link: Link, at: int, by: str) -> Link:
    """Take an identifier from its profile, remember that it was there, and return it so.

    Merges that it caused stay. Whoever remembers parts of the graph is told to forget them, and whoever works out
    audiences to look at the profile. `by` is who did it. Raises SenderError 404 when the profile does not have it any
    more.
    """
    here = (identifiers.c.space_id == space_id, identifiers.c.identifier == link.identifier)
    gone = connection.execute(identifiers.delete().where(*here, identifiers.c.profile_id == link.profile_id))
    if not gone.rowcount:
        raise SenderError("The profile has no such identifier.", code="eid_not_found", status=404)
    before = sa.select(sa.func.max(removed_identifiers.c.removed_at)).where(
        removed_identifiers.c.space_id == space_id, removed_identifiers.c.identifier == link.identifier
    )
    at = max(at, int(connection.execute(before).scalar() or 0) + 1)
    removed = msgspec.structs.replace(link, removed_at=at, removed_by=by)
    row = msgspec.structs.asdict(removed) | {"space_id": space_id, "cause": _write_cause(link.cause).decode()}
    connection.execute(removed_identifiers.insert().values(row))
    owner = connection.execute(sa.select(profiles.c.canonical_id).where(profiles.c.id == link.profile_id)).scalar_one()
    connection.execute(profiles.update().where(profiles.c.id == owner).values(version=profiles.c.version + 1))
    standing.make_due(connection, standing.ANYWHERE, [owner], at)
    _rewire(connection, space_id)
    return removed


def removed(connection: Connection, space_id: str, since: int, *, limit: int = 10_000) -> list[Link]:
    """Identifiers that were removed from their profiles at this moment (ms) or later, in their order."""
    here = (removed_identifiers.c.space_id == space_id, removed_identifiers.c.removed_at >= since)
    query = sa.select(removed_identifiers).where(*here)
    query = query.order_by(removed_identifiers.c.removed_at, removed_identifiers.c.identifier).limit(limit)
    return [_removed(row) for row in connection.execute(query).mappings()]


def hold(connection: Connection, canonical_id: str) -> None:
    """Hold a canonical profile, with all that merges brought to it, against changes until the transaction ends."""
    query = sa.select(profiles.c.id).where(profiles.c.canonical_id == canonical_id).order_by(profiles.c.id)
    connection.execute(query.with_for_update()).all()


def _rewire(connection: Connection, space_id: str) -> None:
    connection.execute(spaces.update().where(spaces.c.id == space_id).values(rewired=spaces.c.rewired + 1))
    workspaces.touch(connection)


def _removed(row: Any) -> Link:
    cause = read_cause(row["cause"])
    return Link(row["identifier"], row["profile_id"], cause, int(row["removed_at"]), row["removed_by"])


def read_merge(row: Any) -> Merge:
    """A row of `merges` as what it means."""
    fields: dict[str, Any] = {name: row[name] for name in Merge.__struct_fields__}
    fields["cause"] = read_cause(row["cause"])
    return Merge(**fields)


def _violation(row: Any) -> Violation:
    fields: dict[str, Any] = {name: row[name] for name in Violation.__struct_fields__}
    fields["cause"] = read_cause(row["cause"])
    return Violation(**fields)
