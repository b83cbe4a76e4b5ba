"""Reading a profile from the store, merges followed. Those that take a connection are one transaction's reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headwater.manage.memberships import engage_id
from headwater.manage.profile_api.answers import NOTHING, Computed
from headwater.manage.profile_api.asked import Asked, refused
from headwater.profiles.computed import read_values
from headwater.profiles.known import State, decode, unite
from headwater.spec.errors import SenderError
from headwater.spec.graph import Component
from headwater.spec.space import Space
from headwater.spec.workspace import Workspace
from headwater.store import components, known
from headwater.store.lookups import LookedUp

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PREFIX = {"users": "use_", "accounts": "acc_"}


def find(connection: Connection, space_id: str, asked: Asked) -> str:
    """The canonical profile that is asked for. Raises SenderError 404."""
    found = components.canonical(connection, space_id, asked.name)
    if found is None or not _is_of(found, asked):
        raise _not_found()
    return found


def check(found: LookedUp | None, asked: Asked) -> LookedUp:
    """The profile that was found, if it is one of the collection that is asked for. Raises SenderError 404."""
    if found is None or not _is_of(found.id, asked):
        raise _not_found()
    return found


def state(connection: Connection, canonical_id: str) -> State | None:
    """What is known of a canonical profile; None while nothing is folded yet."""
    return united(known.of_people(connection, [canonical_id]).get(canonical_id, ()))


def united(states: Iterable[bytes]) -> State | None:
    """What the states of a profile come to; None for none."""
    found = [decode(each) for each in states]
    return found[0] if len(found) == 1 else unite(found)


def computed(workspace: Workspace, space: Space, found: LookedUp) -> Computed:
    """What is worked out of a canonical profile."""
    if not found.standings:
        return NOTHING
    return Computed(read_values(workspace.computations, found.id, found.standings), engage_id(workspace, space.id))


def linked(connection: Connection, canonical_id: str, limit: int) -> list[Component]:
    """The companies of a person or the people of a company, those linked first before others."""
    one = components.component(connection, canonical_id)
    found = components.groups(connection, one.profiles, of_users=one.collection == "users")
    found.sort(key=lambda each: (each[1].cause.at, each[0]))
    return [components.component(connection, id) for id in list(dict.fromkeys(id for id, _ in found))[:limit]]


def _is_of(canonical_id: str, asked: Asked) -> bool:
    return canonical_id.startswith(_PREFIX[asked.collection])


def _not_found() -> SenderError:
    return refused("Profile was not found.", "not_found", 404)
