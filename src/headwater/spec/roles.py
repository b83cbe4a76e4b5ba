"""The roles that a user can be given: a closed list, each with the scopes that it gives (profiles-governance 7.1).

They are Segment's, as far as Headwater has what they speak of. Roles add up: a user may do what any of theirs allows.
Every role is given over the whole workspace. A scope is `<resource>:read` or `<resource>:write`, where writing includes
reading, and `*` is everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

import msgspec


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One role. `id` is what a permission names; `name` is Segment's word for it."""

    id: str
    name: str
    sentence: str
    scopes: tuple[str, ...]


OWNER = Role(
    id="workspace-owner",
    name="Workspace Owner",
    sentence="May do everything: also see what is in events, read the audit trail, and manage people and tokens.",
    scopes=("*",),
)

_ALL = (
    OWNER,
    Role(
        id="workspace-member",
        name="Workspace Member",
        sentence="May sign in and see which workspace it is, and nothing more; other roles are added to it.",
        scopes=("workspace:read",),
    ),
    Role(
        id="source-admin",
        name="Source Admin",
        sentence="Sets up sources and the destinations connected to them, and has failed deliveries sent again.",
        scopes=(
            "workspace:read",
            "catalog:read",
            "sources:write",
            "destinations:write",
            "deliveries:write",
            "ledger:read",
        ),
    ),
    Role(
        id="source-read-only",
        name="Source Read-only",
        sentence="Sees sources, the destinations connected to them, and how many events they deliver.",
        scopes=("workspace:read", "catalog:read", "sources:read", "destinations:read", "ledger:read"),
    ),
    Role(
        id="warehouse-destination-admin",
        name="Warehouse Destination Admin",
        sentence="Sets up warehouses, and which sources they load.",
        scopes=("workspace:read", "catalog:read", "warehouses:write"),
    ),
    Role(
        id="warehouse-destination-read-only",
        name="Warehouse Destination Read-only",
        sentence="Sees warehouses and their loads.",
        scopes=("workspace:read", "catalog:read", "warehouses:read"),
    ),
    Role(
        id="identity-admin",
        name="Identity Admin",
        sentence="Sets up which identifiers make profiles, sees why profiles are one, and undoes merges.",
        scopes=("workspace:read", "spaces:write", "profiles:write"),
    ),
    Role(
        id="unify-and-engage-admin",
        name="Unify and Engage Admin",
        sentence="Sets up spaces, audiences and computed traits, and sees and mends the profiles in them.",
        scopes=("workspace:read", "spaces:write", "profiles:write", "audiences:write"),
    ),
    Role(
        id="unify-and-engage-read-only",
        name="Unify and Engage Read-only",
        sentence="Sees spaces, audiences and computed traits, and the profiles in them.",
        scopes=("workspace:read", "spaces:read", "profiles:read", "audiences:read"),
    ),
    Role(
        id="pii-access",
        name="PII Access",
        sentence="Sees what is in events, which is personal data; it is added to another role.",
        scopes=("events:read",),
    ),
)

ROLES = MappingProxyType({role.id: role for role in _ALL})
"""Every role by its id, the mightiest first."""


def scopes_of(role_ids: Iterable[str]) -> tuple[str, ...]:
    """The scopes that these roles give together. An id that is no role, or is one no more, gives nothing."""
    given = [scope for role_id in role_ids if role_id in ROLES for scope in ROLES[role_id].scopes]
    return tuple(dict.fromkeys(given))
