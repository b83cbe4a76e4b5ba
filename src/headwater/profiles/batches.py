"""Calls that the house itself makes, as batches of a source on their way to `collected`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from headwater.eventlog import Record
from headwater.spec.event import CollectedHeader, encode_header
from headwater.spec.keys import collected_key, partition_of
from headwater.spec.limits import MAX_BATCH_ITEMS

_BATCH_BYTES: Final = 400_000


def batches(
    calls: Sequence[dict[str, Any]], *, source_id: str, context: dict[str, Any], partitions: int
) -> dict[int, list[Record]]:
    """Records by partition, each call in the one that collect would choose for it; `context` is said of every call."""
    header = encode_header(CollectedHeader("batch", source_id, "", time.time_ns() // 1_000_000))
    parts: defaultdict[int, list[bytes]] = defaultdict(list)
    keys: dict[int, bytes] = {}
    for each in calls:
        key = collected_key(source_id, each.get("userId"), each.get("anonymousId")) if partitions > 1 else b""
        partition = partition_of(key, partitions)
        keys.setdefault(partition, key)
        parts[partition].append(msgspec.json.encode(each))
    return {
        partition: [Record(keys[partition], header, batch) for batch in _bodies(items, context)]
        for partition, items in parts.items()
    }


def _bodies(items: Sequence[bytes], context: dict[str, Any]) -> Iterator[bytes]:
    """Envelopes of a size that collect would take, with all items in their order."""
    batch: list[msgspec.Raw] = []
    size = 0
    for item in items:
        if batch and (size + len(item) > _BATCH_BYTES or len(batch) == MAX_BATCH_ITEMS):
            yield msgspec.json.encode({"context": context, "batch": batch})
            batch, size = [], 0
        batch.append(msgspec.Raw(item))
        size += len(item) + 1
    if batch:
        yield msgspec.json.encode({"context": context, "batch": batch})
