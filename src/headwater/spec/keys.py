"""Which partition of `collected` an event belongs to, and whom it is about when it must not say.

The partition is a function of the event's source and of whom the event is about, so that a retried event meets its own
deduplication index and a person's events keep their order, whoever appends them and in whatever batch.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final
from zlib import crc32

_STAND_IN: Final = "headwater:nobody:"


def collected_key(source_id: str, user_id: Any, anonymous_id: Any) -> bytes:
    """The key of an event's record: its source and its userId, or else its anonymousId.

    Values that are no text, or empty, are nobody's; such an event is refused later.
    """
    owner = next((value for value in (user_id, anonymous_id) if value and isinstance(value, str)), "")
    return f"{source_id}\0{owner}".encode(errors="replace")


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, of so many, that records of this key are appended to."""
    return crc32(key) % partitions


def stand_in(name: str) -> str:
    """The anonymousId of an event that is about somebody without a userId or anonymousId, known by another name.

    Every event must have one of the two. This one is always the same for a name, and identifies nobody.
    """
    return _STAND_IN + sha256(name.encode(errors="replace")).hexdigest()[:32]


def is_stand_in(anonymous_id: Any) -> bool:
    """Is that an anonymousId of `stand_in`?"""
    return isinstance(anonymous_id, str) and anonymous_id.startswith(_STAND_IN)
