"""Which files of the archive hold the events that a replay wants, and what to ask of them, as SQL. Pure.

Files of two days may cover the same positions, since events of both came side by side. So positions are asked for in
stretches within which the files stay the same: each is as small as a file, and the events of each are put in order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from headwater.spec.replay import Wanted
from headwater.spec.timestamps import format_moment
from headwater.warehouse.archive import Part

_NAME = "CASE type WHEN 'track' THEN event WHEN 'page' THEN name WHEN 'screen' THEN name END"


class Stretch(msgspec.Struct, frozen=True):
    """The positions of a partition from `first` to before `end`, and all files that hold some of them, with sizes.

    The files are in order, one after the other, unless they are `mixed`.
    """

    partition: int
    first: int
    end: int
    sizes: dict[str, int]
    mixed: bool = False


class Question(msgspec.Struct, frozen=True):
    """SQL with its parameters, for a view `archived` of a stretch's files."""

    sql: str
    parameters: list[Any]


def stretches(
    parts: Iterable[Part], wanted: Wanted, place: Mapping[int, int], until: Mapping[int, int], *, files: int = 1
) -> list[Stretch]:
    """What to read between two places, in its order, each of at most so many files unless more are mixed.

    A partition that `place` lacks is read from its beginning, and none that `until` lacks.
    """
    by_partition: defaultdict[int, list[Part]] = defaultdict(list)
    first_day, last_day = format_moment(wanted.since_ms)[:10], format_moment(max(wanted.until_ms - 1, 0))[:10]
    for part in parts:
        if part.source_id == wanted.source_id and first_day <= part.day <= last_day:
            by_partition[part.partition].append(part)
    return [
        stretch
        for partition in sorted(by_partition)
        for stretch in _joined(
            _of_partition(by_partition[partition], place.get(partition, 0), until.get(partition, 0)), files
        )
    ]


def _of_partition(parts: Sequence[Part], first: int, end: int) -> Iterator[Stretch]:
    edges = sorted({edge for part in parts for edge in (part.first, part.last + 1) if first < edge < end})
    coming = deque(sorted(parts, key=lambda part: part.first))
    standing: list[Part] = []
    for start, stop in pairwise([first, *edges, end]):
        while coming and coming[0].first < stop:
            standing.append(coming.popleft())
        standing = [part for part in standing if part.last >= start]
        if standing and start < stop:
            sizes = {part.name: part.size for part in standing}
            yield Stretch(parts[0].partition, start, stop, sizes, mixed=len(sizes) > 1)


def _joined(found: Iterable[Stretch], files: int) -> Iterator[Stretch]:
    """Stretches of one file each that follow each other as one."""
    before: Stretch | None = None
    for each in found:
        if before is None:
            before = each
        elif before.mixed or each.mixed or len(before.sizes) >= files:
            yield before
            before = each
        else:
            before = Stretch(each.partition, before.first, each.end, before.sizes | each.sizes)
    if before is not None:
        yield before


def rows(wanted: Wanted, stretch: Stretch) -> Question:
    """What gives body, type, name, message id, position and moment of the events, in order."""
    where, parameters = _where(wanted, stretch)
    columns = f"body, type, coalesce({_NAME}, ''), message_id, position, epoch_ms(received_at)"
    order = " ORDER BY position" if stretch.mixed else ""
    return Question(f"SELECT {columns} FROM archived WHERE {where}{order}", parameters)  # noqa: S608 - bound


def number(wanted: Wanted, stretch: Stretch) -> Question:
    """What gives how many these are, but for the condition."""
    where, parameters = _where(wanted, stretch)
    return Question(f"SELECT count(*) FROM archived WHERE {where}", parameters)  # noqa: S608 - bound


def _where(wanted: Wanted, stretch: Stretch) -> tuple[str, list[Any]]:
    parameters: list[Any] = [stretch.partition, stretch.first, stretch.end, wanted.source_id]
    conditions = ["partition = $1", "position >= $2", "position < $3", "source_id = $4"]

    def bound(value: Any) -> str:
        parameters.append(value)
        return f"${len(parameters)}"

    conditions.append(f"epoch_ms(received_at) >= {bound(wanted.since_ms)}")
    conditions.append(f"epoch_ms(received_at) < {bound(wanted.until_ms)}")
    if wanted.types:
        conditions.append(f"type IN ({', '.join(map(bound, wanted.types))})")
    if wanted.names:
        conditions.append(f"{_NAME} IN ({', '.join(map(bound, wanted.names))})")
    if wanted.user:
        user = bound(wanted.user)
        conditions.append(f"(user_id = {user} OR anonymous_id = {user} OR profile_id = {user})")
    return " AND ".join(conditions), parameters
