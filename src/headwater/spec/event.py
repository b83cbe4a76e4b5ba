"""An event: one call of the spec, as it passes the pipeline and as it is published.

The body stays the sender's JSON object, so that fields nobody knows today reach destinations untouched; the Struct
around it holds what stages ask for again and again (contract: connections 2.1, 2.8).
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec

EventType = Literal["identify", "track", "page", "screen", "group", "alias"]
EVENT_TYPES: Final[frozenset[str]] = frozenset(get_args(EventType))

Channel = Literal["server", "browser", "mobile"]


class Event(msgspec.Struct):
    """One event inside the pipeline. It belongs to the stage that holds it, which may change it in place.

    `body` is the JSON object as it will be published. `received_at` is in milliseconds since 1970 (UTC). `direct` says
    that the sender is the client itself, so that its address and user agent may be taken from the request (1.12).
    `happened_at` is the `timestamp` in milliseconds.
    """

    body: dict[str, Any]
    source_id: str
    received_at: int
    position: int
    type: str = ""
    message_id: str = ""
    direct: bool = False
    ip: str = ""
    user_agent: str = ""
    sent_at: str | None = None
    profile_id: str = ""
    destinations: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    happened_at: int = 0


class ProcessedHeader(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What readers of `processed` may filter by without opening the event.

    `destinations` are the ids of the destinations that the event was routed to; `warehouses` those of the warehouses
    that it must *not* go to (the exception is rare, so the common header is short). `received_at` is in milliseconds.
    `profile_id` is the profile in the event's first space, canonical when the event came; `profiles` are space and
    profile of each space when there are several; `groups` are the profiles of companies that the event refers to.
    `happened_at` is the event's `timestamp` in milliseconds; 0 where it is not said here and is to be read there.
    """

    source_id: str
    type: str
    name: str
    message_id: str
    user_id: str
    anonymous_id: str
    received_at: int
    profile_id: str = ""
    destinations: tuple[str, ...] = ()
    without_warehouses: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    happened_at: int = 0


class CollectedHeader(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What collect knows of a request beside its body. One record of `collected` is one request.

    `kind` is the event type of a single call, `batch` for an envelope, or `""` where the message names its own type.
    `write_key` is the key of the Authorization header or the one that collect found; `source_id` is empty when no
    source has it. `ip` and `user_agent` are empty unless the sender is the client itself (1.12); `received_at` is in
    milliseconds.
    """

    kind: str
    source_id: str
    write_key: str
    received_at: int
    direct: bool = False
    ip: str = ""
    user_agent: str = ""
    refused: str = ""
    """The reason for which collect answered 400 although it kept the body, so that it still shows as an outcome."""
    request: str = ""
    """Tells the request from every other, where the log may come to hold it twice; else it is empty."""


encode_header = msgspec.msgpack.Encoder().encode
decode_processed = msgspec.msgpack.Decoder(ProcessedHeader).decode
decode_collected = msgspec.msgpack.Decoder(CollectedHeader).decode
