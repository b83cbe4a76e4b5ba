"""What one record of `processed` tells of the profiles that it is about. Pure.

A person's profile learns of every event; a company's of those that name it, by a group call or `context.groupId`
(contract: profiles-governance 1.9). Traits go to the person of an identify call and to the company of a group call.
Pages and screens are counted under the names that their readers know (2.4).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from headwater.eventlog import Record
from headwater.profiles.known import Mark, Told
from headwater.spec.naming import short_name
from headwater.spec.timestamps import parse_moment

PAGE: Final = "Page Viewed"
SCREEN: Final = "Screen Viewed"
_NAMES: Final = {"page": PAGE, "screen": SCREEN}


class Header(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A ProcessedHeader, of which nothing is opened that is not asked for."""

    source_id: str
    type: str
    name: str
    message_id: str
    user_id: msgspec.Raw
    anonymous_id: msgspec.Raw
    received_at: int
    profile_id: str = ""
    destinations: msgspec.Raw = msgspec.Raw()
    without_warehouses: msgspec.Raw = msgspec.Raw()
    profiles: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    happened_at: int = 0


class _Plain(msgspec.Struct):
    timestamp: Any = None


class _WithTraits(msgspec.Struct):
    timestamp: Any = None
    traits: dict[str, msgspec.Raw] | None = None


_header = msgspec.msgpack.Decoder(Header).decode
_plain = msgspec.json.Decoder(_Plain).decode
_with_traits = msgspec.json.Decoder(_WithTraits).decode


def tell(record: Record, position: int) -> list[tuple[str, Told]]:
    """The profiles that the event is about, with what it tells of each; none for one that is about nobody."""
    header = _header(record.header)
    type, groups, spaces = header.type, header.groups, header.profiles
    if not header.profile_id and not groups and not spaces:
        return []
    happened, traits = _read(header, record.value)
    received = header.received_at
    at = received if happened is None or happened > received else happened
    mark = Mark(at, received, position, header.message_id, header.source_id)
    name = _event_name(type, header.name)
    of_person = Told(mark, name, traits if type == "identify" else None, groups)
    if not spaces and not groups:
        return [(header.profile_id, of_person)]
    people = [id for _, id in spaces] if spaces else [header.profile_id]
    of_company = Told(mark, name, traits if type == "group" else None)
    return [(id, of_person) for id in people if id] + [(id, of_company) for id in groups]


def _event_name(type: str, name: str) -> str:
    """The name by which an event is counted; empty for calls that are no event of their own."""
    return short_name(name) if type == "track" else _NAMES.get(type, "")


def _read(header: Header, value: bytes) -> tuple[int | None, dict[str, bytes] | None]:
    """When the event happened (milliseconds), if that can be told, and the traits that it carries."""
    happened = header.happened_at
    if header.type in ("identify", "group"):
        found = _with_traits(value)
        traits = None if found.traits is None else {key: bytes(each) for key, each in found.traits.items()}
        return happened or parse_moment(found.timestamp), traits
    return happened or parse_moment(_plain(value).timestamp), None
