"""A load of a profiles warehouse: people and events put into one schema, in one transaction. Runs in a thread.

Loading again changes nothing: rows of the logs and events are known by their ids, and the tables that say how it is now
come from the store alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from headwater.profiles import known
from headwater.spec.computation import Computation
from headwater.spec.space import SpaceFilter
from headwater.spec.workspace import ProfilesWarehouse, Source
from headwater.store.histories import Histories
from headwater.warehouse.engines import Session
from headwater.warehouse.flatten import Flat, uuid_of
from headwater.warehouse.load import Loaded, Notices, SchemaLoad
from headwater.warehouse.naming import Names
from headwater.warehouse.profiles import sighting, standing
from headwater.warehouse.profiles.hearing import Heard, Told, of_tables, tell
from headwater.warehouse.profiles.history import replay
from headwater.warehouse.profiles.names import (
    EXTERNAL_ID_MAPPING_UPDATES,
    ID_GRAPH_UPDATES,
    PROFILE_MERGES,
    PROFILE_TRAITS_UPDATES,
    USER_IDENTIFIERS,
    USER_TRAITS,
)
from headwater.warehouse.profiles.shapes import EVERYWHERE, LOGS, STANDINGS
from headwater.warehouse.profiles.sighting import Witness
from headwater.warehouse.profiles.standing import Row
from headwater.warehouse.tables import Capabilities

_SHAPES: Final = {**LOGS, **STANDINGS}


class Work(msgspec.Struct, frozen=True):
    """What one load takes: everyone whom it is about, the events, and the filters that keep some of these out.

    `computations` are those that the workspace has; `past` is said by a scan without events.
    """

    people: Histories
    heard: Sequence[Heard] = ()
    filters: Sequence[SpaceFilter] = ()
    past: bool = False
    computations: Sequence[Computation] = ()


def put(
    session: Session,
    target: ProfilesWarehouse,
    work: Work,
    *,
    sources: Mapping[str, Source],
    names: Names,
    capabilities: Capabilities,
    now: int,
) -> Loaded:
    """Put people and events in. `now` is the load's moment in milliseconds; `sources` are told of by id."""
    notices = Notices()
    told = tell(work.heard, names, notices, work.filters)
    segments = {each.message_id: each.segment_id for each in work.heard if each.segment_id}
    witness = Witness(segments, told.timestamps, sources, work.past)
    name = target.schema_name
    tables = session.columns([name]).get(name, {})
    schema = SchemaLoad(session, name, tables, capabilities, notices, everywhere=EVERYWHERE)
    load = _Load(session, target, schema, now, frozenset(target.without_tables))
    for table, columns in _SHAPES.items():
        if table not in load.without:
            schema.make(table, columns)
    load.people(work, told, witness, names, nul=capabilities.nul)
    if target.event_tables:
        schema.put(of_tables(told.events, load.without), now=now)
    return Loaded(schema.rows + load.rows, notices.told())


class _Load:
    """One load, table by table."""

    def __init__(
        self, session: Session, target: ProfilesWarehouse, schema: SchemaLoad, now: int, without: frozenset[str]
    ) -> None:
        self._session = session
        self._target = target
        self._schema = schema
        self._now = now
        self.without = without
        self.rows = 0

    def people(self, work: Work, told: Told, witness: Witness, names: Names, *, nul: bool) -> None:
        """The tables of people."""
        people = work.people
        turns = replay(people.profiles, [*people.links, *(each.link for each in people.removed)], people.merges)
        sightings = sighting.sight(people.links, turns, witness)
        states = {id: [known.decode(state) for state in theirs] for id, theirs in people.states.items()}
        traits = standing.traits_now(turns, states)
        merged = self._rows(PROFILE_MERGES, turns)
        there = self._known(ID_GRAPH_UPDATES, [turn.id for mine in turns.values() for turn in mine])
        new = standing.settle(turns, there, {row["segment_id"]: row for row in merged})
        self._log(ID_GRAPH_UPDATES, sighting.turn_rows(new, witness))
        gone = sighting.sight_removed(people.removed, turns, witness)
        self._log(EXTERNAL_ID_MAPPING_UPDATES, sighting.sighting_rows([*sightings, *gone], witness))
        if work.past:
            wrote = {write.mark.message_id for written in traits.values() for write in written.values()}
            there = self._known(PROFILE_TRAITS_UPDATES, sorted(wrote))
            self._log(PROFILE_TRAITS_UPDATES, sighting.past_trait_rows(traits, there, names))
        else:
            own = {id: standing.united(theirs) for id, theirs in states.items() if len(turns[id]) > 1}
            combined = sighting.merged_trait_rows(turns, own, traits, witness, names)
            self._log(PROFILE_TRAITS_UPDATES, [*_named(told.traits, witness), *combined])
        values = standing.values_now(turns, people.standings, work.computations)
        self._log(PROFILE_TRAITS_UPDATES, sighting.value_rows(values, witness, names))
        self._stand(PROFILE_MERGES, turns, merged, standing.merge_rows(turns, witness))
        before = self._rows(USER_IDENTIFIERS, turns)
        self._stand(USER_IDENTIFIERS, turns, before, standing.identifier_rows(sightings, turns, witness))
        before = self._rows(USER_TRAITS, turns)
        self._stand(USER_TRAITS, turns, before, standing.trait_rows(standing.with_values(traits, values), nul=nul))

    def _known(self, table: str, ids: Sequence[str]) -> set[str]:
        """The rows that a log has already; all, when it is left out."""
        if table in self.without:
            return set(ids)
        return self._session.known(self._target.schema_name, table, ids, [uuid_of(id) for id in ids])

    def _log(self, table: str, rows: Sequence[Flat]) -> None:
        """Add rows to a log, but for what happened while it was left out (4.9: the gap stays)."""
        since = self._target.resumed.get(table, 0)
        if table not in self.without:
            self._schema.put([row for row in rows if row.received_at >= since], now=self._now)

    def _rows(self, table: str, owners: Iterable[str]) -> list[Row]:
        if table in self.without:
            return []
        ids = list(owners)
        found = self._session.rows(
            self._target.schema_name, table, ids, [uuid_of(id) for id in ids], by=standing.OWNER[table]
        )
        return standing.from_arrow(found)

    def _stand(self, table: str, owners: Iterable[str], before: Sequence[Row], wanted: Sequence[Row]) -> None:
        if table in self.without:
            return
        change = standing.changes(table, owners, before, wanted)
        schema, by = self._target.schema_name, standing.OWNER[table]
        if change.gone:
            self._session.delete(schema, table, change.gone, [uuid_of(id) for id in change.gone], by=by)
        if change.rows:
            self._session.insert(schema, table, standing.as_arrow(table, change.rows, self._now))
        self.rows += len(change.rows)


def _named(rows: Sequence[Flat], witness: Witness) -> Sequence[Flat]:
    """Rows of identify calls, with the names of their sources."""
    for row in rows:
        source = witness.sources.get(row.common["triggering_event_source_id"])
        if source is not None:
            row.common["triggering_event_source_name"] = source.name
            row.common["triggering_event_source_slug"] = source.slug
    return rows
