"""The workspace: everything that one customer has set up, as data with a version.

Roles hold an immutable snapshot and swap it whole when the version moves. Ids are opaque strings; moments are
milliseconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from headwater.spec.computation import ENGAGE, Computation
from headwater.spec.csv_upload import CSV_UPLOADS
from headwater.spec.space import Space
from headwater.spec.sql_trait import SQL_TRAITS

TOLD_KINDS: Final = (SQL_TRAITS, CSV_UPLOADS)
"""Kinds of sources by which the house tells a space something new. That space takes their events, and no other does."""

OWN_KINDS: Final = (ENGAGE, *TOLD_KINDS)
"""Kinds of sources that the house itself writes to. None belongs to more than one space."""


class Source(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where events come from. `settings` are what the owner set for it; `events_per_second` 0 means without limit."""

    id: str
    slug: str
    name: str
    kind: str = "http-api"
    enabled: bool = True
    write_keys: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    labels: tuple[dict[str, str], ...] = ()
    events_per_second: int = 0
    created_at: int = 0


class Subscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a destination does with which events: a trigger in FQL, an action of its definition, and the mapping from
    an event to the action's fields (contract: connections 6.8-6.10).

    `version` grows with every change of trigger, action or mapping. `hooks` are what the action's hooks answered when
    the mapping was saved, by the hook's name.
    """

    id: str
    name: str
    action: str
    trigger: str
    mapping: dict[str, Any] = {}
    enabled: bool = True
    version: int = 1
    hooks: dict[str, Any] = {}
    created_at: int = 0
    updated_at: int = 0


class DestinationFilter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What keeps events, or parts of them, from a destination: where `condition` (FQL) holds, `actions` are done, each
    an object with a `type` and its configuration (6.5, 6.7).
    """

    id: str
    title: str
    condition: str
    actions: tuple[dict[str, Any], ...]
    description: str = ""
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0


class Destination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A configured receiving tool, connected to one source. `definition` is the slug of its file in the catalogue.

    `paused` keeps its events waiting; `enabled = False` refuses them. Secret settings hold the sealed form here
    (`store/secrets.py`); deliver opens them when it builds a lane. `tokens_version` moves when somebody authorised it
    anew; its tokens themselves are not part of the workspace.
    """

    id: str
    source_id: str
    definition: str
    name: str
    enabled: bool = True
    paused: bool = False
    settings: dict[str, Any] = {}
    subscriptions: tuple[Subscription, ...] = ()
    filters: tuple[DestinationFilter, ...] = ()
    tokens_version: int = 0
    created_at: int = 0


class Warehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A storage destination: an engine (`duckdb`, `postgres`) with settings, loaded from the sources named.

    `all_sources` also takes every source made later; `source_ids` are those named one by one.
    """

    id: str
    engine: str
    name: str
    enabled: bool = True
    settings: dict[str, Any] = {}
    all_sources: bool = True
    source_ids: tuple[str, ...] = ()
    without_source_ids: tuple[str, ...] = ()
    created_at: int = 0

    def takes(self, source_id: str) -> bool:
        """Does this warehouse load the events of that source?"""
        if not self.enabled or source_id in self.without_source_ids:
            return False
        return self.all_sources or source_id in self.source_ids


class ProfilesWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A storage destination for the people of one space: who they are, and their events, in one schema.

    `event_tables` False leaves the events out. `without_tables` are left out one by one; `resumed` says when those that
    were left out for a time were taken up again (milliseconds), since what came meanwhile stays missing.
    """

    id: str
    space_id: str
    engine: str
    name: str
    schema_name: str
    enabled: bool = True
    settings: dict[str, Any] = {}
    event_tables: bool = True
    without_tables: tuple[str, ...] = ()
    resumed: dict[str, int] = {}
    created_at: int = 0


AnyWarehouse = Warehouse | ProfilesWarehouse


class Workspace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A snapshot of the whole configuration. `version` grows with every change."""

    id: str
    slug: str
    name: str
    version: int
    locked: bool = False
    sources: tuple[Source, ...] = ()
    destinations: tuple[Destination, ...] = ()
    warehouses: tuple[Warehouse, ...] = ()
    spaces: tuple[Space, ...] = ()
    profiles_warehouses: tuple[ProfilesWarehouse, ...] = ()
    computations: tuple[Computation, ...] = ()

    @property
    def all_warehouses(self) -> tuple[AnyWarehouse, ...]:
        """The warehouses of sources, and then those of people."""
        return (*self.warehouses, *self.profiles_warehouses)

    def takes(self, space: Space) -> Callable[[str], bool]:
        """Whether the space takes the events of a source, asked by the source's id.

        What the house itself says of another space is never taken; nor is what it says of this one, but for its SQL
        traits and uploaded files, which are (profiles-governance 3.5, 3.10, 4.8).
        """
        theirs = {source.id for source in self.sources if source.kind in OWN_KINDS}
        own = {one.id for one in self.sources if one.kind in TOLD_KINDS and one.settings.get("spaceId") == space.id}
        return lambda source_id: source_id in own or (source_id not in theirs and space.takes(source_id))
