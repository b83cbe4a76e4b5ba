"""Tokens of spaces: each reads the profiles of one space, through the Profile API, and does nothing else.

One may also delete identifiers there, if whoever made it said so.

They stand among the other tokens, of the kind `space`, and are kept as those are: by a digest of their text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from headwater.spec.errors import SenderError
from headwater.store.rows import pages
from headwater.store.schema import tokens
from headwater.store.tokens import digest, new_token
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


_DELETES: Final = "identifiers:delete"


class SpaceToken(msgspec.Struct, frozen=True):
    """A token without its text."""

    id: str
    name: str
    space_id: str
    created_at: int
    deletes: bool = False


def create(
    connection: Connection, space_id: str, name: str, at: int, *, deletes: bool = False
) -> tuple[str, SpaceToken]:
    """Make a token of a space, and return its text and itself. `deletes` lets it delete identifiers."""
    text, made = new_token(), SpaceToken(new_id(), name, space_id, at, deletes)
    row = msgspec.structs.asdict(made) | {"digest": digest(text), "kind": "space"}
    row["scopes"] = [_DELETES] if row.pop("deletes") else []
    connection.execute(tokens.insert().values(row))
    return text, made


def find(connection: Connection, text: str) -> SpaceToken | None:
    """The token of this text; None for one that there is not, and for a text that is another kind of token's."""
    return find_all(connection, [text]).get(text)


def find_all(connection: Connection, texts: Iterable[str]) -> dict[str, SpaceToken]:
    """The tokens of these texts, as `find` finds each."""
    by_digest = {digest(text): text for text in texts}
    found: dict[str, SpaceToken] = {}
    for page in pages(by_digest):
        for row in connection.execute(_BY_DIGEST, {"digests": page}).mappings():
            found[by_digest[row["digest"]]] = _token(row)
    return found


def of_space(connection: Connection, space_id: str) -> list[SpaceToken]:
    """The tokens of a space, oldest first."""
    query = _query().where(tokens.c.space_id == space_id).order_by(tokens.c.created_at, tokens.c.id)
    return [_token(row) for row in connection.execute(query).mappings()]


def delete(connection: Connection, space_id: str, token_id: str) -> SpaceToken:
    """Take a token of a space back. Raises SenderError 404."""
    found = _first(connection, sa.and_(tokens.c.id == token_id, tokens.c.space_id == space_id))
    if found is None:
        raise SenderError("There is no such token.", code="not_found", status=404)
    connection.execute(tokens.delete().where(tokens.c.id == token_id))
    return found


def _first(connection: Connection, where: sa.ColumnElement[bool]) -> SpaceToken | None:
    row = connection.execute(_query().where(where)).mappings().first()
    return None if row is None else _token(row)


def _query() -> sa.Select[Any, Any, Any, Any, Any, Any]:
    columns = (tokens.c.id, tokens.c.name, tokens.c.space_id, tokens.c.created_at, tokens.c.scopes, tokens.c.digest)
    return sa.select(*columns).where(tokens.c.kind == "space")


_BY_DIGEST: Final = _query().where(tokens.c.digest.in_(sa.bindparam("digests", expanding=True)))


def _token(row: Any) -> SpaceToken:
    deletes = _DELETES in row["scopes"]
    return SpaceToken(row["id"], row["name"], row["space_id"], int(row["created_at"]), deletes)
