"""`users` and `accounts`: one row for everyone that identifies or groups were about. Pure.

Only what an event supplies changes; a null that the sender wrote overwrites; the events are taken in the order in which
they were received (contract: connections 9.2). An event older than the row only fills what the row lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import compress
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headwater.warehouse.casting import ARROW, ArrowArray, ArrowTable, Column, Kind
from headwater.warehouse.flatten import Flat, uuids_of
from headwater.warehouse.laid import About, about
from headwater.warehouse.tables import OVERFLOW, Admission, Capabilities, Existing, Overflow, Rows

_OF_THE_EVENT: Final = frozenset(
    {"id", "anonymous_id", "user_id", "group_id", "received_at", "sent_at", "timestamp", "original_timestamp"}
    | {"uuid", "uuid_ts"}
)

Winners = dict[int, Any]
"""The last value supplied for a column, by the place of the one it is about."""


def fold(
    table: str,
    events: About | Sequence[Flat],
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
    state = _State(events if isinstance(events, About) else about(events), before)
    overflow = Overflow()
    data: dict[str, ArrowArray] = state.old_columns(existing or {})
    for name, supply in state.supplied.items():
        kind = admission.kind(name, supply.last_first())
        if kind is None:
            for place, value in supply.winners.items():
                if value is not None:
                    overflow.add(place, name, value)
            continue
        array, misfits = Column(supply.column(), nul=capabilities.nul).cast(kind)
        overflow.add_all(name, misfits)
        if name in data and not supply.complete:
            given = pa.array([place in supply.winners for place in range(len(state.ids))], pa.bool_())
            array = pc.call_function("if_else", [given, array, data[name]])
        data[name] = array
    _fill_in(data, state, now)
    _overflow(data, state, overflow, admission)
    return Rows(table, admission.new, pa.table(data), overflow.misfits)


class _Supply:
    """What was supplied for one column: by the events of whom, in their order, and the values."""

    def __init__(self, people: Sequence[int], values: Sequence[Any], count: int, last: Sequence[int] | None) -> None:
        """`count` people there are. `last` are the places of everybody's last value, if each event has one."""
        self._people = people
        self._values = values
        self._count = count
        self._last = last

    @cached_property
    def winners(self) -> Winners:
        """The last value of each."""
        return dict(zip(self._people, self._values, strict=True))

    @property
    def complete(self) -> bool:
        """Has everybody a value?"""
        return self._last is not None or len(self.winners) == self._count

    def column(self) -> list[Any]:
        """The winners, a cell for everybody."""
        if self._last is not None:
            return [self._values[at] for at in self._last]
        return [*map(self.winners.get, range(self._count))]

    def last_first(self) -> Iterator[Any]:
        """The winners, that which was supplied last first."""
        seen: set[int] = set()
        for place, value in zip(reversed(self._people), reversed(self._values), strict=True):
            if place not in seen:
                seen.add(place)
                yield value


class _State:
    """Who the events are about, and their rows so far."""

    def __init__(self, events: About, before: ArrowTable | None) -> None:
        order = sorted(range(len(events.ids)), key=events.received_at.__getitem__)
        ids = [events.ids[row] for row in order]
        self.ids = list(dict.fromkeys(ids))
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
        self._events = events
        self._order = order
        self._of = [self.places[one] for one in ids]
        self._last = [*{place: at for at, place in enumerate(self._of)}.values()]
        self._moments = [events.received_at[row] for row in order]
        self._late = any(map(self._is_late, range(len(order))))
        self.lost = [(self._of[at], slow.lost) for at, row in enumerate(order) if (slow := events.own.slow.get(row))]
        self.supplied = self._supplied()

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

    def _supplied(self) -> dict[str, _Supply]:
        """What was supplied for each column, the columns in the order in which they were first spoken of."""
        events = self._events
        cells = {row: flat.own for row, flat in events.own.slow.items()}
        own = ((name, events.own.values(name, cells)) for name in events.own.names(cells))
        absent = msgspec.UNSET if events.own.unset else None
        found: list[tuple[int, str, _Supply]] = []
        for columns, missing in ((events.common.items(), None), (own, absent)):
            for name, values in columns:
                if name not in _OF_THE_EVENT and (told := self._told(name, values, missing)) is not None:
                    found.append((told[0], name, told[1]))
        return {name: supply for _, name, supply in sorted(found, key=lambda each: each[0])}

    def _told(self, name: str, values: Sequence[Any], missing: Any) -> tuple[int, _Supply] | None:
        """What a column supplies, without what is missing or comes too late, and which event is the first to speak."""
        values = [values[row] for row in self._order]
        says = [value is not missing for value in values]
        if self._late:
            late = (self._is_late(at) and self._has(name, place) for at, place in enumerate(self._of))
            says = [one and not too_late for one, too_late in zip(says, late, strict=True)]
        if all(says):
            return 0, _Supply(self._of, values, len(self.ids), self._last)
        if not any(says):
            return None
        return says.index(True), _Supply([*compress(self._of, says)], [*compress(values, says)], len(self.ids), None)

    def _is_late(self, at: int) -> bool:
        return self._moments[at] < self.received_at[self._of[at]]

    def newest(self) -> list[int]:
        """When the row's newest event was received, by person."""
        newest = list(self.received_at)
        for place, moment in zip(self._of, self._moments, strict=True):
            newest[place] = max(newest[place], moment)
        return newest

    def _has(self, name: str, place: int) -> bool:
        row = self.rows[place]
        if self.before is None or row is None or name not in self.before.column_names:
            return False
        return self.before[name][row].is_valid


def _fill_in(data: dict[str, ArrowArray], state: _State, now: int) -> None:
    data["id"], _ = Column(list(state.ids)).cast(Kind.TEXT)
    data["uuid"], _ = Column.of_integers(uuids_of(state.ids)).cast(Kind.INTEGER)
    data["received_at"], _ = Column.of_moments(state.newest()).cast(Kind.TIMESTAMP)
    data["uuid_ts"], _ = Column.of_moments([now] * len(state.ids)).cast(Kind.TIMESTAMP)


def _overflow(data: dict[str, ArrowArray], state: _State, overflow: Overflow, admission: Admission) -> None:
    """Overflow what did not fit, and what had not fitted before unless it was supplied anew."""
    for place, lost in state.lost:
        if lost:
            overflow.rows[place].update(lost)
    old: list[str | None] = data[OVERFLOW].to_pylist() if OVERFLOW in data else [None] * len(state.ids)
    if not overflow.rows and not any(old):
        return
    for place, text in enumerate(old):
        if text:
            for name, value in _read(text).items():
                if name not in state.supplied or place not in state.supplied[name].winners:
                    overflow.rows[place].setdefault(name, value)
    admission.kind(OVERFLOW, ["{}"])
    data[OVERFLOW] = overflow.array(len(state.ids))


def _read(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError):
        return {}
