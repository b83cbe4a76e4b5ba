"""Users: people who sign in with an e-mail and a password. The database holds a slow digest of the password.

Digests are made and checked elsewhere (`manage/passwords.py`), because that takes long and must not be done within a
transaction. What a user may do is said by roles (`spec/roles.py`), each given over the whole workspace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from headwater.spec.errors import SenderError
from headwater.spec.roles import OWNER, scopes_of
from headwater.store import sessions
from headwater.store.schema import users
from headwater.store.tokens import is_admin, list_tokens
from headwater.store.workspace import new_id

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user. `permissions` are ids of roles; the moments are in milliseconds since 1970."""

    id: str
    email: str
    name: str
    permissions: tuple[str, ...]
    created_at: int
    signed_in_at: int | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the user may do now."""
        return scopes_of(self.permissions)


def plain(email: str) -> str:
    """An e-mail in the form in which it is kept and looked for."""
    return email.strip().lower()


def create_user(
    connection: Connection, *, email: str, name: str, digest: str | None, permissions: Sequence[str], at: int
) -> User:
    """Make a user. Without a digest nobody can sign in as them. Raises SenderError 409 for an e-mail that is taken."""
    made = User(
        id=new_id(), email=plain(email), name=name, permissions=tuple(dict.fromkeys(permissions)), created_at=at
    )
    try:
        connection.execute(users.insert().values(**msgspec.to_builtins(made), digest=digest))
    except IntegrityError as error:
        raise SenderError("There is a user with this e-mail already.", code="conflict", status=409) from error
    return made


def find_user(connection: Connection, user_id: str, *, keep: bool = True) -> User:
    """A user, who stays as they are until the transaction ends if they are to be kept so. Raises SenderError 404."""
    query = sa.select(users).where(users.c.id == user_id)
    row = connection.execute(query.with_for_update() if keep else query).mappings().first()
    if row is None:
        raise SenderError("There is no such user.", code="not_found", status=404)
    return _user(row)


def list_users(connection: Connection) -> list[User]:
    """All users, oldest first."""
    query = sa.select(users).order_by(users.c.created_at, users.c.id)
    return [_user(row) for row in connection.execute(query).mappings()]


def find_digest(connection: Connection, email: str) -> tuple[str | None, str | None]:
    """The id and the digest of the user with this e-mail; None and None when there is no such user."""
    row = connection.execute(sa.select(users.c.id, users.c.digest).where(users.c.email == plain(email))).first()
    return (None, None) if row is None else (row[0], row[1])


def emails(connection: Connection, user_ids: Collection[str]) -> dict[str, str]:
    """The e-mails of those of the ids that are a user's."""
    query = sa.select(users.c.id, users.c.email).where(users.c.id.in_(list(user_ids)))
    return {row[0]: row[1] for row in connection.execute(query)}


def set_permissions(connection: Connection, user_id: str, permissions: Sequence[str]) -> User:
    """Give a user these roles and no others. Raises SenderError 404, and 409 when nobody could manage people then."""
    find_user(connection, user_id)
    kept = list(dict.fromkeys(permissions))
    connection.execute(users.update().where(users.c.id == user_id).values(permissions=kept))
    _check_way_in(connection)
    return find_user(connection, user_id)


def set_digest(connection: Connection, user_id: str, digest: str) -> None:
    """Change a user's password, which ends all their sessions. Raises SenderError 404."""
    find_user(connection, user_id)
    connection.execute(users.update().where(users.c.id == user_id).values(digest=digest))
    sessions.end_sessions_of(connection, user_id)


def renew_digest(connection: Connection, user_id: str, before: str, digest: str) -> None:
    """Put another digest of the same password in the place of one, if it still stands there."""
    same = users.update().where(users.c.id == user_id, users.c.digest == before)
    connection.execute(same.values(digest=digest))


def delete_users(connection: Connection, user_ids: Sequence[str]) -> list[User]:
    """Remove users with their sessions, all or none. Raises as `set_permissions` does."""
    gone = [find_user(connection, user_id) for user_id in dict.fromkeys(user_ids)]
    connection.execute(users.delete().where(users.c.id.in_([user.id for user in gone])))
    _check_way_in(connection)
    return gone


def _check_way_in(connection: Connection) -> None:
    """Somebody must be able to manage people: an owner with a password, or whoever holds an admin token."""
    if any(is_admin(token) for token in list_tokens(connection)):
        return
    query = sa.select(users.c.permissions).where(users.c.digest.is_not(None)).with_for_update()
    if not any(OWNER.id in permissions for permissions in connection.execute(query).scalars()):
        raise SenderError(
            "Nobody could manage this workspace then: the last owner who can sign in must stay.",
            code="conflict",
            status=409,
        )


def _user(row: Any) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        permissions=tuple(row["permissions"]),
        created_at=row["created_at"],
        signed_in_at=row["signed_in_at"],
    )
