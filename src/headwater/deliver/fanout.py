"""From the records of a chunk to what each destination gets of them.

Events of one source mostly go to the same destinations, so they are put together once for each such set and the list
is shared between its lanes; the cost of a destination more is one list and not one step for each event.
"""

from __future__ import annotations

import msgspec

from headwater.eventlog import Chunk
from headwater.spec.destination import Item
from headwater.spec.event import decode_processed


class Share(msgspec.Struct, frozen=True):
    """What one destination gets of a chunk from one source, in order of positions. The list may be shared."""

    destination_id: str
    source_id: str
    items: list[Item]


def fan_out(chunk: Chunk) -> list[Share]:
    """Put a chunk's events together by destination."""
    groups: dict[tuple[str, tuple[str, ...]], list[Item]] = {}
    for position, record in chunk.placed():
        header = decode_processed(record.header)
        ids = header.destinations
        if not ids:
            continue
        item = Item(record.value, header.type, header.name, header.message_id, position, header.received_at)
        group = groups.get((header.source_id, ids))
        if group is None:
            groups[header.source_id, ids] = [item]
        else:
            group.append(item)
    return _shares(groups)


def _shares(groups: dict[tuple[str, tuple[str, ...]], list[Item]]) -> list[Share]:
    parts: dict[tuple[str, str], list[list[Item]]] = {}
    for (source_id, ids), items in groups.items():
        for each in ids:
            parts.setdefault((each, source_id), []).append(items)
    return [Share(each, source_id, _merged(lists)) for (each, source_id), lists in parts.items()]


def _merged(lists: list[list[Item]]) -> list[Item]:
    if len(lists) == 1:
        return lists[0]
    return sorted((item for items in lists for item in items), key=_position)


def _position(item: Item) -> int:
    return item.position
