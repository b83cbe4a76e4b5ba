"""Which partition of `collected` an event belongs to.

It is a function of the event's source and of whom the event is about, so that a retried event meets its own
deduplication index and a person's events keep their order, whoever appends them and in whatever batch.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32


def collected_key(source_id: str, user_id: Any, anonymous_id: Any) -> bytes:
    """The key of an event's record: its source and its userId, or else its anonymousId.

    Values that are no text, or empty, are nobody's; such an event is refused later.
    """
    owner = next((value for value in (user_id, anonymous_id) if value and isinstance(value, str)), "")
    return f"{source_id}\0{owner}".encode(errors="replace")


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, of so many, that records of this key are appended to."""
    return crc32(key) % partitions
