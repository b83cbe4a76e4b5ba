"""Taking one identifier from a person's profile (contract: profiles-governance 1.11). One transaction's work.

It is no un-merge: what the identifier joined stays one, traits and events stay, and an event that names it later begins
a new profile or joins another one. Nothing is told to destinations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.graph import Component, Link
from headwater.spec.space import Space
from headwater.store import components

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

DELETED: Final = "Identifier Deleted"
"""The word of the audit trail."""

_TRIES: Final = 3
_KNOWN_BY: Final = "user_id:"


def remove_identifier(connection: Connection, space: Space, name: str, identifier: str, *, at: int, by: str) -> Link:
    """Take an identifier from the profile of this name, and return it with the moment of its removal.

    `by` is who does it, as the audit trail names them. Raises SenderError, in the words of 1.11, for a profile or an
    identifier that is not there, for one of a company, and where no user id would be left.
    """
    found = _held(connection, space.id, name)
    kind = identifier.partition(":")[0]
    accounts = {each.name for each in space.identifiers if each.collection == "accounts"}
    if kind in accounts or found.collection != "users":
        raise SenderError("Only identifiers of people can be deleted.", code="unsupported_eid_type")
    link = next((link for link in found.links if link.identifier == identifier), None)
    if link is None:
        raise SenderError("The profile has no such identifier.", code="eid_not_found", status=404)
    if not any(each.identifier.startswith(_KNOWN_BY) for each in found.links if each is not link):
        raise SenderError("A profile must keep at least one user_id.", code="bad_request")
    return components.remove(connection, space.id, link, at, by)


def _held(connection: Connection, space_id: str, name: str) -> Component:
    """The profile, held against changes; it may be merged with another one in between."""
    for _ in range(_TRIES):
        id = components.canonical(connection, space_id, name)
        if id is None:
            raise SenderError("Profile was not found.", code="not_found", status=404)
        components.hold(connection, id)
        if components.canonical(connection, space_id, name) == id:
            return components.component(connection, id)
    raise Unavailable("The profile is being merged with others.")
