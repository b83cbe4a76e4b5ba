"""The calls that tell of changes, from the store to `collected`, as batches of the space's own source.

They are written with the change that they tell of, and taken away once the log has them. If the process ends in
between they are appended again, and the pipeline knows them by their messageIds.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED
from headwater.spec.event import CollectedHeader, encode_header
from headwater.spec.keys import collected_key, partition_of
from headwater.spec.limits import MAX_MESSAGE_BYTES
from headwater.store import standing

if TYPE_CHECKING:
    from headwater.eventlog import EventLog
    from headwater.store import Store
    from headwater.store.standing import Waiting

_AT_ONCE: Final = 2_000
_BATCH: Final = 100


class _Owner(msgspec.Struct, rename="camel"):
    user_id: Any = None
    anonymous_id: Any = None


_owner = msgspec.json.Decoder(_Owner).decode


async def send_waiting(log: EventLog, store: Store, partition: int) -> int:
    """Append all calls that a partition left, in their order; returns how many there were."""
    sent = 0
    while some := await store.read(lambda connection: standing.waiting(connection, partition, _AT_ONCE)):
        for to, records in _records(some, len(log.partitions(COLLECTED))).items():
            await log.append(COLLECTED, to, records)
        last = some[-1].id
        await store.write(lambda connection, until=last: standing.sent(connection, partition, until))
        sent += len(some)
    return sent


def _records(some: list[Waiting], partitions: int) -> dict[int, list[Record]]:
    """Batches by partition; what is about one person stays in its order. What is too large shows as refused."""
    parts: defaultdict[tuple[int, str], list[tuple[bytes, bytes]]] = defaultdict(list)
    found: defaultdict[int, list[Record]] = defaultdict(list)
    now = time.time_ns() // 1_000_000
    for each in some:
        if len(each.message) > MAX_MESSAGE_BYTES:
            header = CollectedHeader("", each.source_id, "", now, refused="message_too_large")
            found[0].append(Record(b"", encode_header(header), each.message[:MAX_MESSAGE_BYTES]))
            continue
        owner = _owner(each.message)
        key = collected_key(each.source_id, owner.user_id, owner.anonymous_id)
        parts[partition_of(key, partitions), each.source_id].append((key, each.message))
    for (partition, source_id), calls in parts.items():
        header = encode_header(CollectedHeader("batch", source_id, "", now))
        for start in range(0, len(calls), _BATCH):
            batch = calls[start : start + _BATCH]
            body = b'{"batch":[' + b",".join(message for _, message in batch) + b"]}"
            found[partition].append(Record(batch[0][0], header, body))
    return found
