"""A batch of events laid flat: columns with a cell for each event, and events that stand by themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from headwater.warehouse.flatten import Cells, Flat


class Own(msgspec.Struct):
    """What events have in their own table alone: cells of properties or traits, for the events at `places`.

    `columns` have a cell for each of them: None where an event does not speak of it, or UNSET if `unset`. The cells of
    the events in `slow`, by their place among the others, are in their `Flat`.
    """

    places: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    slow: dict[int, Flat]
    unset: bool = False

    def names(self, cells: Mapping[int, Cells]) -> list[str]:
        """Every column that one of the events may have, where `cells` are those of the slow ones."""
        found: Cells = dict.fromkeys(self.columns)
        for own in cells.values():
            found.update(own)
        return list(found)

    def values(self, name: str, cells: Mapping[int, Cells]) -> Sequence[Any]:
        """A column, where `cells` are those of the slow events."""
        values = self.columns.get(name)
        absent = msgspec.UNSET if self.unset else None
        if values is not None and not cells:
            return values
        if len(cells) == len(self.places):
            return [own.get(name, absent) for own in cells.values()]
        mixed = [absent] * len(self.places) if values is None else list(values)
        for row, own in cells.items():
            mixed[row] = own.get(name, absent)
        return mixed

    def at(self, places: Sequence[int]) -> Own:
        """That of some of the events."""
        if len(places) == len(self.places):
            return self
        rows = {place: row for row, place in enumerate(self.places)}
        chosen = [rows[place] for place in places]
        columns = {name: [values[row] for row in chosen] for name, values in self.columns.items()}
        slow = {at: self.slow[row] for at, row in enumerate(chosen) if row in self.slow}
        return Own(places, columns, slow, self.unset)


class About(msgspec.Struct):
    """Events that change the row of somebody: whose, when they were received, and the cells they have for it."""

    ids: list[str]
    received_at: list[int]
    common: dict[str, Sequence[Any]]
    own: Own


class Laid(msgspec.Struct):
    """Events of one source laid flat. Every list has a cell for each event, and its place is the event's place.

    `columns` hold the cells that all rows of an event share; those of the events in `slow` are in their `Flat`.
    `own` is by table, by the event's own for track calls; `about` are the ids of the rows of `users` or `accounts` that
    events change, by place.
    """

    ids: list[str]
    tables: list[str]
    event_tables: list[str]
    uuids: list[int]
    received_at: list[int]
    columns: dict[str, Sequence[Any]]
    own: dict[str, Own]
    about: dict[int, str]
    slow: dict[int, Flat]
    _mixed: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def names(self, places: Iterable[int]) -> list[str]:
        """The common columns of some of the events, and perhaps of others too."""
        found: Cells = dict.fromkeys(self.columns)
        if self.slow:
            for place in places:
                if place in self.slow:
                    found.update(self.slow[place].common)
        return list(found)

    def at(self, table: str, places: Sequence[int]) -> About:
        """What events of one table say of whom they are about."""
        names = self.names(places)
        common = {name: self.values(name) for name in names}
        return About(
            [self.about[place] for place in places],
            [self.received_at[place] for place in places],
            {name: [*map(values.__getitem__, places)] for name, values in common.items()},
            self.own[table].at(places),
        )

    def values(self, name: str) -> Sequence[Any]:
        """A common column."""
        if not self.slow:
            return self.columns[name]
        mixed = self._mixed.get(name)
        if mixed is None:
            mixed = self._mixed[name] = self._mix(name)
        return mixed

    def _mix(self, name: str) -> list[Any]:
        if len(self.slow) == len(self):
            return [flat.common.get(name) for flat in self.slow.values()]
        mixed = list(self.columns.get(name) or [None] * len(self))
        for place, flat in self.slow.items():
            mixed[place] = flat.common.get(name)
        return mixed


def about(flats: Sequence[Flat]) -> About:
    """The same of events that were laid flat one by one."""
    slow = dict(enumerate(flats))
    common: Cells = {}
    for flat in flats:
        common.update(flat.common)
    return About(
        [flat.about for flat in flats],
        [flat.received_at for flat in flats],
        {name: [flat.common.get(name) for flat in flats] for name in common},
        Own(range(len(flats)), {}, slow, unset=True),
    )


def laid(flats: Sequence[Flat]) -> Laid:
    """Events that were laid flat one by one."""
    owns: dict[str, list[int]] = {}
    for place, flat in enumerate(flats):
        owns.setdefault(flat.event_table or flat.table, []).append(place)
    return Laid(
        ids=[flat.id for flat in flats],
        tables=[flat.table for flat in flats],
        event_tables=[flat.event_table for flat in flats],
        uuids=[flat.uuid for flat in flats],
        received_at=[flat.received_at for flat in flats],
        columns={},
        own={
            table: Own(places, {}, {row: flats[place] for row, place in enumerate(places)}, unset=True)
            for table, places in owns.items()
        },
        about={place: flat.about for place, flat in enumerate(flats) if flat.about},
        slow=dict(enumerate(flats)),
    )
