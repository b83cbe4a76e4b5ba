"""The values that computations have for a profile, as they are shown: what it is in, and since when.

What is left of a computation that was removed is shown as a trait like any other (contract: profiles-governance 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from headwater.manage.answers import Shape
from headwater.profiles.computing.standing import Standing, absorb, decode, holds
from headwater.spec.computation import ENGAGE, Computation
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Workspace
from headwater.store.standing import standings_of_person

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Membership(Shape, frozen=True, kw_only=True):
    """The value of an audience or computed trait for a profile since a moment; false after it left an audience.

    `kind` is `removed` when the audience or computed trait is there no more, and its last value is a trait like others.
    """

    key: str
    name: str
    kind: Literal["audience", "trait", "removed"]
    value: Any
    since: str


class Worked(msgspec.Struct, frozen=True):
    """A value that was worked out for a profile, and when (ms). Without a computation, it was removed."""

    key: str
    value: Any
    at: int
    computation: Computation | None


def worked_out(connection: Connection, workspace: Workspace, canonical_id: str) -> list[Worked]:
    """The values of a canonical profile by their keys, as the store has them."""
    return read_values(workspace, canonical_id, standings_of_person(connection, canonical_id))


def read_values(workspace: Workspace, canonical_id: str, standings: Mapping[str, bytes]) -> list[Worked]:
    """The values of a canonical profile by their keys, by how it stands and those that merges made one with it.

    Until a merge is settled, what stood for the profiles that it made one is looked at together.
    """
    read = {id: decode(told) for id, told in standings.items()}
    own = read.pop(canonical_id, None)
    whole = own if own is not None else absorb(Standing(), list(read.values()))[0]
    known = {one.id: one for one in workspace.computations}
    found = [
        Worked(held.key, held.value, held.at, known.get(id))
        for id, held in whole.values.items()
        if holds(held.value) or (held.value is False and held.changes > 0)
    ]
    return sorted(_newest(found), key=lambda one: one.key)


def _newest(found: list[Worked]) -> list[Worked]:
    """One value of each key: that of what exists, else the one that changed last."""
    by_key: dict[str, Worked] = {}
    for one in sorted(found, key=lambda one: (one.computation is not None, one.at)):
        by_key[one.key] = one
    return list(by_key.values())


def show_memberships(found: Iterable[Worked]) -> list[Membership]:
    """The values as an operation answers them."""
    return [
        Membership(
            key=one.key,
            name=one.computation.name if one.computation else one.key,
            kind=one.computation.kind if one.computation else "removed",
            value=one.value,
            since=format_moment(one.at),
        )
        for one in found
    ]


def engage_id(workspace: Workspace, space_id: str) -> str:
    """The id of the source whose events are what changes in the space; empty before there is one."""
    own = (one.id for one in workspace.sources if one.kind == ENGAGE and one.settings.get("spaceId") == space_id)
    return next(own, "")
