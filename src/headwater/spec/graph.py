"""What the identity graph is made of: profiles, the identifiers linked to them, merges, and the cause of each.

An identifier stays linked to the profile that it was first given to; a merge is an edge between two profiles. So both
can be told apart again. Profiles that merges connect are one person; the oldest of them is its *canonical* profile.
Moments are milliseconds since 1970 (UTC).
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec

from headwater.spec.space import Collection

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = tuple(first + second for first in _DIGITS for second in _DIGITS)
_EPOCH: Final = 1_400_000_000
MAX_MERGES: Final = 100
MAX_IDENTIFIERS: Final = 1_000
MAX_LEVELS: Final = 10
"""Companies above a company, at most."""

ViolationKind = Literal[
    "no_identifier",
    "value_limit_exceeded",
    "value_time_limit_exceeded",
    "value_blocked",
    "value_too_long",
    "merge_limit_exceeded",
    "mapping_limit_exceeded",
    "kept_apart",
    "too_many_properties",
    "message_id_too_long",
    "group_id_too_long",
    "group_id_empty",
    "before_1970",
    "parent_above_itself",
    "parent_too_deep",
]
"""Why an identifier was left out, or an event kept out of a space (contract: profiles-governance 1.10, 1.12)."""

MEANINGS: Final[dict[str, str]] = {
    "no_identifier": "No matching identifiers on event",
    "value_limit_exceeded": "Identifier value limit exceeded",
    "value_time_limit_exceeded": "Identifier value time limit exceeded",
    "value_blocked": "ID value blocked",
    "value_too_long": "Identifier value longer than 500 characters",
    "merge_limit_exceeded": "Profile merge limit exceeded",
    "mapping_limit_exceeded": "Identifier mapping limit exceeded",
    "kept_apart": "The profiles were told apart by hand",
    "too_many_properties": "More than 300 properties or traits",
    "message_id_too_long": "Message id longer than 100 characters",
    "group_id_too_long": "Group id longer than 500 characters",
    "group_id_empty": "Group id is empty",
    "before_1970": "Timestamp before 1970",
    "parent_above_itself": "The parent group belongs to this group already",
    "parent_too_deep": "More than 10 groups above one another",
}
"""Each kind of violation as it is shown (1.12)."""


class Cause(msgspec.Struct, array_like=True, frozen=True):
    """The event that made a link, merge or violation, and the identifier by which it found the profile.

    `matched` is empty when the event made the profile itself.
    """

    message_id: str
    event_type: str
    event_name: str
    source_id: str
    at: int
    matched: str = ""


class Link(msgspec.Struct, frozen=True):
    """An identifier (`type:value`) and the profile that it was first given to.

    `removed_at` is None while it is there; else when somebody took it away, and `removed_by` who did.
    """

    identifier: str
    profile_id: str
    cause: Cause
    removed_at: int | None = None
    removed_by: str = ""


class NewProfile(msgspec.Struct, frozen=True):
    """A profile that an event made."""

    id: str
    collection: Collection
    created_at: int


class Merge(msgspec.Struct, frozen=True):
    """Two profiles found to be one. `left` and `right` are the identifiers that met in one event.

    `left_id` and `right_id` are the profiles that these were first given to, which is where the edge stands;
    `survivor_id` and `merged_id` the canonical profiles at that time. `undone_at` is None while it is in force.
    """

    id: str
    left: str
    right: str
    left_id: str
    right_id: str
    survivor_id: str
    merged_id: str
    cause: Cause
    undone_at: int | None = None


class GroupLink(msgspec.Struct, frozen=True):
    """A person belongs to a company: both as the profiles that the identifiers were first given to (1.9)."""

    user_id: str
    account_id: str
    cause: Cause


class ParentLink(msgspec.Struct, frozen=True):
    """What an event says of the company that a company belongs to; `parent_id` is empty where it takes that away.

    Both are the profiles that the identifiers were first given to; `parent` is the parent's identifier. Of several the
    one with the newest `order` holds, whenever it comes.
    """

    child_id: str
    parent_id: str
    parent: str
    at: int
    cause: Cause

    @property
    def order(self) -> tuple[int, int, str]:
        """The event's place among all: when it happened, when it was received, and its id."""
        return self.at, self.cause.at, self.cause.message_id


class Known(msgspec.Struct):
    """A canonical profile, with all that merges brought to it, as far as decisions need it.

    `links` are its identifiers: the profile each was first given to, and when. `members` are the profiles that are one
    with it, itself included; `apart` those that must never be. `version` is the stored one; 0 for a profile that is not
    stored yet.
    """

    id: str
    created_at: int
    version: int
    links: dict[str, tuple[str, int]]
    members: set[str]
    apart: set[str]

    @property
    def age(self) -> tuple[int, str]:
        """Of several profiles the one with the lowest survives a merge (1.8)."""
        return self.created_at, self.id


class Component(msgspec.Struct, frozen=True):
    """Everything about one person or company: its profiles (id to the moment it was made), links and merges.

    `merges` are those in force and those undone that touch it; `removed` the identifiers that it once had.
    """

    canonical_id: str
    collection: Collection
    profiles: dict[str, int]
    links: tuple[Link, ...]
    merges: tuple[Merge, ...]
    removed: tuple[Link, ...] = ()


class Violation(msgspec.Struct, frozen=True):
    """An identifier that was left out, or an event kept out. `profile_id` is where the event went, if anywhere."""

    id: str
    kind: ViolationKind
    identifier: str
    type: str
    profile_id: str
    cause: Cause


class Changes(msgspec.Struct):
    """What events changed in one space's graph, in the order in which it happened.

    `based_on` are the profiles that were there before and are changed, with their versions as they were read: the
    changes hold for these only.
    """

    profiles: list[NewProfile] = []
    links: list[Link] = []
    merges: list[Merge] = []
    groups: list[GroupLink] = []
    parents: list[ParentLink] = []
    violations: list[Violation] = []
    types: dict[str, Collection] = {}
    based_on: dict[str, int] = {}

    def __bool__(self) -> bool:
        told = self.profiles or self.links or self.merges or self.groups or self.parents
        return bool(told or self.violations or self.types)


def make_id(prefix: str, at: int, *parts: str) -> str:
    """An id of a prefix and 27 letters and digits: its moment in seconds, and what the parts come to.

    Ids of one prefix sort by their moments. The same parts make the same id, so that work done again names the same.
    """
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
    number = (max(0, min(at // 1_000 - _EPOCH, 2**32 - 1)) << 128) | int.from_bytes(digest)
    found: list[str] = []
    for _ in range(13):
        number, pair = divmod(number, 3_844)
        found.append(_PAIRS[pair])
    return prefix + _DIGITS[number] + "".join(reversed(found))
