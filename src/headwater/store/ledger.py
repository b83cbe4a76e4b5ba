"""The books: counts per minute, source, destination, step and reason, added up exactly once.

Beside the minutes stand the same counts over 5 and 60 minutes, from which long spans are read, and for each source,
destination and step the sum of all time with the newest instant and its reason. All are changed together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.spec.outcome import Count
from headwater.store.schema import cursors, ledger, ledger_spans, standings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

SPANS: Final = (5, 60)
"""The spans, in minutes, over which counts are kept added up."""

_KEY = ("minute", "source_id", "destination_id", "step", "reason", "subscription_id")
_Key = tuple[int, str, str, str, str, str]
Newest = Mapping[tuple[str, str, str], tuple[int, str]]
"""For source, destination and step: the newest instant (milliseconds) at which an event met it, and the reason."""


class Standing(msgspec.Struct, frozen=True):
    """How many events of a source and destination stand at a step now, of all time, and the newest that came there.

    `at` is in milliseconds since 1970, and 0 when it is not known.
    """

    source_id: str
    destination_id: str
    step: str
    events: int
    at: int
    reason: str


def add(connection: Connection, counts: Iterable[Count], newest: Newest | None = None) -> None:
    """Add counts to the books; a negative count takes events away again (a pending one that was delivered)."""
    sums: Counter[_Key] = Counter()
    for count in counts:
        key = (count.minute, count.source_id, count.destination_id, count.step, count.reason, count.subscription_id)
        sums[key] += count.events
    changed = {key: events for key, events in sums.items() if events}
    _add_up(connection, ledger, [dict(zip(_KEY, key, strict=True)) | {"events": changed[key]} for key in changed])
    for span in SPANS:
        _add_up(connection, ledger_spans, _over(span, changed))
    _stand(connection, changed, newest or {})


def _over(span: int, changed: Mapping[_Key, int]) -> list[dict[str, Any]]:
    sums: Counter[_Key] = Counter()
    for (minute, source_id, destination_id, step, reason, subscription_id), events in changed.items():
        sums[minute - minute % span, source_id, destination_id, step, reason, subscription_id] += events
    return [
        dict(zip(_KEY, key, strict=True)) | {"span": span, "events": events} for key, events in sums.items() if events
    ]


def _add_up(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Add rows to what stands there. In the order of their keys, so that two who write the same rows do not block."""
    if rows:
        keys = [column.name for column in table.primary_key]
        rows.sort(key=lambda row: [row[key] for key in keys])
        connection.execute(adding(connection.dialect.name, table), rows)


@cache
def adding(dialect: str, table: sa.Table) -> sa.Insert:
    """Adds `events` to what stands under a key. Made once: to put it together costs more than to run it, and leaves
    circles of objects to the collector.
    """
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(index_elements=keys, set_={"events": table.c.events + insert.excluded.events})


def _stand(connection: Connection, changed: Mapping[_Key, int], newest: Newest) -> None:
    sums: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for (_, source_id, destination_id, step, _, _), events in changed.items():
        sums[source_id, destination_id, step] += events
    rows: list[dict[str, Any]] = []
    for key in sorted(sums.keys() | newest.keys()):
        at, reason = newest.get(key, (0, ""))
        source_id, destination_id, step = key
        row = {"source_id": source_id, "destination_id": destination_id, "step": step}
        rows.append(row | {"events": sums.get(key, 0), "at": at, "reason": reason})
    if rows:
        connection.execute(_standing(connection.dialect.name), rows)


@cache
def _standing(dialect: str) -> sa.Insert:
    """Adds to standings, and puts what is newer in the place of what is older. Made once, as `adding`."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(standings)
    newer = insert.excluded.at >= standings.c.at
    return insert.on_conflict_do_update(
        index_elements=("source_id", "destination_id", "step"),
        set_={
            "events": standings.c.events + insert.excluded.events,
            "at": sa.case((newer, insert.excluded.at), else_=standings.c.at),
            "reason": sa.case((newer, insert.excluded.reason), else_=standings.c.reason),
        },
    )


def cursor(connection: Connection, name: str, partition: int) -> int:
    """The place in the log up to which something here is derived; 0 at first."""
    query = sa.select(cursors.c.position).where(cursors.c.name == name, cursors.c.partition == partition)
    return connection.execute(query).scalar() or 0


def set_cursor(connection: Connection, name: str, partition: int, position: int) -> None:
    """Remember that place, in the transaction that derives."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(cursors)
    connection.execute(
        insert.on_conflict_do_update(index_elements=("name", "partition"), set_={"position": insert.excluded.position}),
        {"name": name, "partition": partition, "position": position},
    )


def totals(
    connection: Connection,
    *,
    since_minute: int = 0,
    until_minute: int = 2**62,
    source_id: str | None = None,
    destination_id: str | None = None,
    subscription_id: str = "",
    span: int = 1,
) -> list[Count]:
    """The sums over some minutes (`until` not included) by source, destination, step and reason; `minute` is 0.

    A `subscription_id` narrows them to what one subscription matched.

    With a `span` of SPANS the answer comes from the sums over so many minutes, of which those count that begin between
    the two; it is then much faster.
    """
    table = ledger if span == 1 else ledger_spans
    sums = sa.func.sum(table.c.events)
    query = sa.select(table.c.source_id, table.c.destination_id, table.c.step, table.c.reason, sums)
    query = query.where(*_within(table, span, since_minute, until_minute))
    if source_id is not None:
        query = query.where(table.c.source_id == source_id)
    if destination_id is not None:
        query = query.where(table.c.destination_id == destination_id)
    if subscription_id:
        query = query.where(table.c.subscription_id == subscription_id)
    query = query.group_by(table.c.source_id, table.c.destination_id, table.c.step, table.c.reason)
    rows = connection.execute(query.having(sums != 0)).all()
    return [
        Count(source, destination, 0, step, reason, int(events)) for source, destination, step, reason, events in rows
    ]


def series(
    connection: Connection,
    *,
    width: int,
    since_minute: int,
    until_minute: int,
    destination_id: str | None,
    source_id: str = "",
    subscription_id: str = "",
) -> dict[int, dict[str, int]]:
    """Events by step over intervals of `width` minutes: first minute, which is a multiple of it, to step to events.

    An empty destination is the side of the sources, None is every destination, and an empty source all of them.
    Intervals without events are absent.
    """
    span = max((one for one in SPANS if width % one == 0), default=1)
    table = ledger if span == 1 else ledger_spans
    first = table.c.minute - table.c.minute % width
    query = sa.select(first, table.c.step, sa.func.sum(table.c.events))
    side = table.c.destination_id != "" if destination_id is None else table.c.destination_id == destination_id
    query = query.where(*_within(table, span, since_minute, until_minute), side)
    if source_id:
        query = query.where(table.c.source_id == source_id)
    if subscription_id:
        query = query.where(table.c.subscription_id == subscription_id)
    found: dict[int, dict[str, int]] = {}
    for minute, step, events in connection.execute(query.group_by(first, table.c.step)):
        found.setdefault(int(minute), {})[step] = int(events)
    return found


Group = Literal["reason", "subscription_id", "step"]


def breakdown(
    connection: Connection,
    *,
    width: int,
    since_minute: int,
    until_minute: int,
    source_id: str,
    destination_id: str,
    steps: Sequence[str],
    groups: Sequence[Group],
    only: Mapping[Group, Sequence[str]],
) -> dict[tuple[str, ...], dict[int, int]]:
    """Events that met some steps over intervals of `width` minutes, parted by `groups`: their values to first minute
    to events.

    `only` narrows the events to some values of a group. An empty destination is the side of the source.
    """
    span = max((one for one in SPANS if width % one == 0), default=1)
    table = ledger if span == 1 else ledger_spans
    first = table.c.minute - table.c.minute % width
    parts = [table.c[group] for group in groups]
    query = sa.select(first, *parts, sa.func.sum(table.c.events)).where(
        *_within(table, span, since_minute, until_minute),
        table.c.source_id == source_id,
        table.c.destination_id == destination_id,
        table.c.step.in_(list(steps)),
        *(table.c[group].in_(list(values)) for group, values in only.items()),
    )
    found: dict[tuple[str, ...], dict[int, int]] = {}
    for row in connection.execute(query.group_by(first, *parts)):
        if row[-1]:
            found.setdefault(tuple(row[1:-1]), {})[int(row[0])] = int(row[-1])
    return found


def standing(connection: Connection) -> list[Standing]:
    """How all sources and destinations stand now, by step."""
    return [Standing(**row) for row in connection.execute(sa.select(standings)).mappings()]


def advance(connection: Connection, name: str, partition: int, expected: int, position: int) -> bool:
    """Move the place on if it still stands where it was read: of two processes that derive the same, one goes on."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(cursors)
    place = insert.values(name=name, partition=partition, position=position)
    moved = connection.execute(
        place.on_conflict_do_update(
            index_elements=("name", "partition"),
            set_={"position": place.excluded.position},
            where=cursors.c.position == expected,
        ).returning(cursors.c.position)
    )
    return moved.first() is not None


def next_epoch(connection: Connection, name: str, partition: int) -> int:
    """Begin the next epoch of a partition: what was begun in one before stands no more. The first is 1."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(cursors)
    begun = insert.values(name=name, partition=partition, position=1)
    moved = begun.on_conflict_do_update(
        index_elements=("name", "partition"), set_={"position": cursors.c.position + 1}
    ).returning(cursors.c.position)
    return int(connection.execute(moved).scalar_one())


def epochs(connection: Connection, name: str, partitions: Iterable[int]) -> dict[int, int]:
    """The epochs of partitions, which stand until the transaction ends: who begins the next one waits for it."""
    found = connection.execute(_EPOCHS, {"the_name": name, "partitions": sorted(partitions)})
    return {row[0]: int(row[1]) for row in found}


_EPOCHS: Final = (
    sa.select(cursors.c.partition, cursors.c.position)
    .where(
        cursors.c.name == sa.bindparam("the_name"),
        cursors.c.partition.in_(sa.bindparam("partitions", expanding=True)),
    )
    .order_by(cursors.c.partition)
    .with_for_update(read=True)
)
"""Made once, as `adding`: it is asked with every writing of parked rows."""


def _within(table: sa.Table, span: int, since_minute: int, until_minute: int) -> list[sa.ColumnElement[bool]]:
    where = [table.c.minute >= since_minute, table.c.minute < until_minute]
    return where if span == 1 else [table.c.span == span, *where]
