"""Which events each source has sent so far: how many of each type and name, and what was in those looked at.

Names are the sender's, so there is a limit: beyond NAMES of a source, new ones are counted together in a row with an
empty name, `overflow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.typed import converter
from headwater.store.schema import event_names, event_samples

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

NAMES: Final = 5_000
"""Names of a source, over all types, that are counted one by one."""

_PAGE: Final = 500
Key = tuple[str, str, str]
"""Source id, type and name."""


class NameCount(msgspec.Struct, frozen=True):
    """Events of a source, type and name. Moments are in milliseconds since 1970."""

    source_id: str
    type: str
    name: str
    events: int
    first_at: int
    last_at: int
    overflow: bool = False


class PathSeen(msgspec.Struct, array_like=True, frozen=True):
    """What stood at a path: in how many of the events looked at, of which JSON types how often, and one example."""

    events: int
    types: dict[str, int]
    example: str


class Sample(msgspec.Struct, frozen=True):
    """What was in the events of a name that were looked at. `event` is the newest of them, as it was published."""

    source_id: str
    type: str
    name: str
    sampled: int
    sampled_at: int
    paths: dict[str, PathSeen]
    event: bytes


def add(connection: Connection, counts: Sequence[NameCount], limit: int = NAMES) -> None:
    """Add counts to what stands there; of new names, the first are taken until the source has `limit`."""
    rows: dict[tuple[str, str, str, bool], NameCount] = {}
    for each in _admitted(connection, counts, limit):
        key = (each.source_id, each.type, each.name, each.overflow)
        before = rows.get(key)
        rows[key] = each if before is None else _together(before, each)
    if not rows:
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(event_names)
    new, old = insert.excluded, event_names.c
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=("source_id", "type", "name", "overflow"),
            set_={
                "events": old.events + new.events,
                "first_at": sa.case((new.first_at < old.first_at, new.first_at), else_=old.first_at),
                "last_at": sa.case((new.last_at > old.last_at, new.last_at), else_=old.last_at),
            },
        ),
        [msgspec.structs.asdict(rows[key]) for key in sorted(rows)],
    )


def _together(one: NameCount, other: NameCount) -> NameCount:
    return msgspec.structs.replace(
        one,
        events=one.events + other.events,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
    )


def _admitted(connection: Connection, counts: Iterable[NameCount], limit: int) -> list[NameCount]:
    """The counts, with those of names for which there is no room put under the overflow of their type."""
    by_source: dict[str, list[NameCount]] = {}
    for each in counts:
        by_source.setdefault(each.source_id, []).append(each)
    found: list[NameCount] = []
    for source_id, theirs in by_source.items():
        known = _known(connection, source_id, {each.name for each in theirs})
        new = {(each.type, each.name) for each in theirs if not each.overflow} - known
        room = max(0, limit - _number(connection, source_id)) if new else 0
        admitted = known | (new if len(new) <= room else set(sorted(new)[:room]))
        for each in theirs:
            fits = not each.overflow and (each.type, each.name) in admitted
            found.append(each if fits else msgspec.structs.replace(each, name="", overflow=True))
    return found


def _known(connection: Connection, source_id: str, names: set[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    listed = sorted(names)
    for start in range(0, len(listed), _PAGE):
        query = sa.select(event_names.c.type, event_names.c.name).where(
            event_names.c.source_id == source_id,
            event_names.c.name.in_(listed[start : start + _PAGE]),
            event_names.c.overflow == sa.false(),
        )
        found |= {(row[0], row[1]) for row in connection.execute(query)}
    return found


def _number(connection: Connection, source_id: str) -> int:
    where = (event_names.c.source_id == source_id, event_names.c.overflow == sa.false())
    return int(connection.execute(sa.select(sa.func.count()).select_from(event_names).where(*where)).scalar() or 0)


def find(
    connection: Connection,
    source_id: str,
    *,
    text: str = "",
    order: Literal["events", "last_at"] = "events",
    limit: int = 200,
    offset: int = 0,
) -> tuple[list[NameCount], int]:
    """A page of a source's names, most first or newest first, and how many there are in all.

    `text` stands anywhere in the name or type, whatever its case.
    """
    where: list[sa.ColumnElement[bool]] = [event_names.c.source_id == source_id]
    if text:
        where.append(
            sa.or_(
                event_names.c.name.icontains(text, autoescape=True), event_names.c.type.icontains(text, autoescape=True)
            )
        )
    total = connection.execute(sa.select(sa.func.count()).select_from(event_names).where(*where)).scalar() or 0
    first = event_names.c.events if order == "events" else event_names.c.last_at
    query = sa.select(event_names).where(*where).order_by(first.desc(), event_names.c.type, event_names.c.name)
    rows = connection.execute(query.limit(limit).offset(offset)).mappings()
    return [_count(row) for row in rows], int(total)


def one(connection: Connection, key: Key) -> NameCount | None:
    """The count of one name, unless it is counted with others or was never seen."""
    source_id, type, name = key
    query = sa.select(event_names).where(
        event_names.c.source_id == source_id,
        event_names.c.type == type,
        event_names.c.name == name,
        event_names.c.overflow == sa.false(),
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _count(row)


def sample(connection: Connection, key: Key) -> Sample | None:
    """What was in the events of a name, if any was looked at."""
    row = connection.execute(sa.select(event_samples).where(*_is(key))).mappings().first()
    if row is None:
        return None
    paths = _read_paths(row["paths"])
    return Sample(
        row["source_id"], row["type"], row["name"], int(row["sampled"]), int(row["sampled_at"]), paths, row["event"]
    )


def keep(connection: Connection, samples: Iterable[Sample]) -> None:
    """Put samples in the place of what stands there."""
    for each in samples:
        values = msgspec.structs.asdict(each) | {"paths": msgspec.to_builtins(each.paths)}
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(event_samples)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=("source_id", "type", "name"),
                set_={name: insert.excluded[name] for name in ("sampled", "sampled_at", "paths", "event")},
            ),
            values,
        )


def _is(key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    source_id, type, name = key
    return event_samples.c.source_id == source_id, event_samples.c.type == type, event_samples.c.name == name


def _count(row: RowMapping) -> NameCount:
    return NameCount(
        row["source_id"],
        row["type"],
        row["name"],
        int(row["events"]),
        int(row["first_at"]),
        int(row["last_at"]),
        bool(row["overflow"]),
    )


_read_paths = converter(dict[str, PathSeen])
