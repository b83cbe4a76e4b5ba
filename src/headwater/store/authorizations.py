"""The OAuth tokens of destinations, whose turn it is to refresh them, and authorizations that are under way.

Tokens are kept sealed, a text each: `access_token`, and `refresh_token` where the vendor gave one. Everything that
changes them moves `destinations.tokens_version` and the configuration's version, so that every process reads them
anew. A refusal pauses the destination, so that its backlog waits; the next grant lifts that pause, and no other.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from headwater.store import audit, backlogs
from headwater.store.schema import authorization_links, authorizations, destinations
from headwater.store.workspace import now, touch

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

State = Literal["", "granted", "refused"]
REFUSED = "Integration Authorization Refused"
"""The type of the trail's line when a vendor refuses tokens. Its actor is the house: nobody asked for it."""

_HOUSE = "headwater"


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination may use. `tokens` are sealed; moments are in milliseconds since 1970 (UTC).

    `expires_at` is when the access token ends, 0 when the vendor does not say; `paused` says that the destination is
    paused because they were refused. `version` moves with every change.
    """

    destination_id: str
    tokens: dict[str, str] = {}
    state: State = ""
    detail: str = ""
    updated_at: int = 0
    expires_at: int = 0
    paused: bool = False
    version: int = 0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization that somebody began. `session_id` and `actor` are theirs; `verifier` is sealed."""

    destination_id: str
    session_id: str
    actor: str
    verifier: str
    redirect_url: str
    expires_at: int


def find(connection: Connection, destination_id: str) -> Authorization | None:
    """The authorization of a destination; an empty one before it has any, None when the destination is gone."""
    names = [authorizations.c[name] for name in ("tokens", "state", "detail", "updated_at", "expires_at", "paused")]
    query = (
        sa.select(destinations.c.id.label("owner"), destinations.c.tokens_version, *names)
        .select_from(destinations.outerjoin(authorizations, authorizations.c.destination_id == destinations.c.id))
        .where(destinations.c.id == destination_id)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if row["state"] is None:
        return Authorization(destination_id=destination_id, version=int(row["tokens_version"]))
    return Authorization(
        destination_id=destination_id,
        tokens=dict(row["tokens"]),
        state=row["state"],
        detail=row["detail"],
        updated_at=int(row["updated_at"]),
        expires_at=int(row["expires_at"]),
        paused=bool(row["paused"]),
        version=int(row["tokens_version"]),
    )


def definition_of(connection: Connection, destination_id: str) -> str | None:
    """The slug of a destination's definition, whose app it uses, or None when it is gone."""
    return connection.execute(
        sa.select(destinations.c.definition).where(destinations.c.id == destination_id)
    ).scalar_one_or_none()


def keep(
    connection: Connection,
    destination_id: str,
    tokens: Mapping[str, str],
    *,
    expires_at: int = 0,
    since: int | None = None,
) -> int | None:
    """Keep tokens, which the caller has sealed, and return the version that they have.

    With `since`, only if nothing has changed them after that version. None, and nothing kept, when something has or
    the destination is gone: whoever authorised it anew meanwhile is not undone by a refresh that comes late.
    """
    version = _move(connection, destination_id, since)
    if version is not None:
        columns: dict[str, Any] = {"state": "granted", "detail": "", "paused": False, "expires_at": expires_at}
        _put(connection, destination_id, {"tokens": dict(tokens), "updated_at": now(), **columns})
    return version


def grant(connection: Connection, destination_id: str, tokens: Mapping[str, str], *, expires_at: int = 0) -> bool:
    """Keep the tokens of a new authorization, and lift the pause if it was for refused credentials.

    Returns whether it was lifted. Nothing happens for a destination that is gone.
    """
    before = find(connection, destination_id)
    if before is None:
        return False
    lifted = before.paused or backlogs.refused(connection, destination_id)
    keep(connection, destination_id, tokens, expires_at=expires_at)
    paused = destinations.update().where(destinations.c.id == destination_id, destinations.c.paused == sa.true())
    return lifted and connection.execute(paused.values(paused=False)).rowcount > 0


def refuse(
    connection: Connection, destination_id: str, detail: str, *, since: int | None = None, erase: bool = False
) -> bool:
    """Note that the tokens are refused and why, pause the destination, and tell the trail.

    `erase` also forgets the tokens. With `since`, only if nothing has changed them after that version. Returns whether
    it was noted. A destination that its owner paused before stays paused when it is authorised again.
    """
    standing = connection.execute(
        sa.select(destinations.c.paused, destinations.c.name).where(destinations.c.id == destination_id)
    ).first()
    before = find(connection, destination_id)
    if standing is None or before is None or _move(connection, destination_id, since) is None:
        return False
    ours = not standing.paused or before.paused or backlogs.refused(connection, destination_id)
    columns: dict[str, Any] = {"state": "refused", "detail": detail, "updated_at": now(), "paused": ours}
    if erase:
        columns |= {"tokens": {}, "expires_at": 0}
    _put(connection, destination_id, columns)
    connection.execute(destinations.update().where(destinations.c.id == destination_id).values(paused=True))
    line = audit.Entry(
        at=now(),
        type=REFUSED,
        actor=_HOUSE,
        resource_type="DESTINATION",
        resource_id=destination_id,
        resource_name=standing.name,
    )
    audit.add(connection, line)
    return True


def claim(connection: Connection, destination_id: str, holder: str, *, at: int, lease_ms: int) -> bool:
    """Take the turn to refresh, for so long, unless somebody else has it. False for a destination that is gone."""
    if find(connection, destination_id) is None:
        return False
    empty: dict[str, Any] = {"tokens": {}, "state": "", "detail": "", "updated_at": at}
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(authorizations)
    connection.execute(insert.values(destination_id=destination_id, **empty).on_conflict_do_nothing())
    free = sa.or_(authorizations.c.claimed_by.in_(("", holder)), authorizations.c.claimed_until <= at)
    taken = authorizations.update().where(authorizations.c.destination_id == destination_id, free)
    return connection.execute(taken.values(claimed_by=holder, claimed_until=at + lease_ms)).rowcount > 0


def release(connection: Connection, destination_id: str, holder: str) -> None:
    """Give the turn back, if it is still the holder's."""
    here = (authorizations.c.destination_id == destination_id, authorizations.c.claimed_by == holder)
    connection.execute(authorizations.update().where(*here).values(claimed_by="", claimed_until=0))


def begin(connection: Connection, state: str, link: Link, *, at: int) -> None:
    """Remember an authorization that begins, by its `state`; the caller's earlier one of this destination ends."""
    table = authorization_links
    mine = sa.and_(table.c.destination_id == link.destination_id, table.c.actor == link.actor)
    connection.execute(table.delete().where(sa.or_(table.c.expires_at <= at, mine)))
    connection.execute(table.insert().values(digest=_digest(state), **msgspec.structs.asdict(link)))


def finish(connection: Connection, state: str, *, at: int) -> Link | None:
    """Take an authorization that was begun, once: whatever comes of it, the `state` is spent. None if there is none."""
    table, digest = authorization_links, _digest(state)
    row = connection.execute(sa.select(table).where(table.c.digest == digest).with_for_update()).mappings().first()
    if row is None or not hmac.compare_digest(str(row["digest"]), digest):
        return None
    connection.execute(table.delete().where(table.c.digest == digest))
    if row["expires_at"] <= at:
        return None
    return Link(**{name: row[name] for name in Link.__struct_fields__})


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _move(connection: Connection, destination_id: str, since: int | None) -> int | None:
    """Move the version of a destination's tokens. None when it is gone, or has moved since."""
    moved = destinations.update().where(destinations.c.id == destination_id)
    if since is not None:
        moved = moved.where(destinations.c.tokens_version == since)
    if connection.execute(moved.values(tokens_version=destinations.c.tokens_version + 1)).rowcount == 0:
        return None
    touch(connection)
    query = sa.select(destinations.c.tokens_version).where(destinations.c.id == destination_id)
    return int(connection.execute(query).scalar_one())


def _put(connection: Connection, destination_id: str, columns: Mapping[str, Any]) -> None:
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(authorizations)
    row = {"tokens": {}, **columns}
    statement = insert.values(destination_id=destination_id, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=("destination_id",), set_=dict(columns)))
