"""The traits that queries read beside what is worked out: what somebody wrote, and what somebody's accounts are in.

People have an audience of accounts as a trait under its key while any of their accounts is in it, and otherwise not
(contract: profiles-governance 3.8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.profiles.computing.standing import decode
from headwater.profiles.known import NULL, State
from headwater.store import accounts, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_read_json: Final = msgspec.json.Decoder().decode


def read_traits(states: Iterable[State], names: Iterable[str]) -> dict[str, Any]:
    """The traits that some states have under these names, the newest of each; null takes one away."""
    found: dict[str, Any] = {}
    known = list(states)
    for name in names:
        writes = [state.traits[name][0] for state in known if name in state.traits]
        if writes:
            newest = max(writes, key=lambda write: (write.mark, write.value))
            if newest.value != NULL:
                found[name] = _read_json(newest.value)
    return found


def in_accounts(connection: Connection, ids: Iterable[str], audiences: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """For each person the keys of these audiences of accounts, by id, that any of their accounts is in."""
    linked = accounts.accounts_of(connection, ids)
    stands = standing.standings(connection, {account for mine in linked.values() for account in mine})
    within: dict[str, set[str]] = {}
    for account, stood in stands.items():
        held = decode(stood).values
        within[account] = {key for id, key in audiences.items() if id in held and held[id].value is True}
    return {user: frozenset(key for each in mine for key in within.get(each, ())) for user, mine in linked.items()}
