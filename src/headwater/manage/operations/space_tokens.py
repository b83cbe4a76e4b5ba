"""Tokens of spaces, with which other systems read profiles through the Profile API. Headwater's own.

Such a token reads whatever is known of the people of its space, so that nobody makes one who may not read that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage import scopes
from headwater.manage.answers import Done, Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.passwords import Confidential
from headwater.spec.errors import SenderError
from headwater.spec.timestamps import format_moment
from headwater.store import audit, space_tokens

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "TOKEN"


class SpaceTokenShape(Shape, frozen=True, kw_only=True):
    """A token of a space without its text."""

    id: str
    name: str
    space_id: str
    created_at: str
    deletes_identifiers: bool


class ListSpaceTokens(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A space."""

    space_id: SpaceId


class ListSpaceTokensAnswer(Shape, frozen=True, kw_only=True):
    """The tokens of a space, oldest first."""

    tokens: list[SpaceTokenShape]


@operation("GET", "/headwater/spaces/{spaceId}/tokens", scope="spaces:read", tag="Spaces")
async def list_space_tokens(desk: Desk, request: ListSpaceTokens) -> ListSpaceTokensAnswer:
    """List the tokens that read the profiles of a space, without their texts."""
    space = find(await desk.workspace(), request.space_id)
    found = await desk.store.read(lambda connection: space_tokens.of_space(connection, space.id))
    return ListSpaceTokensAnswer(tokens=[_show(one) for one in found])


class CreateSpaceToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token to make."""

    space_id: SpaceId
    name: Name
    deletes_identifiers: Annotated[
        bool, Meta(description="Whether it may also delete identifiers; needs the scope profiles:write.")
    ] = False


class CreateSpaceTokenAnswer(Confidential, frozen=True, kw_only=True, rename="camel"):
    """The token with its text, which is not shown again."""

    token: SpaceTokenShape
    text: str


@operation("POST", "/headwater/spaces/{spaceId}/tokens", scope="spaces:write", status=201, tag="Spaces")
async def create_space_token(desk: Desk, request: CreateSpaceToken) -> CreateSpaceTokenAnswer:
    """Make a token that reads the profiles of a space, and show its text once."""
    for scope in ("profiles:read", "profiles:write")[: 1 + request.deletes_identifiers]:
        if not scopes.allows(desk.caller.scopes, scope):
            raise SenderError(
                f"A token of a space acts on its profiles; to make this one takes the scope {scope}.",
                code="unauthorized",
                status=401,
            )
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[tuple[str, space_tokens.SpaceToken], list[audit.Entry]]:
        text, made = space_tokens.create(
            connection, space.id, request.name, desk.now, deletes=request.deletes_identifiers
        )
        return (text, made), [note(desk, "Token Created", _KIND, made.id, made.name)]

    text, made = await change(desk, work)
    return CreateSpaceTokenAnswer(token=_show(made), text=text)


class DeleteSpaceToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token of a space."""

    space_id: SpaceId
    token_id: Annotated[str, Meta(description="The token's id.")]


@operation("DELETE", "/headwater/spaces/{spaceId}/tokens/{tokenId}", scope="spaces:write", tag="Spaces")
async def delete_space_token(desk: Desk, request: DeleteSpaceToken) -> Done:
    """Take a token of a space back, so that it reads nothing from now on."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        gone = space_tokens.delete(connection, space.id, request.token_id)
        return Done(), [note(desk, "Token Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


def _show(token: space_tokens.SpaceToken) -> SpaceTokenShape:
    return SpaceTokenShape(
        id=token.id,
        name=token.name,
        space_id=token.space_id,
        created_at=format_moment(token.created_at),
        deletes_identifiers=token.deletes,
    )
