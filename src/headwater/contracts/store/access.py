"""What the store promises of tokens, users and their sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headwater.contracts.store.attempts import THREADS, Promise, adding_to, at_once, refused, with_source
from headwater.spec.errors import SenderError
from headwater.store import (
    Store,
    sessions,
    space_tokens,
    tokens,
    users,
)
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    pass

OF_ACCESS: Final[list[Promise]] = []
_promise = adding_to(OF_ACCESS)


@_promise
def tokens_are_found_by_their_text_alone_until_they_expire(store: Store) -> None:
    """The text is nowhere in the database, and the last admin token stays."""
    text, token_id = store.run(
        lambda connection: tokens.create_token(connection, name="T", scopes=["*"], expires_at=1_000)
    )
    found = store.run(lambda connection: tokens.find_token(connection, text, 999))
    assert found is not None
    assert (found.id, found.scopes) == (token_id, ("*",))
    assert store.run(lambda connection: tokens.find_token(connection, text, 1_000)) is None
    assert store.run(lambda connection: tokens.find_token(connection, tokens.digest(text), 1)) is None
    _, admin = store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))
    assert refused(store, lambda connection: tokens.delete_token(connection, admin)) == 409
    store.run(lambda connection: tokens.delete_token(connection, token_id))
    assert [one.id for one in store.run(tokens.list_tokens)] == [admin]


def _user(store: Store, email: str, *roles: str, digest: str | None = "a digest") -> str:
    return store.run(
        lambda connection: users.create_user(connection, email=email, name="N", digest=digest, permissions=roles, at=1)
    ).id


@_promise
def a_user_is_found_by_an_email_in_any_case_and_there_is_one_of_each(store: Store) -> None:
    """Also of those who are made at the same time."""
    ada = _user(store, "Ada@Acme.test", "source-admin", "source-admin")
    assert store.run(lambda connection: users.find_digest(connection, " ADA@acme.test")) == (ada, "a digest")
    assert store.run(lambda connection: users.find_digest(connection, "eve@acme.test")) == (None, None)
    assert store.run(lambda connection: users.find_user(connection, ada)).permissions == ("source-admin",)

    def make() -> int:
        try:
            _user(store, "bob@acme.test")
        except SenderError as error:
            return error.status
        return 201

    assert sorted(at_once(make, THREADS)) == [201] + [409] * (THREADS - 1)
    assert sorted(one.email for one in store.run(users.list_users)) == ["ada@acme.test", "bob@acme.test"]
    assert refused(store, lambda connection: users.find_user(connection, "none")) == 404
    assert refused(store, lambda connection: users.delete_users(connection, [ada, "none"])) == 404
    assert len(store.run(users.list_users)) == 2


@_promise
def a_session_has_the_scopes_of_its_holder_at_each_moment_and_ends_with_them(store: Store) -> None:
    """Whether the holder is a user or a token; nobody sees a session among the tokens."""
    ada = _user(store, "ada@acme.test", "workspace-member")
    token, token_id = store.run(
        lambda connection: tokens.create_token(connection, name="T", scopes=["sources:read"], expires_at=5_000)
    )
    store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))

    def look(text: str, at: int = 10) -> tokens.Token | None:
        return store.run(lambda connection: tokens.find_token(connection, text, at))

    of_user, begun = store.run(lambda connection: sessions.begin_with_user(connection, ada, "a digest", 1))
    of_token, other = store.run(lambda connection: sessions.begin_with_token(connection, token, 1))
    assert (begun.scopes, begun.user_id, begun.email) == (("workspace:read",), ada, "ada@acme.test")
    assert (other.scopes, other.parent_id, other.expires_at) == (("sources:read",), token_id, 5_000)
    assert begun.expires_at == 1 + sessions.LASTS_MS
    assert look(of_user, 1 + sessions.LASTS_MS) is None
    store.run(lambda connection: users.set_permissions(connection, ada, ["workspace-owner"]))
    found = look(of_user)
    assert found is not None and found.scopes == ("*",)
    assert [one.name for one in store.run(tokens.list_tokens)] == ["T", "A"]
    assert refused(store, lambda connection: tokens.delete_token(connection, begun.id)) == 404
    assert refused(store, lambda connection: sessions.begin_with_token(connection, of_user, 1)) == 401
    store.run(lambda connection: tokens.delete_token(connection, token_id))
    assert (look(of_token), look(of_user)) == (None, found)
    store.run(lambda connection: users.delete_users(connection, [ada]))
    assert look(of_user) is None
    assert store.run(sessions.count) == 0


@_promise
def another_password_ends_the_sessions_of_its_user_and_of_nobody_else(store: Store) -> None:
    """And a sign-in that was checked against the one before begins none."""
    ada, bob = _user(store, "ada@acme.test"), _user(store, "bob@acme.test")
    for user_id in (ada, bob):
        store.run(lambda connection, user_id=user_id: sessions.begin_with_user(connection, user_id, "a digest", 1))
    store.run(lambda connection: users.renew_digest(connection, bob, "a digest", "the same, stronger"))
    assert store.run(sessions.count) == 2
    store.run(lambda connection: users.set_digest(connection, ada, "another"))
    assert store.run(sessions.count) == 1
    assert refused(store, lambda connection: sessions.begin_with_user(connection, ada, "a digest", 1)) == 401
    store.run(lambda connection: users.renew_digest(connection, ada, "a digest", "too late"))
    text, _ = store.run(lambda connection: sessions.begin_with_user(connection, ada, "another", sessions.LASTS_MS + 1))
    assert store.run(sessions.count) == 1
    ended = store.run(lambda connection: tokens.find_token(connection, text, sessions.LASTS_MS + 1))
    assert ended is not None
    store.run(lambda connection: sessions.end_session(connection, ended.id))
    assert store.run(sessions.count) == 0


@_promise
def the_last_owner_who_can_sign_in_stays(store: Store) -> None:
    """Also when each of two removes the other, and though there are owners without a password."""
    owners = [_user(store, f"{name}@acme.test", "workspace-owner") for name in "ab"]
    _user(store, "c@acme.test", "workspace-owner", digest=None)
    left = iter(owners)

    def remove() -> int:
        user_id = next(left)
        try:
            store.run(lambda connection: users.delete_users(connection, [user_id]))
        except SenderError as error:
            return error.status
        return 200

    assert sorted(at_once(remove, 2)) == [200, 409]
    last = next(one.id for one in store.run(users.list_users) if one.id in owners)
    assert refused(store, lambda connection: users.set_permissions(connection, last, [])) == 409
    store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))
    store.run(lambda connection: users.delete_users(connection, [last]))


@_promise
def a_token_of_a_space_opens_nothing_else(store: Store) -> None:
    """It is no token of the operations, and is taken back by its own space alone."""
    with_source(store)
    space_id = store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People")).id
    other = store.run(lambda connection: workspaces.create_space(connection, slug="other", name="Other")).id
    text, made = store.run(lambda connection: space_tokens.create(connection, space_id, "CRM", 5))
    assert store.run(lambda connection: space_tokens.find(connection, text)) == made
    assert store.run(lambda connection: tokens.find_token(connection, text, 6)) is None
    assert refused(store, lambda connection: sessions.begin_with_token(connection, text, 6)) == 401
    plain = store.run(lambda connection: tokens.create_token(connection, name="A", scopes=["*"]))[0]
    assert store.run(lambda connection: space_tokens.find(connection, plain)) is None
    assert [one.name for one in store.run(tokens.list_tokens)] == ["A"]
    assert store.run(lambda connection: space_tokens.of_space(connection, other)) == []
    assert refused(store, lambda connection: space_tokens.delete(connection, other, made.id)) == 404
    assert refused(store, lambda connection: tokens.delete_token(connection, made.id)) == 404
    store.run(lambda connection: space_tokens.delete(connection, space_id, made.id))
    assert store.run(lambda connection: space_tokens.find(connection, text)) is None
