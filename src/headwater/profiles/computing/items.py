"""Records of `processed` as the items that queries are about. Pure.

The stream makes them of records as they come and the archive of its rows (`warehouse/counting`); both must say the same
of an event, or history and stream would count differently.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from headwater.profiles.language import Item
from headwater.spec.event import ProcessedHeader

NAME_FIELDS: Final = {"track": "event", "page": "name", "screen": "name"}
"""The types of calls that queries are about, and the field of each that its name stands in."""


class _Body(msgspec.Struct):
    event: Any = None
    name: Any = None
    properties: Any = None
    context: Any = None


_decode = msgspec.json.Decoder(_Body).decode


def item_of(header: ProcessedHeader, body: bytes, at: int) -> Item:
    """The event of a record; `at` is the moment of its `Mark`, in milliseconds. A body that is no JSON says nothing."""
    try:
        read = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read = _Body()
    name: Any = getattr(read, NAME_FIELDS.get(header.type, ""), None)
    return Item(
        header.type,
        name if isinstance(name, str) else "",
        header.source_id,
        header.message_id,
        at,
        read.properties if isinstance(read.properties, dict) else {},
        read.context if isinstance(read.context, dict) else {},
    )


def person_in(header: ProcessedHeader, space_id: str) -> str:
    """The profile of the person in a space; empty if there is none.

    An event that came to one space only does not say to which: its profile is that, and the store knows its space.
    """
    if not header.profiles:
        return header.profile_id
    return next((id for space, id in header.profiles if space == space_id), "")
