"""Taking an identifier from a profile. Headwater's own; systems do the same through the Profile API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.profiles import Named
from headwater.manage.operations.spaces import KIND, SpaceId, find
from headwater.manage.people import IdentifierShape, show_link
from headwater.manage.removing import DELETED, remove_identifier
from headwater.store import audit

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class DeleteIdentifier(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An identifier of a person."""

    space_id: SpaceId
    profile_id: Named
    identifier: Annotated[str, Meta(min_length=3, max_length=700, description="What to delete, as type:value.")]


class DeleteIdentifierAnswer(Shape, frozen=True, kw_only=True):
    """The identifier as it was, with the moment of its removal."""

    identifier: IdentifierShape


@operation(
    "DELETE", "/headwater/spaces/{spaceId}/profiles/{profileId}/identifiers", scope="profiles:write", tag="Identity"
)
async def delete_identifier(desk: Desk, request: DeleteIdentifier) -> DeleteIdentifierAnswer:
    """Take one identifier from a person, who keeps a user id; merges, traits and events stay as they are."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[DeleteIdentifierAnswer, list[audit.Entry]]:
        link = remove_identifier(
            connection, space, request.profile_id, request.identifier, at=desk.now, by=desk.caller.actor
        )
        entries = [note(desk, DELETED, KIND, space.id, space.name)]
        return DeleteIdentifierAnswer(identifier=show_link(link)), entries

    return await change(desk, work)
