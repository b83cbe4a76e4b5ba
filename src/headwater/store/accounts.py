"""Companies and who belongs to them: which company is above which, and the people of a company with all below it.

A company has one parent: what the newest event says, of all events about the profiles that merges made one with it.
What is asked for and answered are canonical profiles. Merges can close a circle that no event was let make; whoever
walks here meets each company once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.graph import MAX_LEVELS, Cause, ParentLink, Violation, ViolationKind, make_id
from headwater.store import standing
from headwater.store.rows import pages
from headwater.store.schema import account_parents, group_links, profiles, spaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MAX_USERS: Final = 100_000
MAX_ACCOUNTS: Final = 10_000
MAX_VIOLATIONS: Final = 100
"""Refusals that are told of one write."""

_read_cause = msgspec.json.Decoder(Cause).decode
_write_cause = msgspec.json.Encoder().encode
_child, _parent = profiles.alias(), profiles.alias()


class Some(list[str]):
    """Ids, of which there may be more: `cut` says that the limit was reached."""

    cut: bool = False


def parents(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """The parent of each company that has one."""
    newest: dict[str, tuple[tuple[int, int, str], str]] = {}
    for page in pages(ids):
        query = sa.select(account_parents, _child.c.canonical_id.label("child"), _parent.c.canonical_id.label("parent"))
        joined = account_parents.join(_child, _child.c.id == account_parents.c.child_id)
        joined = joined.outerjoin(_parent, _parent.c.id == account_parents.c.parent_id)
        for row in connection.execute(query.select_from(joined).where(_child.c.canonical_id.in_(page))).mappings():
            told = (_link(row).order, row["parent"] or "")
            newest[row["child"]] = max(told, newest.get(row["child"], told))
    return {child: parent for child, (_, parent) in newest.items() if parent and parent != child}


def children(connection: Connection, account_id: str, *, limit: int = MAX_ACCOUNTS) -> list[str]:
    """The companies right below one, by their ids."""
    return sorted(_below(connection, [account_id]))[:limit]


def ancestors(connection: Connection, ids: Iterable[str]) -> dict[str, list[str]]:
    """The companies above each company, the nearest first."""
    up: dict[str, str] = {}
    wanted = set(ids)
    asked, looking = set(wanted), set(wanted)
    while looking:
        found = parents(connection, sorted(looking))
        up |= found
        looking = set(found.values()) - asked
        asked |= looking
    return {id: _above(id, up) for id in wanted}


def descendants(connection: Connection, account_id: str, *, limit: int = MAX_ACCOUNTS) -> Some:
    """The companies below one, the nearest first."""
    seen, found, level = {account_id}, Some(), [account_id]
    while level and len(found) <= limit:
        level = sorted(_below(connection, level).keys() - seen)
        seen.update(level)
        found += level
    found.cut = len(found) > limit
    del found[limit:]
    return found


def users_of(connection: Connection, account_id: str, *, limit: int = MAX_USERS) -> Some:
    """The people who are linked to a company, or to one below it."""
    accounts = descendants(connection, account_id)
    member, user = profiles.alias(), profiles.alias()
    joined = group_links.join(member, member.c.id == group_links.c.account_id)
    joined = joined.join(user, user.c.id == group_links.c.user_id)
    found: set[str] = set()
    for page in pages([account_id, *accounts]):
        query = sa.select(user.c.canonical_id).distinct().select_from(joined).where(member.c.canonical_id.in_(page))
        found.update(connection.execute(query.limit(limit + 1)).scalars())
        if len(found) > limit:
            break
    some = Some(sorted(found)[:limit])
    some.cut = accounts.cut or len(found) > limit
    return some


def accounts_of(connection: Connection, user_ids: Iterable[str]) -> dict[str, list[str]]:
    """For each person the companies that they are linked to and all above these; those who have none are left out."""
    linked: defaultdict[str, dict[str, None]] = defaultdict(dict)
    user, account = profiles.alias(), profiles.alias()
    joined = group_links.join(user, user.c.id == group_links.c.user_id)
    joined = joined.join(account, account.c.id == group_links.c.account_id)
    for page in pages(user_ids):
        query = sa.select(user.c.canonical_id, account.c.canonical_id).select_from(joined)
        query = query.where(user.c.canonical_id.in_(page)).order_by(group_links.c.account_id)
        for row in connection.execute(query):
            linked[row[0]][row[1]] = None
    up = ancestors(connection, {account for accounts in linked.values() for account in accounts})
    return {
        user: list(dict.fromkeys([*accounts, *(above for each in accounts for above in up[each])]))
        for user, accounts in linked.items()
    }


def put_under(connection: Connection, space_id: str, told: Sequence[ParentLink]) -> list[Violation]:
    """Write what events say of parents, each if it is the newest; what would close a circle or be too deep is refused.

    Whoever else writes parents of this space waits until the transaction ends.
    """
    connection.execute(sa.select(spaces.c.id).where(spaces.c.id == space_id).with_for_update()).all()
    ids = {id for link in told for id in (link.child_id, link.parent_id) if id}
    canonical = _canonical(connection, ids)
    written = _written(connection, {link.child_id for link in told})
    tree = _Tree(connection)
    refused: list[Violation] = []
    kept: dict[str, ParentLink] = {}
    moved: set[str] = set()
    for link in told:
        before = written.get(link.child_id)
        if before is not None and before.order >= link.order:
            continue
        child, parent = canonical[link.child_id], canonical.get(link.parent_id, "")
        kind = tree.trouble(child, parent) if before is None or before.parent_id != link.parent_id else None
        if kind is not None:
            refused.append(_violation(space_id, kind, link, child))
            continue
        if (above := tree.parent(child)) != parent:
            moved |= {above, parent} - {""}
        tree.put(child, parent)
        written[link.child_id] = kept[link.child_id] = link
    _write(connection, space_id, list(kept.values()))
    look_at_those_above(connection, moved, max((link.cause.at for link in told), default=0))
    return refused[:MAX_VIOLATIONS]


def look_at_those_above(connection: Connection, ids: Iterable[str], at: int) -> None:
    """Have whoever works out audiences look at these companies and all above them at an instant (ms).

    They have others' people now, or have lost some, and no event names them. Ids of people are passed over.
    """
    line = ancestors(connection, (id for id in ids if id.startswith("acc_")))
    standing.make_due(connection, standing.ANYWHERE, {*line, *(one for above in line.values() for one in above)}, at)


class _Tree:
    """What is above and below some companies, as far as it was asked for, with what is being written."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._up: dict[str, str] = {}

    def trouble(self, child: str, parent: str) -> ViolationKind | None:
        """Why a company cannot be below another one."""
        if not parent:
            return None
        above = [parent, *self._ancestors(parent)]
        if child in above:
            return "parent_above_itself"
        return "parent_too_deep" if len(above) + self._height(child, MAX_LEVELS - len(above) + 1) > MAX_LEVELS else None

    def put(self, child: str, parent: str) -> None:
        """What is written now; none for an empty parent."""
        self._up[child] = parent

    def parent(self, id: str) -> str:
        """The company above one; empty if there is none."""
        if id not in self._up:
            self._up[id] = parents(self._connection, [id]).get(id, "")
        return self._up[id]

    def _ancestors(self, id: str) -> list[str]:
        found: list[str] = []
        while (id := self.parent(id)) and id not in found:
            found.append(id)
        return found

    def _height(self, id: str, most: int) -> int:
        """How many levels are below a company; no more are looked for than matter."""
        seen, level, height = {id}, {id}, 0
        while height < most:
            stored = {child for child in _below(self._connection, sorted(level)) if child not in self._up}
            level = (stored | {child for child, parent in self._up.items() if parent in level}) - seen
            if not level:
                break
            seen |= level
            height += 1
        return height


def _above(id: str, up: dict[str, str]) -> list[str]:
    found: list[str] = []
    at = up.get(id, "")
    while at and at != id and at not in found:
        found.append(at)
        at = up.get(at, "")
    return found


def _below(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The companies right below some, each with its parent."""
    found: set[str] = set()
    joined = account_parents.join(_parent, _parent.c.id == account_parents.c.parent_id)
    joined = joined.join(_child, _child.c.id == account_parents.c.child_id)
    for page in pages(ids):
        query = sa.select(_child.c.canonical_id).select_from(joined).where(_parent.c.canonical_id.in_(page))
        found.update(connection.execute(query).scalars())
    wanted = set(ids)
    return {child: parent for child, parent in parents(connection, sorted(found)).items() if parent in wanted}


def _canonical(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in pages(ids):
        query = sa.select(profiles.c.id, profiles.c.canonical_id).where(profiles.c.id.in_(page))
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def _written(connection: Connection, ids: Iterable[str]) -> dict[str, ParentLink]:
    found: dict[str, ParentLink] = {}
    for page in pages(ids):
        query = sa.select(account_parents).where(account_parents.c.child_id.in_(page))
        found.update((row["child_id"], _link(row)) for row in connection.execute(query).mappings())
    return found


def _write(connection: Connection, space_id: str, links: Sequence[ParentLink]) -> None:
    if not links:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(account_parents)
    changed = {name: insert.excluded[name] for name in ("parent_id", "at", "cause")}
    connection.execute(
        insert.on_conflict_do_update(index_elements=("child_id",), set_=changed),
        [
            {
                "space_id": space_id,
                "child_id": one.child_id,
                "parent_id": one.parent_id,
                "at": one.at,
                "cause": _write_cause(one.cause).decode(),
            }
            for one in links
        ],
    )


def _link(row: Any) -> ParentLink:
    return ParentLink(row["child_id"], row["parent_id"], "", int(row["at"]), _read_cause(row["cause"]))


def _violation(space_id: str, kind: ViolationKind, link: ParentLink, child: str) -> Violation:
    id = make_id("vio_", link.cause.at, space_id, link.cause.message_id, kind, link.parent)
    return Violation(id, kind, link.parent, link.parent.partition(":")[0], child, link.cause)
