"""Reading a profile from the store, merges followed. Each function is one transaction's reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.manage.memberships import engage_id, worked_out
from headwater.manage.profile_api.answers import Computed
from headwater.manage.profile_api.asked import Asked, refused
from headwater.profiles.known import State, decode, unite
from headwater.spec.graph import Component
from headwater.spec.space import Space
from headwater.spec.workspace import Workspace
from headwater.store import components, known

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PREFIX = {"users": "use_", "accounts": "acc_"}


def find(connection: Connection, space_id: str, asked: Asked) -> str:
    """The canonical profile that is asked for. Raises SenderError 404."""
    found = components.canonical(connection, space_id, asked.name)
    if found is None or not found.startswith(_PREFIX[asked.collection]):
        raise refused("Profile was not found.", "not_found", 404)
    return found


def state(connection: Connection, canonical_id: str) -> State | None:
    """What is known of a canonical profile; None while nothing is folded yet."""
    return unite(decode(each) for each in known.of_people(connection, [canonical_id]).get(canonical_id, ()))


def computed(connection: Connection, workspace: Workspace, space: Space, canonical_id: str) -> Computed:
    """What is worked out of a canonical profile."""
    return Computed(worked_out(connection, workspace, canonical_id), engage_id(workspace, space.id))


def linked(connection: Connection, canonical_id: str, limit: int) -> list[Component]:
    """The companies of a person or the people of a company, those linked first before others."""
    one = components.component(connection, canonical_id)
    found = components.groups(connection, one.profiles, of_users=one.collection == "users")
    found.sort(key=lambda each: (each[1].cause.at, each[0]))
    return [components.component(connection, id) for id in list(dict.fromkeys(id for id, _ in found))[:limit]]
