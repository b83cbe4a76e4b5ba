"""From the records of a chunk to what each destination gets of them.

Events of one source mostly go to the same destinations, so they are put together once for each such set and the list
is shared between its lanes; the cost of a destination more is one list and not one step for each event.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from headwater.deliver.passage import size_of
from headwater.eventlog import Chunk
from headwater.spec.destination import Item


class Header(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The fields of a ProcessedHeader up to the destinations, which are left as they are written: they are read once
    for all events that go to the same. What stands after them is not wanted here.
    """

    source_id: str
    type: str
    name: str
    message_id: str
    user_id: str
    anonymous_id: str
    received_at: int
    profile_id: str = ""
    destinations: msgspec.Raw = msgspec.Raw(msgspec.msgpack.encode(()))


class Share(msgspec.Struct, frozen=True):
    """What one destination gets of a chunk from one source, in order of positions. The list may be shared.

    `size` is how many bytes the events take.
    """

    destination_id: str
    source_id: str
    items: list[Item]
    size: int


_decode = msgspec.msgpack.Decoder(Header).decode
_decode_ids = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_position = attrgetter("position")
_NOTHING: dict[str, Any] = {}
"""The payload of an event that no mapping has made one for. One for all: each of its own is work for nothing."""


def fan_out(chunk: Chunk) -> list[Share]:
    """Put a chunk's events together by destination."""
    groups: dict[tuple[str, bytes], list[Item]] = {}
    source_id, destinations = "", msgspec.Raw()
    items: list[Item] = []
    for position, record in chunk.placed():
        header = _decode(record.header)
        if header.destinations != destinations or header.source_id != source_id:
            source_id, destinations = header.source_id, header.destinations
            items = groups.setdefault((source_id, bytes(destinations)), [])
        items.append(
            Item(record.value, header.type, header.name, header.message_id, position, header.received_at, _NOTHING)
        )
    return _shares({(source_id, _decode_ids(ids)): items for (source_id, ids), items in groups.items()})


def _shares(groups: dict[tuple[str, tuple[str, ...]], list[Item]]) -> list[Share]:
    parts: dict[tuple[str, str], list[tuple[list[Item], int]]] = {}
    for (source_id, ids), items in groups.items():
        size = size_of(items)
        for each in ids:
            parts.setdefault((each, source_id), []).append((items, size))
    return [
        Share(each, source_id, _merged([items for items, _ in lists]), sum(size for _, size in lists))
        for (each, source_id), lists in parts.items()
    ]


def _merged(lists: list[list[Item]]) -> list[Item]:
    if len(lists) == 1:
        return lists[0]
    return sorted((item for items in lists for item in items), key=_position)
