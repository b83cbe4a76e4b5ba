"""Companies and their people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.store import components
from headwater.store.schema import profiles

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def users_of(connection: Connection, account_id: str) -> list[str]:
    """The people linked to an account."""
    members = list(connection.execute(sa.select(profiles.c.id).where(profiles.c.canonical_id == account_id)).scalars())
    return sorted({id for id, _ in components.groups(connection, members, of_users=False)})


def accounts_of(connection: Connection, user_ids: Iterable[str]) -> dict[str, list[str]]:
    """The accounts of users."""
    found: dict[str, list[str]] = {}
    for id in user_ids:
        members = list(connection.execute(sa.select(profiles.c.id).where(profiles.c.canonical_id == id)).scalars())
        found[id] = sorted({one for one, _ in components.groups(connection, members, of_users=True)})
    return found
