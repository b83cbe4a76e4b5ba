"""Tokens of this API. Headwater's own: Segment makes them only in its app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage import scopes
from headwater.manage.answers import Done, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.passwords import Confidential
from headwater.manage.problems import invalid
from headwater.spec.errors import SenderError
from headwater.spec.timestamps import format_moment, parse_moment
from headwater.store import audit, tokens

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "TOKEN"


class TokenShape(Shape, frozen=True, kw_only=True):
    """A token without its text."""

    id: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None


class ListTokens(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of tokens."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListTokensAnswer(Shape, frozen=True, kw_only=True):
    """Tokens, oldest first."""

    tokens: list[TokenShape]
    pagination: Page


@operation("GET", "/headwater/tokens", scope="tokens:read", tag="Tokens")
async def list_tokens(desk: Desk, request: ListTokens) -> ListTokensAnswer:
    """List the tokens that may use this API, without their texts."""
    found, place = page(await desk.store.read(tokens.list_tokens), request.pagination)
    return ListTokensAnswer(tokens=[_show(one) for one in found], pagination=place)


class CreateToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token to make."""

    name: Annotated[str, Meta(min_length=1, max_length=255, description="What it is for; the audit trail names it.")]
    scopes: Annotated[
        list[str], Meta(min_length=1, max_length=100, description="What it may do, such as sources:read, or * for all.")
    ]
    expires_at: Annotated[str | None, Meta(description="When it ends (ISO 8601); never unless given.")] = None


class CreateTokenAnswer(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The token with its text, which is not shown again."""

    token: TokenShape
    text: str


@operation("POST", "/headwater/tokens", scope="tokens:write", status=201, tag="Tokens")
async def create_token(desk: Desk, request: CreateToken) -> CreateTokenAnswer:
    """Make a token that may do at most what the caller may do, and show its text once."""
    for scope in request.scopes:
        if not scopes.is_scope(scope):
            raise invalid("scopes", f'"scopes" holds "{scope}", which is not of the form <resource>:read or :write')
    refused = scopes.beyond(desk.caller.scopes, request.scopes)
    if refused:
        raise SenderError(
            f"A token cannot hand on what it may not do itself: {', '.join(refused)}.", code="unauthorized", status=401
        )
    expires_at = parse_moment(request.expires_at)
    if request.expires_at is not None and (expires_at is None or expires_at <= desk.now):
        raise invalid("expiresAt", '"expiresAt" must be a moment in the future')

    def work(connection: Connection) -> tuple[tuple[str, tokens.Token], list[audit.Entry]]:
        _check_end(desk, connection, expires_at)
        text, token_id = tokens.create_token(
            connection, name=request.name, scopes=list(dict.fromkeys(request.scopes)), expires_at=expires_at
        )
        made = tokens.find_token(connection, text, desk.now)
        assert made is not None
        return (text, made), [note(desk, "Token Created", _KIND, token_id, made.name)]

    text, made = await change(desk, work)
    return CreateTokenAnswer(token=_show(made), text=text)


class DeleteToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token."""

    token_id: Annotated[str, Meta(description="The token's id.")]


@operation("DELETE", "/headwater/tokens/{tokenId}", scope="tokens:write", tag="Tokens")
async def delete_token(desk: Desk, request: DeleteToken) -> Done:
    """Take a token back, so that it may do nothing from now on."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        known = {one.id: one for one in tokens.list_tokens(connection)}.get(request.token_id)
        refused = scopes.beyond(desk.caller.scopes, known.scopes) if known else []
        if refused:
            raise SenderError(
                f"Only a token that may do as much can take this one back: {', '.join(refused)}.",
                code="unauthorized",
                status=401,
            )
        gone = tokens.delete_token(connection, request.token_id)
        return Done(), [note(desk, "Token Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


def _check_end(desk: Desk, connection: Connection, expires_at: int | None) -> None:
    """What was given for a while must not be kept for ever by way of another token, nor by way of a session."""
    holder = next((one for one in tokens.list_tokens(connection) if one.id == desk.caller.actor), None)
    if holder is None or holder.expires_at is None:
        return
    if expires_at is None or expires_at > holder.expires_at:
        raise SenderError(
            f"A token cannot make one that outlives it: this one ends at {format_moment(holder.expires_at)}.",
            code="unauthorized",
            status=401,
        )


def _show(token: tokens.Token) -> TokenShape:
    return TokenShape(
        id=token.id,
        name=token.name,
        scopes=list(token.scopes),
        created_at=format_moment(token.created_at),
        expires_at=None if token.expires_at is None else format_moment(token.expires_at),
    )
