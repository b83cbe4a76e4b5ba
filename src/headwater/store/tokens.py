"""Tokens of the management API. The database holds a digest of each; the text is shown once, when it is made.

A token has 238 bits of chance, so that a plain SHA-256 is enough, and a lookup by digest tells nobody who measures
time anything about the text.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.store.schema import tokens
from headwater.store.workspace import new_id, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

_LETTERS = string.ascii_letters + string.digits
ADMIN = "*"
"""The scope that allows everything."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its text. `expires_at` is in milliseconds since 1970; None: never."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None = None


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
    """The token of this text, unless there is none or it had expired at that instant."""
    row = connection.execute(sa.select(tokens).where(tokens.c.digest == digest(text))).mappings().first()
    if row is None or (row["expires_at"] is not None and row["expires_at"] <= at):
        return None
    return _token(row)


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens, oldest first."""
    rows = connection.execute(sa.select(tokens).order_by(tokens.c.created_at, tokens.c.id)).mappings()
    return [_token(row) for row in rows]


def delete_token(connection: Connection, token_id: str) -> Token:
    """Remove a token. Raises SenderError 404, or 409 for the last one that allows everything and never expires."""
    known = {token.id: token for token in list_tokens(connection)}
    if token_id not in known:
        raise SenderError("There is no such token.", code="not_found", status=404)
    admins = [token.id for token in known.values() if ADMIN in token.scopes and token.expires_at is None]
    if admins == [token_id]:
        raise SenderError("The last admin token cannot be deleted; make another first.", code="conflict", status=409)
    connection.execute(tokens.delete().where(tokens.c.id == token_id))
    return known[token_id]


def _token(row: Any) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
