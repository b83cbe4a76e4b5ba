"""Tokens of the management API. The database holds a digest of each; the text is shown once, when it is made.

A token has 238 bits of chance, so that a plain SHA-256 is enough, and a lookup by digest tells nobody who measures
time anything about the text. A session is a token too, one that somebody got by signing in (`store/sessions.py`).
"""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.spec.roles import scopes_of
from headwater.store.schema import tokens, users
from headwater.store.workspace import new_id, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

_LETTERS = string.ascii_letters + string.digits
ADMIN = "*"
"""The scope that allows everything."""

_parents = tokens.alias("parents")
_WITH_HOLDER = (
    sa.select(
        tokens,
        users.c.email,
        users.c.name.label("user_name"),
        users.c.permissions,
        _parents.c.name.label("parent_name"),
        _parents.c.scopes.label("parent_scopes"),
    )
    .outerjoin(users, tokens.c.user_id == users.c.id)
    .outerjoin(_parents, tokens.c.parent_id == _parents.c.id)
)
"""A token with the user or the parent token that it is a session of."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its text. `expires_at` is in milliseconds since 1970; None: never.

    A session has a name, and scopes, that are those of its user or of its parent token at this moment.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None = None
    kind: Literal["token", "session"] = "token"
    user_id: str | None = None
    email: str | None = None
    parent_id: str | None = None


def new_token() -> str:
    """A new token's text. Its prefix lets scanners of leaked secrets know it."""
    return "hw_" + "".join(secrets.choice(_LETTERS) for _ in range(40))


def digest(token: str) -> str:
    """What the database holds of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create_token(
    connection: Connection,
    *,
    name: str,
    scopes: Sequence[str],
    token: str | None = None,
    expires_at: int | None = None,
) -> tuple[str, str]:
    """Make a token and return its text and its id. A text that is given and known already keeps its id."""
    text = token or new_token()
    known = connection.execute(sa.select(tokens.c.id).where(tokens.c.digest == digest(text))).scalar()
    if known is not None:
        return text, known
    token_id = new_id()
    connection.execute(
        tokens.insert().values(
            id=token_id,
            name=name,
            digest=digest(text),
            scopes=list(scopes),
            created_at=now(),
            expires_at=expires_at,
        )
    )
    return text, token_id


def find_token(connection: Connection, text: str, at: int) -> Token | None:
    """The token or session of this text, unless there is none or it had expired at that instant."""
    row = connection.execute(_WITH_HOLDER.where(tokens.c.digest == digest(text))).mappings().first()
    if row is None or row["kind"] == "space" or (row["expires_at"] is not None and row["expires_at"] <= at):
        return None
    return _token(row) if row["kind"] == "token" else _session(row)


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens, oldest first, without sessions."""
    query = sa.select(tokens).where(tokens.c.kind == "token").order_by(tokens.c.created_at, tokens.c.id)
    return [_token(row) for row in connection.execute(query).mappings()]


def delete_token(connection: Connection, token_id: str) -> Token:
    """Remove a token, which ends its sessions.

    Raises SenderError 404, or 409 for the last one that allows everything and never expires.
    """
    known = {token.id: token for token in list_tokens(connection)}
    if token_id not in known:
        raise SenderError("There is no such token.", code="not_found", status=404)
    admins = [token.id for token in known.values() if is_admin(token)]
    if admins == [token_id]:
        raise SenderError("The last admin token cannot be deleted; make another first.", code="conflict", status=409)
    connection.execute(tokens.delete().where(tokens.c.id == token_id))
    return known[token_id]


def is_admin(token: Token) -> bool:
    """Does it allow everything, for ever?"""
    return ADMIN in token.scopes and token.expires_at is None


def _token(row: Any) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _session(row: Any) -> Token:
    of_user = row["user_id"] is not None
    return msgspec.structs.replace(
        _token(row),
        name=row["user_name"] if of_user else row["parent_name"],
        scopes=scopes_of(row["permissions"]) if of_user else tuple(row["parent_scopes"]),
        kind="session",
        user_id=row["user_id"],
        email=row["email"],
        parent_id=row["parent_id"],
    )
