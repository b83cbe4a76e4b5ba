"""Names of the tables of a profiles warehouse, for whoever does not load them."""

from __future__ import annotations

from typing import Final

from headwater.warehouse.naming import Names
from headwater.warehouse.reserved import STANDARD, TABLES

ID_GRAPH_UPDATES: Final = "id_graph_updates"
EXTERNAL_ID_MAPPING_UPDATES: Final = "external_id_mapping_updates"
PROFILE_TRAITS_UPDATES: Final = "profile_traits_updates"
USER_TRAITS: Final = "user_traits"
USER_IDENTIFIERS: Final = "user_identifiers"
PROFILE_MERGES: Final = "profile_merges"
PROFILE_TABLES: Final = (
    ID_GRAPH_UPDATES,
    EXTERNAL_ID_MAPPING_UPDATES,
    PROFILE_TRAITS_UPDATES,
    USER_TRAITS,
    USER_IDENTIFIERS,
    PROFILE_MERGES,
)
"""What is told of people. An event of that name gets a leading underscore."""

EVENT_TABLES: Final = ("identifies", "pages", "groups", "screens", "aliases", "tracks")
"""What every event is in; a track call is also in the table of its name."""

OF_EVENTS: Final = ("segment_id", "event_source_id")
"""What event tables have beside their usual columns: the profile when the event came, and the source."""

_GROUP_PREFIX: Final = "profiles-warehouse:"


def names_for(identifier_bytes: int, *, nul: bool = True) -> Names:
    """Names for a space's schema, in which the tables of profiles are taken too."""
    return Names(
        identifier_bytes, nul=nul, standard=STANDARD | frozenset(OF_EVENTS), tables=TABLES | frozenset(PROFILE_TABLES)
    )


def group_of(warehouse_id: str) -> str:
    """The group of readers that loads a profiles warehouse."""
    return _GROUP_PREFIX + warehouse_id


def warehouse_of(group: str) -> str | None:
    """The profiles warehouse that a group of readers loads; None for any other group."""
    return group.removeprefix(_GROUP_PREFIX) if group.startswith(_GROUP_PREFIX) else None
