"""What people want to be sent: one state for each channel and address of a space, and for each group within them.

Whoever asks reads it; nothing in the house sends messages, so that nothing in it goes by these states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from headwater.store import rows
from headwater.store.rows import pages
from headwater.store.schema import messaging_subscriptions

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Place = tuple[str, str]
"""A channel and the address in it."""


class State(msgspec.Struct, frozen=True):
    """Whether somebody wants to be sent something, and since when that is known (ms). No group is the whole channel."""

    type: str
    key: str
    group: str
    status: str
    at: int


def put(connection: Connection, space_id: str, states: Iterable[State]) -> None:
    """Put states in the place of those that there were; of two for the same place the last one counts."""
    last = {(one.type, one.key, one.group): one for one in states}
    rows.put(
        connection,
        messaging_subscriptions,
        [(space_id, *place, last[place].status, last[place].at) for place in sorted(last)],
    )


def find(connection: Connection, space_id: str, places: Iterable[Place]) -> dict[Place, list[State]]:
    """The states of these places, the channel's own first, then by group; places without any are left out."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for type, key in places:
        keys[type].add(key)
    table = messaging_subscriptions.c
    columns = (table.type, table.key, table.group_name, table.status, table.updated_at)
    found: defaultdict[Place, list[State]] = defaultdict(list)
    # By channel, as the primary key begins with it: without it all addresses of the space would be gone through.
    for type in sorted(keys):
        for page in pages(sorted(keys[type])):
            query = sa.select(*columns).where(table.space_id == space_id, table.type == type, table.key.in_(page))
            for row in connection.execute(query.order_by(table.key, table.group_name)):
                found[row[0], row[1]].append(State(*row))
    return dict(found)
