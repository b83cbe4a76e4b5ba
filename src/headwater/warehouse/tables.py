"""Rows for tables: which columns a batch needs, of what type, and what has to overflow. Pure.

A table's columns come first from what the warehouse has, then from the batch: the last value of a new column in the
batch decides its type (contract: connections 9.6). A column appears with its first value that is not null (9.5).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from headwater.warehouse.casting import ArrowArray, ArrowTable, Column, Kind, Misfits, as_json, kind_of
from headwater.warehouse.flatten import Cells, Flat
from headwater.warehouse.laid import Laid, Own, laid

OVERFLOW: Final = "_overflow"
_CELL_BYTES: Final = 18
"""What a value of any length takes up in a row of an engine that keeps long ones elsewhere."""

_FEW: Final = 500
"""Common columns that every table of a batch can be asked for, without looking which of them it needs."""

_COMMON: Final = {
    "id": Kind.TEXT,
    "anonymous_id": Kind.TEXT,
    "user_id": Kind.TEXT,
    "received_at": Kind.TIMESTAMP,
    "sent_at": Kind.TIMESTAMP,
    "timestamp": Kind.TIMESTAMP,
    "original_timestamp": Kind.TIMESTAMP,
    "uuid": Kind.INTEGER,
    "uuid_ts": Kind.TIMESTAMP,
}
_EVENT: Final = {**_COMMON, "event": Kind.TEXT, "event_text": Kind.TEXT}
_ABOUT: Final = {
    "id": Kind.TEXT,
    "received_at": Kind.TIMESTAMP,
    "uuid": Kind.INTEGER,
    "uuid_ts": Kind.TIMESTAMP,
}
_MADE: Final = {
    "identifies": _COMMON,
    "groups": {**_COMMON, "group_id": Kind.TEXT},
    "pages": _COMMON,
    "screens": _COMMON,
    "aliases": {**_COMMON, "previous_id": Kind.TEXT},
    "users": _ABOUT,
    "accounts": _ABOUT,
}
_FIXED: Final = {
    "pages": {"name": Kind.TEXT, "category": Kind.TEXT},
    "screens": {"name": Kind.TEXT, "category": Kind.TEXT},
}

Existing = dict[str, Kind | None]
"""The columns that a table has; None for a type that is not ours, which is left alone."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine's tables can hold.

    `columns` is the most columns of a table, `upsert_columns` of a table with one row for every user. `row_bytes` is
    the most that a row's cells may take up, 0 for no limit. `nul` says whether text may hold the character NUL.
    """

    identifier_bytes: int
    columns: int
    upsert_columns: int
    row_bytes: int = 0
    nul: bool = True


class Rows(msgspec.Struct, frozen=True):
    """Rows for one table: `new` are columns to add first. `misfits` counts values that overflowed, by column."""

    table: str
    new: dict[str, Kind]
    data: ArrowTable
    misfits: Counter[str]


class Batch:
    """Events of one source laid flat, with the columns that several tables share built once."""

    def __init__(self, events: Sequence[Flat] | Laid, now: int, capabilities: Capabilities) -> None:
        """`now` is the load's moment in milliseconds."""
        self.events = events if isinstance(events, Laid) else laid(events)
        self.capabilities = capabilities
        self._common: dict[str, Column] = {
            "received_at": Column.of_moments(self.events.received_at),
            "uuid": Column.of_integers(self.events.uuids),
            "uuid_ts": Column.of_moments([now] * len(events)),
        }
        self._names = self._names_of(range(len(events)))

    def names(self, places: Sequence[int]) -> list[str]:
        """The common columns of some of the events, and perhaps of others too."""
        return self._names if len(self._names) <= _FEW else self._names_of(places)

    def _names_of(self, places: Sequence[int]) -> list[str]:
        return list(dict.fromkeys([*self._common, *self.events.names(places)]))

    def common(self, name: str) -> Column:
        """A column that all rows of an event share, over the whole batch."""
        found = self._common.get(name)
        if found is None:
            found = self._common[name] = Column(self.events.values(name), nul=self.capabilities.nul)
        return found


class Overflow:
    """What did not fit, by row, and how often each column was to blame."""

    def __init__(self) -> None:
        self.rows: defaultdict[int, dict[str, Any]] = defaultdict(dict)
        self.misfits: Counter[str] = Counter()

    def add(self, row: int, column: str, value: Any) -> None:
        """Keep a value beside its row."""
        self.rows[row][column] = value
        self.misfits[column] += 1

    def add_all(self, column: str, misfits: Misfits) -> None:
        """Keep all that a cast handed back."""
        for row, value in misfits.items():
            self.add(row, column, value)

    def array(self, rows: int) -> ArrowArray:
        """The overflow column."""
        return pa.array([as_json(self.rows[row]) if row in self.rows else None for row in range(rows)], pa.string())


class Admission:
    """Decides the columns of one table, one after the other, until the table is full."""

    def __init__(self, table: str, existing: Existing | None, most: int) -> None:
        self._existing = existing or {}
        self._fixed: dict[str, Kind] = _FIXED.get(table, {})
        self._most = most
        self.new: dict[str, Kind] = {}
        if existing is None:
            self.new.update(_MADE.get(table, _EVENT))

    def kind(self, name: str, values: Iterable[Any]) -> Kind | None:
        """The type of a column, which is made if it is missing. None: it has no room, or a type that is not ours.

        `values` are those of the batch, the last first; a column of nothing but nulls is not made.
        """
        if name in self._existing:
            return self._existing[name]
        if name in self.new:
            return self.new[name]
        if len(self._existing) + len(self.new) >= self._most and name != OVERFLOW:
            return None
        value = next((value for value in values if value is not None), None)
        if value is None:
            return None
        self.new[name] = kind = self._fixed.get(name) or kind_of(value)
        return kind


def rows_for(table: str, places: Sequence[int], batch: Batch, existing: Existing | None, *, own: bool = True) -> Rows:
    """The rows that some events of a batch make in a table of theirs.

    `places` are the places of the events in the batch, and `existing` the table's columns, or None when it is to be
    made. Without `own`, only the common columns are taken.
    """
    capabilities = batch.capabilities
    overflow = Overflow()
    admission = Admission(table, existing, capabilities.columns)
    data: dict[str, ArrowArray] = {}
    _common_columns(data, batch, places, admission, overflow)
    if own and (mine := batch.events.own.get(table)) is not None:
        _own_columns(data, mine.at(places), admission, overflow, capabilities)
    if overflow.rows:
        admission.kind(OVERFLOW, ["{}"])
        data[OVERFLOW] = overflow.array(len(places))
    return Rows(table, admission.new, pa.table(data), overflow.misfits)


def _common_columns(
    data: dict[str, ArrowArray], batch: Batch, places: Sequence[int], admission: Admission, overflow: Overflow
) -> None:
    indices = pa.array(places, pa.int64()) if len(places) != len(batch.events) else None
    for name in batch.names(places):
        column = batch.common(name)
        kind = admission.kind(name, (column.values[place] for place in reversed(places)))
        if kind is None:
            _shut_out(name, [column.values[place] for place in places], overflow)
            continue
        array, misfits = column.cast(kind)
        data[name] = array if indices is None else array.take(indices)
        if misfits:
            overflow.add_all(name, {row: misfits[place] for row, place in enumerate(places) if place in misfits})


def _own_columns(
    data: dict[str, ArrowArray], own: Own, admission: Admission, overflow: Overflow, capabilities: Capabilities
) -> None:
    cells = _own_cells(own.slow, overflow, capabilities)
    for name in own.names(cells):
        values = own.values(name, cells)
        if own.unset:
            values = [None if value is msgspec.UNSET else value for value in values]
        kind = admission.kind(name, reversed(values))
        if kind is None:
            _shut_out(name, values, overflow)
            continue
        data[name], misfits = Column(values, nul=capabilities.nul).cast(kind)
        overflow.add_all(name, misfits)


def _shut_out(name: str, values: Sequence[Any], overflow: Overflow) -> None:
    for row, value in enumerate(values):
        if value is not None:
            overflow.add(row, name, value)


def _own_cells(slow: Mapping[int, Flat], overflow: Overflow, capabilities: Capabilities) -> dict[int, Cells]:
    """The properties or traits of events by row; what has no column, or no room in the row, overflows."""
    cells: dict[int, Cells] = {}
    for row, flat in slow.items():
        for path, value in flat.lost.items():
            overflow.add(row, path, value)
        own = flat.own
        if capabilities.row_bytes and (len(flat.common) + len(own)) * _CELL_BYTES > capabilities.row_bytes:
            own = _what_has_room(flat, row, overflow, capabilities.row_bytes)
        cells[row] = own
    return cells


def _what_has_room(flat: Flat, row: int, overflow: Overflow, row_bytes: int) -> Cells:
    room = row_bytes - _CELL_BYTES * (len(flat.common) + 1)
    kept: Cells = {}
    for name, value in flat.own.items():
        room -= _size(value)
        if room >= 0:
            kept[name] = value
        elif value is not None:
            overflow.add(row, name, value)
    return kept


def _size(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        return min(_CELL_BYTES, len(value) * 4 + 1)
    return _CELL_BYTES
