"""What this room reads of the header of every event in `processed`."""

from __future__ import annotations

import msgspec

_NONE = msgspec.Raw(msgspec.msgpack.encode(()))


class Header(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A ProcessedHeader up to its last field that is wanted here; the destinations are left as they are written."""

    source_id: str
    type: str
    name: str
    message_id: str
    user_id: str
    anonymous_id: str
    received_at: int
    profile_id: str = ""
    destinations: msgspec.Raw = _NONE
    without_warehouses: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str], ...] = ()


decode_header = msgspec.msgpack.Decoder(Header).decode
