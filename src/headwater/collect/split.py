"""From an accepted body to records: one, or with several partitions one for each that the body's events belong to.

Which partition an event belongs to is told by spec.keys.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from headwater.collect.accept import Accepted, Envelope
from headwater.eventlog import Record
from headwater.spec.keys import collected_key, partition_of


class _Owner(msgspec.Struct, rename="camel"):
    user_id: Any = None
    anonymous_id: Any = None


_owner = msgspec.json.Decoder(_Owner).decode
_encode = msgspec.json.Encoder().encode


class _Part(msgspec.Struct, rename="camel"):
    """An envelope with the items of one partition; fields stand in the order in which clients send them."""

    sent_at: msgspec.Raw | msgspec.UnsetType
    context: msgspec.Raw | msgspec.UnsetType
    integrations: msgspec.Raw | msgspec.UnsetType
    batch: list[msgspec.Raw]


def split(accepted: Accepted, source_id: str, header: bytes, partitions: int) -> list[tuple[int, Record]]:
    """The records to append, each with its partition."""
    if partitions == 1:
        return [(0, Record(b"", header, accepted.value))]
    if accepted.envelope is None:
        key = collected_key(source_id, accepted.owner, None)
        return [(partition_of(key, partitions), Record(key, header, accepted.value))]
    return _split_batch(accepted.envelope, accepted.value, source_id, header, partitions)


def _split_batch(
    envelope: Envelope, value: bytes, source_id: str, header: bytes, partitions: int
) -> list[tuple[int, Record]]:
    parts: defaultdict[int, list[msgspec.Raw]] = defaultdict(list)
    keys: dict[int, bytes] = {}
    for item in envelope.batch:
        key = _key_of(source_id, item)
        partition = partition_of(key, partitions)
        keys.setdefault(partition, key)
        parts[partition].append(item)
    if len(parts) == 1:
        return [(partition, Record(keys[partition], header, value)) for partition in parts]
    return [
        (
            partition,
            Record(
                keys[partition],
                header,
                _encode(_Part(envelope.sent_at, envelope.context, envelope.integrations, items)),
            ),
        )
        for partition, items in parts.items()
    ]


def _key_of(source_id: str, item: msgspec.Raw) -> bytes:
    """An item's key; nobody's when it cannot be read, which the pipeline then records."""
    try:
        found = _owner(item)
    except (msgspec.DecodeError, RecursionError):
        found = _Owner()
    return collected_key(source_id, found.user_id, found.anonymous_id)
