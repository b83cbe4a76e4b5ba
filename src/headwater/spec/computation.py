"""Audiences and computed traits: what is worked out of a profile's events and traits, and whom it is told.

A computation has a key, under which its value shows among the profile's traits: true or false for an audience, a
value for a trait (contract: profiles-governance 3.1, 3.7). `version` grows whenever the definition changes, and what
was counted for another version counts no more.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

Kind = Literal["audience", "trait"]
Level = Literal["USERS", "ACCOUNTS"]
When = Literal["entered", "exited", "changed"]
Strategy = Literal["first", "last", "all"]
AccountsAs = Literal["group", "identify"]
Phase = Literal["PREPARING", "BACKFILLING", "COMPUTING", "LIVE", "FAILED"]
Value = bool | str | int | float | list[Any] | None
"""True or false for an audience; for a trait its value, None when it has none."""

ENGAGE: Final = "engage"
"""The kind of the source whose events are what changed in a space. Spaces never take its events: there is no loop."""

KNOWN_BY: Final = ("user_id", "email", "android.idfa", "ios.idfa")
"""A person without one of these is anonymous, and in no audience that does not say otherwise (3.7)."""

MOBILE_IDS: Final = frozenset(
    {"android.id", "android.idfa", "android.push_token", "ios.id", "ios.idfa", "ios.push_token"}
)
PREFIXES: Final[dict[Kind, str]] = {"audience": "aud_", "trait": "tra_"}
"""What the ids of computations begin with, so that a value says what it is of, also when that was removed."""

MAX_ID_SYNC: Final = 5
MAX_SYNC_ALL: Final = 3


class IdSync(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which values of an identifier type are told, and the name that they are told under, its own if empty (3.11)."""

    external_id: str
    strategy: Strategy = "last"
    map_to: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One call that is made when something changes: an activation of Segment's API (3.10).

    `name` is the event's name in a track call. `traits` are traits of the profile that are sent along, under the names
    of `mapping` where it has one.
    """

    id: str
    on: When
    type: Literal["identify", "track", "group"]
    name: str = ""
    display_name: str = ""
    enabled: bool = True
    traits: tuple[str, ...] = ()
    mapping: dict[str, str] = {}
    settings: dict[str, Any] = {}


class Connection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination or warehouse that is told what changes in a computation.

    Without `id_sync` one message goes out for each value of each type that people are known by. `resync` grows when
    everything is to be told again.
    """

    id: str
    destination_id: str
    kind: Literal["destination", "warehouse"] = "destination"
    enabled: bool = True
    id_sync: tuple[IdSync, ...] = ()
    mobile_ids: bool = False
    settings: dict[str, Any] = {}
    calls: tuple[Call, ...] = ()
    resync: int = 0


class Computation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience or a computed trait.

    `known_by` are the identifier types of which a profile must have one to be in an audience; a trait has it to say
    whether anonymous people's identifiers are told. `history` lets events count that came before; `history_days` is
    how far back, 0 is without limit. `created_by` and `updated_by` name the token or person.
    """

    id: str
    space_id: str
    kind: Kind
    key: str
    name: str
    description: str = ""
    enabled: bool = True
    level: Level = "USERS"
    query: str
    version: int = 1
    known_by: tuple[str, ...] = KNOWN_BY
    history: bool = True
    history_days: int = 0
    connections: tuple[Connection, ...] = ()
    created_by: str = ""
    updated_by: str = ""
    created_at: int = 0
    updated_at: int = 0

    @property
    def counted_as(self) -> str:
        """The name under which a profile's state keeps what was counted for this version."""
        return f"{self.id}.{self.version}"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How far a version of a computation has come.

    From the positions of `since` on, by partition, the stream counts; what was before is the backfill's. `cursor` is
    the last profile that a pass is done with; `done` of `total` says how far the phase has come. `size` is the number
    of members, or of profiles with a value. `told` are the connections' ids, with their resync, that know everything.
    """

    computation_id: str
    version: int
    phase: Phase = "PREPARING"
    since: dict[int, int] = {}
    cursor: str = ""
    done: int = 0
    total: int = 0
    size: int = 0
    error: str = ""
    told: dict[str, int] = {}
    started_at: int = 0
    updated_at: int = 0
    live_at: int = 0


def kind_of(computation_id: str) -> Kind:
    """What an id is of."""
    return "audience" if computation_id.startswith(PREFIXES["audience"]) else "trait"


def holds(kind: Kind, value: Value) -> bool:
    """Is the profile in the audience, or has it the trait? False is a value of a trait like any other (3.2)."""
    return bool(value) if kind == "audience" else value is not None


def whole_call(level: Level, accounts_as: AccountsAs = "group") -> Literal["identify", "group"]:
    """The call that tells of a value: one for each account, or for each of its people (3.8)."""
    return accounts_as if level == "ACCOUNTS" else "identify"


def default_calls(kind: Kind, level: Level, accounts_as: AccountsAs = "group") -> tuple[Call, ...]:
    """What a connection is told that says nothing of it (3.10): an identify call and a track call for each change."""
    whole = whole_call(level, accounts_as)
    if kind == "trait":
        return (
            Call(id="all", on="changed", type=whole),
            Call(id="computed", on="changed", type="track", name="Trait Computed"),
        )
    return (
        Call(id="all", on="changed", type=whole),
        Call(id="entered", on="entered", type="track", name="Audience Entered"),
        Call(id="exited", on="exited", type="track", name="Audience Exited"),
    )
