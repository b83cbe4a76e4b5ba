"""The tables of a profiles warehouse, with the columns that they have from the beginning (profiles-governance 4.4).

To Segment's columns come `uuid`, by which rows are searched for (as in all tables, `warehouse/flatten.py`), and `id`
where a table lacks one but rows are added to it.
"""

from __future__ import annotations

from typing import Final

from headwater.warehouse.casting import Kind
from headwater.warehouse.profiles.names import (
    EXTERNAL_ID_MAPPING_UPDATES,
    ID_GRAPH_UPDATES,
    OF_EVENTS,
    PROFILE_MERGES,
    PROFILE_TRAITS_UPDATES,
    USER_IDENTIFIERS,
    USER_TRAITS,
)

_LOADED: Final = {
    "timestamp": Kind.TIMESTAMP,
    "received_at": Kind.TIMESTAMP,
    "seq": Kind.INTEGER,
    "uuid": Kind.INTEGER,
    "uuid_ts": Kind.TIMESTAMP,
}
_TRIGGER: Final = {
    "triggering_event_id": Kind.TEXT,
    "triggering_event_name": Kind.TEXT,
    "triggering_event_type": Kind.TEXT,
    "triggering_event_source_id": Kind.TEXT,
    "triggering_event_source_name": Kind.TEXT,
    "triggering_event_source_slug": Kind.TEXT,
}

LOGS: Final[dict[str, dict[str, Kind]]] = {
    ID_GRAPH_UPDATES: {
        "id": Kind.TEXT,
        "segment_id": Kind.TEXT,
        "canonical_segment_id": Kind.TEXT,
        **_TRIGGER,
        **_LOADED,
    },
    EXTERNAL_ID_MAPPING_UPDATES: {
        "id": Kind.TEXT,
        "segment_id": Kind.TEXT,
        "external_id_type": Kind.TEXT,
        "external_id_value": Kind.TEXT,
        "external_id_hash": Kind.TEXT,
        **_TRIGGER,
        "__operation": Kind.TEXT,
        **_LOADED,
    },
    PROFILE_TRAITS_UPDATES: {"id": Kind.TEXT, "segment_id": Kind.TEXT, **_TRIGGER, **_LOADED},
}
"""Tables to which rows are added only, in their order of time."""

STANDINGS: Final[dict[str, dict[str, Kind]]] = {
    USER_TRAITS: {"canonical_segment_id": Kind.TEXT, "name": Kind.TEXT, "value": Kind.TEXT, **_LOADED},
    USER_IDENTIFIERS: {"canonical_segment_id": Kind.TEXT, "type": Kind.TEXT, "value": Kind.TEXT, **_LOADED},
    PROFILE_MERGES: {"canonical_segment_id": Kind.TEXT, "segment_id": Kind.TEXT, **_LOADED},
}
"""Tables that say how it is now. `uuid` is the hash of the profile that a row is found by."""

EVERYWHERE: Final[dict[str, Kind]] = dict.fromkeys(OF_EVENTS, Kind.TEXT)
"""Columns that every event table has from the beginning."""
