"""The values that computations have for a profile, as operations show them: what it is in, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from headwater.manage.answers import Shape
from headwater.profiles.computed import Worked, read_values
from headwater.spec.computation import ENGAGE
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


def worked_out(connection: Connection, workspace: Workspace, canonical_id: str) -> list[Worked]:
    """The values of a canonical profile by their keys, as the store has them."""
    return read_values(workspace.computations, canonical_id, standings_of_person(connection, canonical_id))


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
