"""Sessions: what somebody who signs in works with for the next hours. They are tokens that end.

A session holds no scopes. It has those of its user or of the token that it was begun with, as they are when it is used,
so that a change of role counts at once. It ends at its time, when it is ended, when its user or token is deleted (the
database sees to that), and when its user's password changes (`store/users.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.store.schema import tokens, users
from headwater.store.tokens import digest, find_token, new_token
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store.tokens import Token

LASTS_MS = 12 * 3_600_000
"""How long a session lasts at most."""


def begin_with_token(connection: Connection, text: str, at: int) -> tuple[str, Token]:
    """Begin a session of a token; it ends with the token at the latest. Returns its text and itself.

    Raises SenderError as `find_parent` does.
    """
    parent = find_parent(connection, text, at)
    ends = at + LASTS_MS if parent.expires_at is None else min(at + LASTS_MS, parent.expires_at)
    return _begin(connection, at, ends, parent_id=parent.id)


def find_parent(connection: Connection, text: str, at: int) -> Token:
    """The token of this text, of which a session can be begun; nothing is written.

    Raises SenderError 401 for a text that is no token: one unknown, one expired, or that of a session, which would
    otherwise never end.
    """
    parent = find_token(connection, text, at)
    if parent is None or parent.kind != "token":
        raise SenderError("The token is unknown, or has expired.", code="unauthorized", status=401)
    return parent


def begin_with_user(connection: Connection, user_id: str, verified: str, at: int) -> tuple[str, Token]:
    """Begin a session of a user whose password was found to match the digest `verified`. Returns its text and itself.

    Raises SenderError 401 when the user is gone or the password has changed since.
    """
    signed_in = users.update().where(users.c.id == user_id, users.c.digest == verified).values(signed_in_at=at)
    if connection.execute(signed_in).rowcount == 0:
        raise SenderError("The password was changed a moment ago.", code="unauthorized", status=401)
    return _begin(connection, at, at + LASTS_MS, user_id=user_id)


def end_session(connection: Connection, session_id: str) -> None:
    """End a session, if it still runs."""
    connection.execute(tokens.delete().where(tokens.c.id == session_id, tokens.c.kind == "session"))


def end_sessions_of(connection: Connection, user_id: str) -> None:
    """End every session of a user."""
    connection.execute(tokens.delete().where(tokens.c.user_id == user_id))


def count(connection: Connection) -> int:
    """How many sessions are kept, those included that have expired since the last sign-in."""
    query = sa.select(sa.func.count()).select_from(tokens).where(tokens.c.kind == "session")
    return int(connection.execute(query).scalar_one())


def _begin(
    connection: Connection, at: int, ends: int, *, user_id: str | None = None, parent_id: str | None = None
) -> tuple[str, Token]:
    connection.execute(tokens.delete().where(tokens.c.kind == "session", tokens.c.expires_at <= at))
    text = new_token()
    row = tokens.insert().values(
        id=new_id(),
        name="",
        digest=digest(text),
        scopes=[],
        created_at=at,
        expires_at=ends,
        kind="session",
        user_id=user_id,
        parent_id=parent_id,
    )
    connection.execute(row)
    made = find_token(connection, text, at)
    assert made is not None
    return text, made
