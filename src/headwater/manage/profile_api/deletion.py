"""Deleting one identifier of a person (contract: profiles-governance 1.11): the request, read, and what it does.

The codes of its errors are its own. What was deleted is not told to destinations, and a later event may bring it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from headwater.manage.changing import change
from headwater.manage.desk import Desk
from headwater.manage.faces import Receive
from headwater.manage.profile_api.asked import refused
from headwater.manage.removing import DELETED, remove_identifier
from headwater.spec.space import Space
from headwater.store import audit
from headwater.store.space_tokens import SpaceToken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

WHAT: Final = "delete_external_id"
"""The request in metrics."""

_END: Final = "/external_ids/delete"
_LOOK_UP: Final = "user_id:"
_MOST_BYTES: Final = 16_384


class Identifier(msgspec.Struct, frozen=True):
    """What is to be deleted."""

    id: str
    type: str


class Deletion(msgspec.Struct, frozen=True):
    """The body of a request."""

    delete_external_ids: list[Identifier]


_read_body = msgspec.json.Decoder(Deletion).decode


def is_deletion(raw_path: str) -> bool:
    """Is this the path of a deletion, whatever its parts are?"""
    return raw_path.endswith(_END)


def read_name(raw_path: str) -> str:
    """The profile that an undecoded path names, as `user_id:value`. Raises SenderError 400 or 404."""
    parts = raw_path.removesuffix(_END).split("/")
    if len(parts) < 7 or parts[4] != "collections" or parts[6] != "profiles":
        raise refused("There is nothing at this path.", "not_found", 404)
    collection, name = unquote(parts[5]), unquote("/".join(parts[7:]))
    if collection != "users":
        raise refused("The collection must be users.", "bad_request")
    if not name.startswith(_LOOK_UP) or name == _LOOK_UP:
        raise refused("The profile must be named by user_id:value.", "bad_request")
    return name


def read_identifier(body: bytes, name: str) -> str:
    """The identifier that a body asks to delete from the profile of this name. Raises SenderError 400."""
    try:
        wanted = _read_body(body).delete_external_ids
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise refused(
            'The body must be {"delete_external_ids": [{"id": "...", "type": "..."}]}.', "bad_request"
        ) from None
    if len(wanted) != 1:
        raise refused("Exactly one identifier can be deleted at a time.", "bad_request")
    identifier = f"{wanted[0].type}:{wanted[0].id}"
    if not wanted[0].type or not wanted[0].id or ":" in wanted[0].type:
        raise refused("An identifier has a type and an id.", "bad_request")
    if identifier == name:
        raise refused("The identifier must be another one than that which names the profile.", "bad_request")
    return identifier


async def delete(desk: Desk, space: Space, token: SpaceToken, raw_path: str, receive: Receive, *, now: int) -> Any:
    """Answer a deletion; `now` is in milliseconds. Raises SenderError in the words of 1.11."""
    if not token.deletes:
        raise refused("This token may not delete identifiers.", "forbidden", 403)
    name = read_name(raw_path)
    identifier = read_identifier(await _body(receive), name)
    if not space.all_sources and not space.source_ids:
        raise refused("The space has no source.", "source_id_not_found", 404)

    def work(connection: Connection) -> tuple[Any, list[audit.Entry]]:
        remove_identifier(connection, space, name, identifier, at=now, by=token.id)
        entry = audit.Entry(
            at=now,
            type=DELETED,
            actor=token.id,
            resource_type="SPACE",
            resource_id=space.id,
            resource_name=space.name,
        )
        return {"code": "success", "message": "The identifier was deleted."}, [entry]

    return await change(desk, work)


async def _body(receive: Receive) -> bytes:
    read = bytearray()
    while True:
        message = await receive()
        read += message.get("body", b"")
        if len(read) > _MOST_BYTES:
            raise refused("The body is too large.", "bad_request")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(read)
