"""The events of a space as a profiles warehouse hears them, laid flat (contract: profiles-governance 4.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from headwater.eventlog import Chunk
from headwater.profiles.identity.filters import compile_filters
from headwater.spec.event import decode_processed
from headwater.spec.space import Space, SpaceFilter
from headwater.spec.timestamps import parse_moment
from headwater.warehouse.flatten import Flat, flatten
from headwater.warehouse.laying import read_body
from headwater.warehouse.load import Notices
from headwater.warehouse.naming import Names
from headwater.warehouse.profiles.history import seq_of
from headwater.warehouse.profiles.names import PROFILE_TRAITS_UPDATES
from headwater.warehouse.profiles.shapes import LOGS

_TRAITS: Final = LOGS[PROFILE_TRAITS_UPDATES]


class Heard(msgspec.Struct, frozen=True):
    """One event of the space: its profile when it came, or an empty string, and where it stands in the log."""

    segment_id: str
    source_id: str
    message_id: str
    received_at: int
    position: int
    value: bytes


class Told(msgspec.Struct):
    """Events laid flat: `events` for the event tables, `traits` for the log of traits.

    `timestamps` are what the events say of when they happened, by message id, as it stands in them.
    """

    events: list[Flat]
    traits: list[Flat]
    timestamps: dict[str, str | None]


def hear(chunk: Chunk, space: Space, takes: Callable[[str], bool]) -> list[Heard]:
    """The events of a chunk that the space takes; `takes` says from which sources.

    Of an event that only one space took the log does not say which; its profile is then perhaps another space's.
    """
    found: list[Heard] = []
    for position, record in chunk.placed():
        header = decode_processed(record.header)
        of_spaces = dict(header.profiles) if header.profiles else {space.id: header.profile_id}
        if space.id in of_spaces and takes(header.source_id):
            segment_id = of_spaces[space.id]
            found.append(
                Heard(segment_id, header.source_id, header.message_id, header.received_at, position, record.value)
            )
    return found


def tell(heard: Iterable[Heard], names: Names, notices: Notices, filters: Iterable[SpaceFilter] = ()) -> Told:
    """Lay events flat. One that its sender or a filter keeps out of the space is passed over (1.10, 4.7)."""
    stays_out = compile_filters(filters)
    names.trim()
    told = Told([], [], {})
    for each in heard:
        body = read_body(each.value)
        if body is not None and not each.segment_id and (_kept_out(body) or (stays_out and stays_out(body))):
            continue
        flat = None if body is None else flatten(body, received_at=each.received_at, names=names)
        if body is None or flat is None:
            notices.unreadable()
            continue
        flat.about = ""
        flat.common["segment_id"] = each.segment_id or None
        flat.common["event_source_id"] = each.source_id
        timestamp = body.get("timestamp")
        told.timestamps[each.message_id] = timestamp if isinstance(timestamp, str) else None
        told.events.append(flat)
        if flat.table == "identifies" and each.segment_id and flat.own:
            told.traits.append(_traits(each, flat, parse_moment(timestamp)))
    return told


def of_tables(events: Iterable[Flat], without: frozenset[str]) -> list[Flat]:
    """The events without the tables that are left out. Calls that have but the table of their name go there alone."""
    kept: list[Flat] = []
    for flat in events:
        if flat.event_table in without:
            flat.event_table = ""
        if flat.table in without:
            if not flat.event_table:
                continue
            flat.table, flat.event_table = flat.event_table, ""
        kept.append(flat)
    return kept


def trait_row(flat: Flat, own: Mapping[str, Any], cells: dict[str, Any]) -> Flat:
    """A row for the log of traits; a trait that is called as a column of the log is kept in the overflow."""
    return Flat(
        id=flat.id,
        table=PROFILE_TRAITS_UPDATES,
        uuid=flat.uuid,
        received_at=flat.received_at,
        common={"id": flat.id, **cells},
        own={name: value for name, value in own.items() if name not in _TRAITS},
        lost={**flat.lost, **{name: value for name, value in own.items() if name in _TRAITS and value is not None}},
    )


def _traits(each: Heard, flat: Flat, happened: int | None) -> Flat:
    """The row of one identify call. As everywhere, an event happened when it was received at the latest."""
    at = each.received_at if happened is None else min(happened, each.received_at)
    cells = {
        "segment_id": each.segment_id,
        "timestamp": flat.common["timestamp"],
        "seq": seq_of(at, each.position),
        "triggering_event_id": each.message_id,
        "triggering_event_type": "identify",
        "triggering_event_source_id": each.source_id,
    }
    return trait_row(flat, flat.own, cells)


def _kept_out(body: dict[str, Any]) -> bool:
    integrations = body.get("integrations")
    return isinstance(integrations, dict) and cast("dict[str, Any]", integrations).get("Personas") is False
