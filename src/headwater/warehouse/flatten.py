"""Events laid flat: what Segment's tables hold of an event (contract: connections 9.2, 9.3, 9.5). Pure and total.

Objects are flattened with underscores, arrays become JSON text. Whatever the event holds, flattening it does not fail.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec

from headwater.spec.timestamps import format_moment
from headwater.warehouse.casting import as_json
from headwater.warehouse.naming import Names, Node

_DEEPEST = 32
_NONE: Final[frozenset[str]] = frozenset()

Cells = dict[str, Any]
"""The cells of one row by column: None, text, numbers or booleans."""


class Flat(msgspec.Struct):
    """One event laid flat. `common` holds the columns that all its rows share, `own` those of its properties or traits.
    The columns received_at, uuid and uuid_ts are in neither.

    A None in `own` was said by the sender. `lost` is what has no column, by its path. `event_table` is empty except
    for track calls; `about` is the id of the row of `users` or `accounts` that the event changes, if any.
    """

    id: str
    table: str
    uuid: int
    received_at: int
    common: Cells
    own: Cells
    lost: dict[str, Any]
    event_table: str = ""
    about: str = ""


UPSERTS: Final = {"identifies": "users", "groups": "accounts"}
"""Tables with a row for every one that an event was about, by the table of those events."""

TABLES_OF: Final = {
    "identify": "identifies",
    "track": "tracks",
    "page": "pages",
    "screen": "screens",
    "group": "groups",
    "alias": "aliases",
}
"""The table of each type of call."""


def flatten(body: dict[str, Any], *, received_at: int, names: Names) -> Flat | None:
    """Lay one published event flat; None when it is of no type that has a table.

    `received_at` is in milliseconds.
    """
    kind = body.get("type")
    table = TABLES_OF.get(kind) if isinstance(kind, str) else None
    if table is None:
        return None
    message_id = _as_id(body.get("messageId"), names) or f"{uuid_of(as_json(body)):016x}"
    lost: dict[str, Any] = {}
    flat = Flat(
        id=message_id,
        table=table,
        uuid=uuid_of(message_id),
        received_at=received_at,
        common=_common(body, message_id, received_at),
        own={},
        lost=lost,
    )
    _walk(body.get("context"), names.context, flat.common, lost, _NONE)
    if table in ("tracks", "pages", "screens"):
        _walk(body.get("properties"), names.properties, flat.own, lost, names.standard)
    else:
        _walk(body.get("traits"), names.traits, flat.own, lost, names.standard)
    _fields_of_its_own(flat, body, names)
    return flat


def uuid_of(text: str) -> int:
    """The number by which a table is searched for an id: 63 bits of a hash of it (column `uuid`)."""
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def uuids_of(texts: Iterable[str]) -> list[int]:
    """The same for many."""
    digests = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts]
    return [number >> 1 for number in struct.unpack(f">{len(digests)}Q", b"".join(digests))]


def _common(body: dict[str, Any], message_id: str, received_at: int) -> Cells:
    get = body.get
    anonymous_id, user_id = get("anonymousId"), get("userId")
    return {
        "id": message_id,
        "anonymous_id": anonymous_id if type(anonymous_id) is str else _as_text(anonymous_id),
        "user_id": user_id if type(user_id) is str else _as_text(user_id),
        "sent_at": _as_cell(get("sentAt")),
        "timestamp": _as_cell(get("timestamp")) or format_moment(received_at),
        "original_timestamp": _as_cell(get("originalTimestamp")),
    }


def _fields_of_its_own(flat: Flat, body: dict[str, Any], names: Names) -> None:
    match flat.table:
        case "tracks":
            event = _as_text(body.get("event")) or ""
            flat.event_table = names.table(event)
            flat.common["event"] = flat.event_table
            flat.common["event_text"] = event
        case "pages" | "screens":
            for field in ("name", "category"):
                if (value := _as_cell(body.get(field))) is not None:
                    flat.own[field] = value
        case "identifies":
            flat.about = _as_id(body.get("userId"), names)
        case "groups":
            flat.own["group_id"] = _as_text(body.get("groupId"))
            flat.about = _as_id(body.get("groupId"), names)
        case _:
            flat.own["previous_id"] = _as_text(body.get("previousId"))


def _walk(value: Any, node: Node, cells: Cells, lost: dict[str, Any], standard: frozenset[str], depth: int = 0) -> None:
    """Put what is under a node into cells. Of two keys for one column the last that is not null wins (9.4)."""
    if not isinstance(value, dict):
        return
    children = node.children
    for key, item in cast("dict[Any, Any]", value).items():
        child = children.get(key)
        if child is None:
            child = node.under(str(key), standard, top=not depth)
        kind = type(item)
        if kind is dict and depth < _DEEPEST:
            _walk(item, child, cells, lost, standard, depth + 1)
            continue
        if kind is list or kind is dict or kind is tuple:
            item = as_json(item)
        column = child.column
        if column:
            if item is not None or column not in cells:
                cells[column] = item
        elif not child.standard and item is not None:
            lost[child.path] = item


def _as_id(value: Any, names: Names) -> str:
    """An id as the engine will hold it, since rows are searched for by it."""
    text = value if type(value) is str else _as_text(value) or ""
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text if names.nul else text.replace("\x00", "")


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else as_json(value)


def _as_cell(value: Any) -> Any:
    return value if type(value) is str or not isinstance(value, dict | list | tuple) else as_json(value)
