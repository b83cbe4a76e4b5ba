"""How old events were when they were delivered, added up over 5 and 60 minutes, for each source and destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.spec.ages import Ages
from headwater.store.ledger import SPANS, adding
from headwater.store.schema import ages

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KEY = ("span", "minute", "source_id", "destination_id", "bucket")
_KEPT_MINUTES = {5: 2 * 24 * 60}
"""The sums over 5 minutes are only read for the last hours; those over an hour stay."""


def add(connection: Connection, histograms: Iterable[Ages]) -> None:
    """Add histograms to what stands there."""
    sums: Counter[tuple[int, int, str, str, int]] = Counter()
    for each in histograms:
        for span in SPANS:
            minute = each.minute - each.minute % span
            for bucket, events in each.buckets.items():
                sums[span, minute, each.source_id, each.destination_id, bucket] += events
    if not sums:
        return
    rows = [dict(zip(_KEY, key, strict=True)) | {"events": sums[key]} for key in sorted(sums)]
    connection.execute(adding(connection.dialect.name, ages), rows)


def totals(connection: Connection, *, span: int, since_minute: int, until_minute: int) -> dict[str, dict[int, int]]:
    """The histogram of each destination over the spans that begin between the two minutes (`until` not included)."""
    query = (
        sa.select(ages.c.destination_id, ages.c.bucket, sa.func.sum(ages.c.events))
        .where(ages.c.span == span, ages.c.minute >= since_minute, ages.c.minute < until_minute)
        .group_by(ages.c.destination_id, ages.c.bucket)
    )
    found: dict[str, dict[int, int]] = {}
    for destination_id, bucket, events in connection.execute(query):
        found.setdefault(destination_id, {})[int(bucket)] = int(events)
    return found


def series(
    connection: Connection, destination_id: str, *, span: int, since_minute: int, until_minute: int
) -> dict[int, dict[int, int]]:
    """The histogram of a destination in each span of so many minutes that has one, by the minute it begins with."""
    query = (
        sa.select(ages.c.minute, ages.c.bucket, sa.func.sum(ages.c.events))
        .where(ages.c.span == span, ages.c.minute >= since_minute, ages.c.minute < until_minute)
        .where(ages.c.destination_id == destination_id)
        .group_by(ages.c.minute, ages.c.bucket)
    )
    found: dict[int, dict[int, int]] = {}
    for minute, bucket, events in connection.execute(query):
        found.setdefault(int(minute), {})[int(bucket)] = int(events)
    return found


def forget(connection: Connection, now_minute: int) -> int:
    """Drop what is too old to be asked for. Returns how many rows that were."""
    gone = 0
    for span, kept in _KEPT_MINUTES.items():
        old = (ages.c.span == span) & (ages.c.minute < now_minute - kept)
        gone += connection.execute(ages.delete().where(old)).rowcount
    return gone
