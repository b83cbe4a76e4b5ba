"""What each scope allows, in words, for those who choose what a token may do. Pure."""

from __future__ import annotations

from typing import Final

import msgspec


class Resource(msgspec.Struct, frozen=True):
    """What scopes are about: its name in scopes and for people, and what reading and writing it allow.

    `write` is empty for what can only be read.
    """

    id: str
    name: str
    read: str
    write: str = ""


RESOURCES: Final = (
    Resource("workspace", "Workspace", "See which workspace it is, where it is reached, and what it keeps on disk."),
    Resource("catalog", "Catalogue", "See which kinds of sources, destinations and warehouses there are."),
    Resource("sources", "Sources", "See sources.", "Set up sources, and see their write keys."),
    Resource("destinations", "Destinations", "See destinations, without secrets.", "Connect and change destinations."),
    Resource("warehouses", "Warehouses", "See warehouses and their loads.", "Set up warehouses and have them loaded."),
    Resource("events", "Events", "See what is in events, which is personal data: live, failed, and by SQL."),
    Resource("ledger", "Ledger", "See how many events met which outcome, and whether all is well."),
    Resource("deliveries", "Deliveries", "Nothing more than others see.", "Have failed deliveries sent again."),
    Resource("spaces", "Spaces", "See spaces and their identity rules.", "Set up spaces and their identity rules."),
    Resource(
        "profiles",
        "Profiles",
        "See profiles, which are personal data: who is known, by what, and why.",
        "Undo merges of profiles, and allow them again.",
    ),
    Resource(
        "audiences",
        "Audiences",
        "See audiences and computed traits, how large they are and who is told.",
        "Make and change them, and have destinations told.",
    ),
    Resource(
        "users", "People", "See who may sign in, and their roles.", "Add people, change their roles and passwords."
    ),
    Resource("tokens", "Tokens", "See which tokens there are.", "Make tokens, and take them back."),
    Resource("audit", "Audit trail", "See who changed what and when."),
)
"""Everything that a scope can be about."""

EVERYTHING: Final = "*"
READ_ALL: Final = "*:read"


def word(scope: str) -> str:
    """A scope as a person reads it."""
    return {EVERYTHING: "everything", READ_ALL: "read everything"}.get(scope, scope)
