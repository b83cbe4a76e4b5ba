"""A load: one batch of events put into one warehouse, in one transaction. Synchronous; run in a thread.

Loading a batch again changes nothing: events whose id a table holds are passed over, and `users` and `accounts` take
only events that were new. So a process may end at any instant before, in or after a load.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from headwater.warehouse.casting import Kind
from headwater.warehouse.engines import Session
from headwater.warehouse.flatten import UPSERTS, Flat, uuids_of
from headwater.warehouse.fold import fold
from headwater.warehouse.laid import About, Laid
from headwater.warehouse.laying import Published, lay
from headwater.warehouse.naming import Names
from headwater.warehouse.tables import Batch, Capabilities, Existing, Rows, rows_for

_NOTICES = 50

_NO_COLUMNS: Final[dict[str, Kind]] = {}


class Loaded(msgspec.Struct, frozen=True):
    """What a load put in: rows over all tables, and what is worth telling, as sentences."""

    rows: int
    notices: tuple[str, ...]


class Notices:
    """Counts of what was out of order, by table and column or as a sentence."""

    def __init__(self) -> None:
        self._misfits: Counter[tuple[str, str, str]] = Counter()
        self._unreadable = 0

    def unreadable(self) -> None:
        """An event that is no JSON object of a known type."""
        self._unreadable += 1

    def misfits(self, schema: str, table: str, counts: Counter[str]) -> None:
        """Values of one table that overflowed, by column."""
        for column, values in counts.items():
            self._misfits[schema, table, column] += values

    def told(self) -> tuple[str, ...]:
        """The sentences, the most frequent first."""
        sentences = [
            f"{schema}.{table}.{column}: {values} {'value' if values == 1 else 'values'} did not fit; see _overflow."
            for (schema, table, column), values in self._misfits.most_common(_NOTICES)
        ]
        if len(self._misfits) > _NOTICES:
            sentences.append(f"{len(self._misfits) - _NOTICES} more columns had values that did not fit.")
        if self._unreadable:
            sentences.append(f"{self._unreadable} events were of no type that has a table; the archive has them.")
        return tuple(sentences)


def lay_flat(events: Sequence[Published], *, names: Names, notices: Notices, source: str = "") -> Laid:
    """The events of one source laid flat. What is remembered of their forms is kept by source."""
    return lay(events, names=names, unreadable=notices.unreadable, source=source)


class SchemaLoad:
    """Putting the events of one source into its schema, within a session."""

    def __init__(
        self,
        session: Session,
        schema: str,
        tables: dict[str, Existing],
        capabilities: Capabilities,
        notices: Notices,
        *,
        everywhere: Mapping[str, Kind] = _NO_COLUMNS,
    ) -> None:
        """`tables` are those that the schema has; every one that is made has the columns `everywhere`, also while
        nothing is in them.
        """
        self._session = session
        self._everywhere = everywhere
        self._schema = schema
        self._capabilities = capabilities
        self._notices = notices
        self._tables = tables
        self.rows = 0

    def make(self, table: str, columns: Mapping[str, Kind]) -> None:
        """Have a table with these columns at least."""
        existing = self._tables.get(table)
        missing = {name: kind for name, kind in columns.items() if name not in (existing or {})}
        if existing is None:
            self._session.create(self._schema, table, missing)
        elif missing:
            self._session.add(self._schema, table, missing)
        self._tables.setdefault(table, {}).update(missing)

    def put(self, events: Sequence[Flat] | Laid, *, now: int) -> None:
        """Load events; those known by their id are passed over (contract: connections 9.7)."""
        batch = Batch(events, now, self._capabilities)
        events = batch.events
        for table, places in self._unknown(events).items():
            if not places:
                continue
            self._insert(rows_for(table, places, batch, self._tables.get(table), own=table != "tracks"))
            if table == "tracks":
                for event_table, of_event in _by_event(events, places).items():
                    self._insert(rows_for(event_table, of_event, batch, self._tables.get(event_table)))
            elif table in UPSERTS:
                about = [place for place in places if place in events.about]
                if about:
                    self._upsert(UPSERTS[table], events.at(table, about), now)

    def _unknown(self, events: Laid) -> dict[str, list[int]]:
        """The places of events that are not loaded yet, by table; the first of several with one id counts."""
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for place, (table, one) in enumerate(zip(events.tables, events.ids, strict=True)):
            found[table].setdefault(one, place)
        unknown: dict[str, list[int]] = {}
        for table, places in found.items():
            known: set[str] = set()
            if table in self._tables:
                uuids = [events.uuids[place] for place in places.values()]
                known = self._session.known(self._schema, table, list(places), uuids)
            unknown[table] = [place for one, place in places.items() if one not in known]
        return unknown

    def _insert(self, rows: Rows) -> None:
        existing = self._tables.get(rows.table)
        if existing is None:
            self.make(rows.table, {**rows.new, **self._everywhere})
        elif rows.new:
            self._session.add(self._schema, rows.table, rows.new)
            existing.update(rows.new)
        self._session.insert(self._schema, rows.table, rows.data)
        self._notices.misfits(self._schema, rows.table, rows.misfits)
        self.rows += rows.data.num_rows

    def _upsert(self, table: str, about: About, now: int) -> None:
        ids = list(dict.fromkeys(about.ids))
        uuids = uuids_of(ids)
        existing = self._tables.get(table)
        before = self._session.rows(self._schema, table, ids, uuids) if existing is not None else None
        rows = fold(table, about, now, existing, before, capabilities=self._capabilities)
        if before is not None and before.num_rows:
            self._session.delete(self._schema, table, ids, uuids)
        self._insert(rows)


def _by_event(events: Laid, places: Sequence[int]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place in places:
        if event_table := events.event_tables[place]:
            found[event_table].append(place)
    return found


def put(
    session: Session, flat: Mapping[str, Iterable[Laid]], *, now: int, capabilities: Capabilities, notices: Notices
) -> Loaded:
    """Load events laid flat, by schema, within one session."""
    rows = 0
    tables = session.columns(list(flat))
    for schema, flats in flat.items():
        work = SchemaLoad(session, schema, tables.get(schema, {}), capabilities, notices)
        for each in flats:
            work.put(each, now=now)
        rows += work.rows
    return Loaded(rows, notices.told())
