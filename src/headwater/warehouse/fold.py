"""`users` and `accounts`: one row for everyone that identifies or groups were about. Pure.

Only what an event supplies changes; a null that the sender wrote overwrites; the events are taken in the order in which
they were received (contract: connections 9.2). An event older than the row only fills what the row lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headwater.warehouse.casting import ARROW, ArrowArray, ArrowTable, Column, Kind
from headwater.warehouse.flatten import Flat, uuid_of
from headwater.warehouse.tables import OVERFLOW, Admission, Capabilities, Existing, Overflow, Rows

_OF_THE_EVENT: Final = frozenset(
    {"id", "anonymous_id", "user_id", "group_id", "received_at", "sent_at", "timestamp", "original_timestamp"}
    | {"uuid", "uuid_ts"}
)

Winners = dict[int, Any]
"""The last value supplied for a column, by the place of the one it is about."""


def fold(
    table: str,
    flats: Sequence[Flat],
    now: int,
    existing: Existing | None,
    before: ArrowTable | None,
    *,
    capabilities: Capabilities,
) -> Rows:
    """The new rows, whole, of everyone whom the events are about.

    `before` holds the rows that these have now, with all columns; `now` is the load's moment in milliseconds.
    """
    admission = Admission(table, existing, capabilities.upsert_columns)
    state = _State(flats, before)
    overflow = Overflow()
    data: dict[str, ArrowArray] = state.old_columns(existing or {})
    for name, winners in state.supplied().items():
        last_first = (winners[place] for place in reversed(winners))
        kind = admission.kind(name, last_first)
        if kind is None:
            for place, value in winners.items():
                if value is not None:
                    overflow.add(place, name, value)
            continue
        values = [winners.get(place) for place in range(len(state.ids))]
        array, misfits = Column(values, nul=capabilities.nul).cast(kind)
        overflow.add_all(name, misfits)
        if name in data:
            given = pa.array([place in winners for place in range(len(values))], pa.bool_())
            array = pc.call_function("if_else", [given, array, data[name]])
        data[name] = array
    _fill_in(data, state, now)
    _overflow(data, state, overflow, admission)
    return Rows(table, admission.new, pa.table(data), overflow.misfits)


class _State:
    """Who the events are about, and their rows so far."""

    def __init__(self, flats: Sequence[Flat], before: ArrowTable | None) -> None:
        self.flats = sorted(flats, key=lambda flat: flat.received_at)
        self.ids = list(dict.fromkeys(flat.about for flat in self.flats))
        self.places = {one: place for place, one in enumerate(self.ids)}
        self.before = before if before is not None and before.num_rows else None
        rows: dict[str, int] = {}
        if self.before is not None:
            rows = {str(one): row for row, one in enumerate(self.before["id"].to_pylist())}
        self.rows = [rows.get(one) for one in self.ids]
        self.received_at: list[int] = [0] * len(self.ids)
        if self.before is not None and "received_at" in self.before.column_names:
            moments = self.before["received_at"].cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_pylist()
            self.received_at = [0 if row is None else int(moments[row] or 0) for row in self.rows]

    def old_columns(self, existing: Existing) -> dict[str, ArrowArray]:
        """The columns as they are, in the order of `ids`, null where there is no row yet."""
        if self.before is None:
            return {}
        indices = pa.array(self.rows, pa.int64())
        columns: dict[str, ArrowArray] = {}
        for name in self.before.column_names:
            column = self.before[name].combine_chunks()
            kind = existing.get(name)
            columns[name] = (column if kind is None else column.cast(ARROW[kind])).take(indices)
        return columns

    def supplied(self) -> dict[str, Winners]:
        """The last value that was supplied for each column, by person."""
        found: dict[str, Winners] = {}
        for flat in self.flats:
            place = self.places[flat.about]
            late = flat.received_at < self.received_at[place]
            for name, value in _cells(flat):
                if late and self._has(name, place):
                    continue
                winners = found.setdefault(name, {})
                winners.pop(place, None)
                winners[place] = value
        return found

    def newest(self) -> list[int]:
        """When the row's newest event was received, by person."""
        newest = list(self.received_at)
        for flat in self.flats:
            place = self.places[flat.about]
            newest[place] = max(newest[place], flat.received_at)
        return newest

    def _has(self, name: str, place: int) -> bool:
        row = self.rows[place]
        if self.before is None or row is None or name not in self.before.column_names:
            return False
        return self.before[name][row].is_valid


def _cells(flat: Flat) -> Iterator[tuple[str, Any]]:
    for name, value in flat.common.items():
        if value is not None and name not in _OF_THE_EVENT:
            yield name, value
    for name, value in flat.own.items():
        if name not in _OF_THE_EVENT:
            yield name, value


def _fill_in(data: dict[str, ArrowArray], state: _State, now: int) -> None:
    data["id"], _ = Column(list(state.ids)).cast(Kind.TEXT)
    data["uuid"], _ = Column([uuid_of(one) for one in state.ids]).cast(Kind.INTEGER)
    data["received_at"], _ = Column.of_moments(state.newest()).cast(Kind.TIMESTAMP)
    data["uuid_ts"], _ = Column.of_moments([now] * len(state.ids)).cast(Kind.TIMESTAMP)


def _overflow(data: dict[str, ArrowArray], state: _State, overflow: Overflow, admission: Admission) -> None:
    """Overflow what did not fit, and what had not fitted before unless it was supplied anew."""
    for flat in state.flats:
        if flat.lost:
            overflow.rows[state.places[flat.about]].update(flat.lost)
    old: list[str | None] = data[OVERFLOW].to_pylist() if OVERFLOW in data else [None] * len(state.ids)
    if not overflow.rows and not any(old):
        return
    supplied = state.supplied()
    for place, text in enumerate(old):
        if text:
            for name, value in _read(text).items():
                if place not in supplied.get(name, {}):
                    overflow.rows[place].setdefault(name, value)
    admission.kind(OVERFLOW, ["{}"])
    data[OVERFLOW] = overflow.array(len(state.ids))


def _read(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError):
        return {}
