"""How it is now: the rows of `user_traits`, `user_identifiers` and `profile_merges` (4.4). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from headwater.profiles import known
from headwater.profiles.computed import Worked, as_write, counts, read_values
from headwater.profiles.known import Write
from headwater.spec.computation import Computation
from headwater.spec.timestamps import format_moment, parse_moment
from headwater.warehouse.casting import ArrowTable, Column, as_json
from headwater.warehouse.flatten import uuid_of
from headwater.warehouse.profiles.history import Turn, Turns, seq_of
from headwater.warehouse.profiles.names import PROFILE_MERGES, USER_IDENTIFIERS, USER_TRAITS
from headwater.warehouse.profiles.shapes import STANDINGS
from headwater.warehouse.profiles.sighting import Sighting, Witness, value_of

OWNER: Final = {
    USER_TRAITS: "canonical_segment_id",
    USER_IDENTIFIERS: "canonical_segment_id",
    PROFILE_MERGES: "segment_id",
}
"""The column by whose profile the rows of a table are found, and replaced together."""

_SAME: Final = {
    USER_TRAITS: ("name", "value", "seq"),
    USER_IDENTIFIERS: ("type", "value"),
    PROFILE_MERGES: ("canonical_segment_id", "seq"),
}
"""The columns by which rows of one owner are told from others. If they are the same, the row is left alone."""

Row = dict[str, Any]
"""A row by column; moments are milliseconds."""


class Change(msgspec.Struct, frozen=True):
    """What to do to a table: remove all rows of these profiles, then add rows."""

    gone: list[str]
    rows: list[Row]


def traits_now(turns: Turns, states: Mapping[str, Sequence[known.State]]) -> dict[str, dict[str, Write]]:
    """The traits of each canonical profile: of all that are one with it, the newest of each name (1.8)."""
    theirs: defaultdict[str, list[known.State]] = defaultdict(list)
    for id, mine in turns.items():
        theirs[mine[-1].canonical_id] += states.get(id, ())
    return {canonical_id: united(several) for canonical_id, several in theirs.items()}


def united(states: Sequence[known.State]) -> dict[str, Write]:
    """The traits that states come to together."""
    state = known.unite(states)
    return {} if state is None else known.traits(state)


def values_now(
    turns: Turns, standings: Mapping[str, bytes], computations: Iterable[Computation]
) -> dict[str, list[Worked]]:
    """The values of computations that each canonical profile has; those that have none are left out."""
    there = list(computations)
    theirs: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for id, mine in turns.items():
        if id in standings:
            theirs[mine[-1].canonical_id][id] = standings[id]
    return {canonical_id: read_values(there, canonical_id, stand) for canonical_id, stand in theirs.items()}


def with_values(
    traits: Mapping[str, Mapping[str, Write]], values: Mapping[str, Sequence[Worked]]
) -> dict[str, dict[str, Write]]:
    """Traits with the values of computations among them, as the Profile API shows them (3.1)."""
    found = {canonical_id: dict(written) for canonical_id, written in traits.items()}
    for canonical_id, worked in values.items():
        mine = found.setdefault(canonical_id, {})
        mine |= {one.key: as_write(one) for one in worked if counts(one, mine.get(one.key))}
    return found


def trait_rows(traits: Mapping[str, Mapping[str, Write]], *, nul: bool) -> list[Row]:
    """Rows of `user_traits`, one for each trait. A value that is no text stands there as JSON."""
    rows: list[Row] = []
    for canonical_id, written in traits.items():
        for name, write in written.items():
            row = {"canonical_segment_id": canonical_id, "name": name, "value": _text(write.value)}
            if not nul:
                row = {column: text.replace("\0", "") for column, text in row.items()}
            mark = write.mark
            moments = {"timestamp": mark.at, "received_at": mark.received_at}
            rows.append(row | moments | {"seq": seq_of(mark.at, mark.position)})
    return rows


def identifier_rows(sightings: Iterable[Sighting], turns: Turns, witness: Witness) -> list[Row]:
    """Rows of `user_identifiers`."""
    return [
        {
            "canonical_segment_id": turns[each.profile_id][-1].canonical_id,
            "type": each.type,
            "value": each.value,
            "timestamp": parse_moment(witness.timestamp(each.cause, each.cause.at)),
            "received_at": each.cause.at,
            "seq": each.seq,
        }
        for each in sightings
    ]


def merge_rows(turns: Turns, witness: Witness) -> list[Row]:
    """Rows of `profile_merges`: the last turn of each profile."""
    last: list[Turn] = [each[-1] for each in turns.values()]
    return [
        {
            "canonical_segment_id": turn.canonical_id,
            "segment_id": turn.segment_id,
            "timestamp": parse_moment(witness.timestamp(turn.cause, turn.at)),
            "received_at": turn.at,
            "seq": turn.seq,
        }
        for turn in last
    ]


def settle(turns: Turns, known_ids: set[str], before: Mapping[str, Row]) -> list[Turn]:
    """The turns that are new to the warehouse, numbered so that they come after all that it has of their profiles.

    `before` are the rows of `profile_merges` by profile. An event that was received earlier may be resolved later, by
    another process; then its turns come late, and must count nonetheless.
    """
    new: list[Turn] = []
    for id, mine in turns.items():
        last = before[id]["seq"] if id in before else -1
        for turn in mine:
            if turn.id in known_ids:
                continue
            turn.seq = max(turn.seq, last + 1)
            last = turn.seq
            new.append(turn)
        final = mine[-1]
        if final.id in known_ids and id in before:
            stays = before[id]["canonical_segment_id"] == final.canonical_id
            final.seq = before[id]["seq"] if stays else max(final.seq, last + 1)
    return new


def changes(table: str, owners: Iterable[str], before: Iterable[Row], wanted: Iterable[Row]) -> Change:
    """What makes the rows of these profiles those that are wanted. Rows that are there keep their timestamps."""
    owner, same = OWNER[table], _SAME[table]
    had, want = _by(owner, before), _by(owner, wanted)
    gone: list[str] = []
    rows: list[Row] = []
    for id in owners:
        old = {tuple(row[name] for name in same): row for row in had.get(id, ())}
        new = {tuple(row[name] for name in same): row for row in want.get(id, ())}
        if len(old) == len(had.get(id, ())) and old.keys() == new.keys():
            continue
        if old:
            gone.append(id)
        for key, row in new.items():
            stood = old.get(key)
            rows.append(row if stood is None else row | {"timestamp": stood["timestamp"], "seq": stood["seq"]})
    return Change(gone, rows)


def as_arrow(table: str, rows: Sequence[Row], now: int) -> ArrowTable:
    """Rows as they are inserted. `now` is the load's moment in milliseconds."""
    columns: dict[str, Any] = {}
    for name, kind in STANDINGS[table].items():
        if name == "uuid":
            values: list[Any] = [uuid_of(row[OWNER[table]]) for row in rows]
        elif name == "uuid_ts":
            values = [format_moment(now)] * len(rows)
        elif name in ("timestamp", "received_at"):
            values = [None if row[name] is None else format_moment(row[name]) for row in rows]
        else:
            values = [row[name] for row in rows]
        columns[name], _ = Column(values).cast(kind)
    return pa.table(columns)


def from_arrow(rows: ArrowTable) -> list[Row]:
    """Rows of a warehouse, with moments in milliseconds."""
    columns: dict[str, list[Any]] = {}
    for name in rows.column_names:
        column = rows[name]
        if name in ("timestamp", "received_at", "uuid_ts"):
            column = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        columns[name] = column.to_pylist()
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _by(owner: str, rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[owner]].append(row)
    return found


def _text(written: bytes) -> str:
    value = value_of(written)
    return value if isinstance(value, str) else as_json(value)
