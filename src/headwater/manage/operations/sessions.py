"""Sessions: signing in and out, and who one is. Headwater's own: Segment has them only in its app.

A session is for people: it is got with a password or a token, and ends after half a day. Programs use tokens.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Done, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Caller, Desk
from headwater.manage.operation import ANY_CALLER, operation
from headwater.manage.passwords import Confidential, KnownPassword, KnownToken, NewPassword, is_outdated
from headwater.manage.problems import Problem, Refused, invalid
from headwater.spec.errors import SenderError
from headwater.spec.timestamps import format_moment
from headwater.store import audit, sessions, tokens, users

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

log = logging.getLogger("headwater.manage")
Begun = tuple[str, tokens.Token]


class SessionShape(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """Who somebody is, and what they may do. `kind` tells whether they are a user or hold a token."""

    id: str
    name: str
    scopes: list[str]
    expires_at: str | None
    kind: Literal["user", "token"]
    email: str | None = None
    user_id: str | None = None


class CreateSession(Confidential, frozen=True, kw_only=True, rename="camel"):
    """A token, or an e-mail and a password."""

    token: KnownToken | None = None
    email: Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=254, description="The e-mail of a user.")] | None = (
        None
    )
    password: KnownPassword | None = None


class CreateSessionAnswer(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The session, and the text that is sent as its token; the text is not shown again."""

    session: SessionShape
    text: str


@operation("POST", "/headwater/sessions", scope=ANY_CALLER, status=201, tag="Sessions", open=True)
async def create_session(desk: Desk, request: CreateSession) -> CreateSessionAnswer:
    """Sign in with an e-mail and a password, or with a token, for twelve hours."""
    begin = await _beginning(desk, request)

    def work(connection: Connection) -> tuple[Begun, list[audit.Entry]]:
        text, made = begin(connection)
        caller = Caller.of(made)
        known = dataclasses.replace(desk, caller=caller)
        kind = "TOKEN" if caller.user_id is None else "USER"
        return (text, made), [note(known, "Signed In", kind, caller.actor, caller.email or caller.name)]

    text, made = await change(desk, work)
    return CreateSessionAnswer(session=_show(Caller.of(made)), text=text)


class GetSession(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing is asked: it is about who asks."""


class GetSessionAnswer(Shape, frozen=True, kw_only=True):
    """Whoever asks, whether in a session or with a token."""

    session: SessionShape


@operation("GET", "/headwater/session", scope=ANY_CALLER, tag="Sessions")
async def get_session(desk: Desk, request: GetSession) -> GetSessionAnswer:
    """Show who is asking, what they may do, and until when."""
    return GetSessionAnswer(session=_show(desk.caller))


class DeleteSession(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing is asked: it is the session of who asks."""


@operation("DELETE", "/headwater/session", scope=ANY_CALLER, tag="Sessions")
async def delete_session(desk: Desk, request: DeleteSession) -> Done:
    """Sign out: end the session that this is asked in."""
    caller = desk.caller
    if not caller.session:
        raise SenderError(
            f"A token is no session; DELETE /headwater/tokens/{caller.token_id} takes it back.",
            code="conflict",
            status=409,
        )

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        sessions.end_session(connection, caller.token_id)
        kind = "TOKEN" if caller.user_id is None else "USER"
        return Done(), [note(desk, "Signed Out", kind, caller.actor, caller.email or caller.name)]

    return await change(desk, work)


class ChangeOwnPassword(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The password before and after."""

    current: KnownPassword
    password: NewPassword


@operation("PUT", "/headwater/session/password", scope=ANY_CALLER, tag="Sessions")
async def change_own_password(desk: Desk, request: ChangeOwnPassword) -> Done:
    """Change the password of the user who asks, which ends all their sessions, this one included."""
    user_id, email = desk.caller.user_id, desk.caller.email
    if user_id is None or email is None:
        raise SenderError("Only a user who signed in with a password has one.", code="conflict", status=409)
    if await _verified(desk, email, request.current) is None:
        raise invalid("current", '"current" is not the password')
    digest = await desk.passwords.digest(request.password)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        users.set_digest(connection, user_id, digest)
        return Done(), [note(desk, "User Password Changed", "USER", user_id, email)]

    return await change(desk, work)


async def _beginning(desk: Desk, request: CreateSession) -> Callable[[Connection], Begun]:
    """How to begin the session that is asked for, once whoever asks has shown who they are."""
    token, email, password = request.token, request.email, request.password
    if token is not None and email is None and password is None:
        text = token.strip()
        # Asked before anything is written: strangers' guesses must not queue for the one turn that writers have.
        await desk.store.read(lambda connection: sessions.find_parent(connection, text, desk.now))
        return lambda connection: sessions.begin_with_token(connection, text, desk.now)
    if token is not None or email is None or password is None:
        problem = Problem("input-validation", 'Either "token", or "email" and "password", must be given')
        raise Refused([problem])
    found = await _verified(desk, users.plain(email), password)
    if found is None:
        # The trail holds what happened to the workspace, and grows by what its people do. What strangers try is
        # counted by the metric of requests, and told here without the e-mail, which may be a password typed amiss.
        log.info("somebody failed to sign in with an e-mail and a password")
        raise SenderError("The e-mail or the password is wrong.", code="unauthorized", status=401)
    user_id, digest = found
    return lambda connection: sessions.begin_with_user(connection, user_id, digest, desk.now)


async def _verified(desk: Desk, email: str, password: str) -> tuple[str, str] | None:
    """The id and digest of the user with this e-mail and password, or None. Raises Refused 429 after many failures."""
    at = round(asyncio.get_running_loop().time() * 1000)
    wait = desk.throttle.begin(email, at)
    if wait:
        seconds = -(-wait // 1000)
        message = f"Too many passwords were wrong; try again in {seconds} seconds."
        raise Refused([Problem("RequestError", message, data={"msBeforeNext": wait})], status=429, retry_after=seconds)
    user_id, digest = await desk.store.read(lambda connection: users.find_digest(connection, email))
    # A user without a password is checked like one with, and so is nobody: the time taken tells nothing.
    if not await desk.passwords.match(digest, password) or user_id is None or digest is None:
        return None
    desk.throttle.succeed(email, at)
    return user_id, await _renewed(desk, user_id, digest, password)


async def _renewed(desk: Desk, user_id: str, digest: str, password: str) -> str:
    """The digest, made again and kept when it was made with less strength than today's."""
    if not is_outdated(digest):
        return digest
    new = await desk.passwords.digest(password)
    await desk.store.write(lambda connection: users.renew_digest(connection, user_id, digest, new))
    return new


def _show(caller: Caller) -> SessionShape:
    return SessionShape(
        id=caller.token_id,
        name=caller.name,
        scopes=list(caller.scopes),
        expires_at=None if caller.expires_at is None else format_moment(caller.expires_at),
        kind="token" if caller.user_id is None else "user",
        email=caller.email,
        user_id=caller.user_id,
    )
