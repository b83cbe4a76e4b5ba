"""The index of messageIds: which were processed, when, and where they stand (contract: connections 1.10).

One RocksDB a partition, derived from `processed`: it keeps the position up to which it knows the stream, in the same
write as the ids, and catches up from there when it is opened. Entries may outlive the deduplication window, because
the trace finds events by messageId through them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rocksdict import AccessType, BlockBasedOptions, Options, Rdict, WriteBatch

from headwater.eventlog.streams import PROCESSED
from headwater.spec.event import ProcessedHeader, decode_processed
from headwater.spec.keys import collected_key, partition_of

if TYPE_CHECKING:
    from headwater.eventlog import EventLog

_ENTRY = struct.Struct(">qq")
_PLACE = struct.Struct(">q")
_KNOWN_TO = b"\0position"
_ELSEWHERE = -1
"""The place of an event that stands in another partition."""
_BUFFER_BYTES = 16 << 20


class Seen:
    """The open index of one partition. One process at a time may hold it."""

    def __init__(
        self, folder: Path, *, keep_seconds: int, window_ms: int = 0, buffer_bytes: int = _BUFFER_BYTES
    ) -> None:
        """Opens or makes the index in a folder; an entry is forgotten some time after `keep_seconds`.

        About twice `buffer_bytes` of what is written last are kept in memory. Raises what RocksDB raises when another
        process holds it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._window = window_ms
        options = _options(buffer_bytes)
        # Unless its column family is named, one that is opened again forgets every entry when it is next compacted.
        families = {"default": options}
        keep = AccessType.with_ttl(keep_seconds)
        self._db = Rdict(str(folder), options, column_families=families, access_type=keep)

    @property
    def known_to(self) -> int:
        """The position in `processed` up to which the index knows the stream."""
        found = self._db.get(_KNOWN_TO)
        return _PLACE.unpack(found[:8])[0] if found else 0

    def screen(self) -> Callable[[Sequence[str], Sequence[int]], set[int]]:
        """A question for one chunk of work, to be asked for some events at a time.

        Given messageIds and their moments it answers which of them, by index, were seen less than a window ago:
        processed earlier, asked about earlier, or standing earlier in the list.
        """
        fresh: dict[bytes, int] = {}

        def duplicates(message_ids: Sequence[str], moments: Sequence[int]) -> set[int]:
            keys = [_key(message_id) for message_id in message_ids]
            found = cast("list[bytes | None]", self._db[cast("list[Any]", keys)]) if keys else []
            repeated: set[int] = set()
            for index, (key, entry) in enumerate(zip(keys, found, strict=True)):
                seen_at = fresh.get(key)
                if seen_at is None and entry is not None:
                    seen_at = _ENTRY.unpack(entry[:16])[0]
                if seen_at is not None and moments[index] - seen_at < self._window:
                    repeated.add(index)
                else:
                    fresh[key] = moments[index]
            return repeated

        return duplicates

    def remember(self, message_ids: Sequence[str], moments: Sequence[int], positions: Sequence[int]) -> None:
        """Add events that stand at these positions of `processed`, at least one; no other event is between them."""
        batch = WriteBatch(raw_mode=True)
        for index, message_id in enumerate(message_ids):
            batch.put(_key(message_id), _ENTRY.pack(moments[index], positions[index]))
        batch.put(_KNOWN_TO, _PLACE.pack(positions[-1] + 1))
        self._db.write(batch)

    async def catch_up(self, log: EventLog, partition: int, *, since_ms: int | None = None) -> int:
        """Read what `processed` holds beyond the index. Returns how many events were added.

        With `since_ms` only what was appended at or after that moment is needed, and the rest is passed over.
        """
        position = self.known_to
        if since_ms is not None:
            position = max(position, await log.position_at(PROCESSED, partition, since_ms))
        added = 0
        while True:
            chunk = await log.read(PROCESSED, partition, position, max_records=20_000, max_bytes=32_000_000)
            if not chunk.records:
                return added
            headers = [decode_processed(record.header) for record in chunk.records]
            self.remember([h.message_id for h in headers], [h.received_at for h in headers], chunk.positions)
            added += len(headers)
            position = chunk.next

    async def inherit(self, log: EventLog, partition: int, ends: Mapping[int, int], since: int) -> int:
        """Learn, in an index that is new, what was processed before the house was moved to a log of more partitions.

        A messageId of then may be sent again, and comes to another partition now. `ends` are the ends of what was
        moved, by partition; what was received before `since` (ms) is no longer looked for. Returns how many were added.
        """
        partitions = len(log.partitions(PROCESSED))
        added = 0
        for former, end in ends.items():
            position = 0
            while former != partition and position < end and not self.known_to:
                chunk = await log.read(PROCESSED, former, position, max_records=20_000, max_bytes=32_000_000)
                if not chunk.records:
                    break
                batch = WriteBatch(raw_mode=True)
                for header in (decode_processed(record.header) for record in chunk.before(end).records):
                    if header.received_at >= since and partition in _homes(header, partitions):
                        batch.put(_key(header.message_id), _ENTRY.pack(header.received_at, _ELSEWHERE))
                        added += 1
                self._db.write(batch)
                position = chunk.next
        return added

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()


def _homes(header: ProcessedHeader, partitions: int) -> set[int]:
    """The partitions that an event may belong to: what is told of whom it is about may have been read otherwise."""
    owners = ((header.user_id, header.anonymous_id), (None, header.anonymous_id), (None, None))
    return {partition_of(collected_key(header.source_id, *owner), partitions) for owner in owners}


def lookup(folder: Path, message_id: str) -> int | None:
    """Where an event stands in `processed`, read beside the process that holds the index; None when it is not there.

    What was written in the last instants may be missing.
    """
    if not (folder / "CURRENT").exists():
        return None
    shadow = folder.with_name(folder.name + ".reader")
    reader = Rdict(str(folder), _options(), access_type=AccessType.secondary(str(shadow)))
    try:
        with suppress(Exception):
            reader.try_catch_up_with_primary()
        found = reader.get(_key(message_id))
        place = _ENTRY.unpack(found[:16])[1] if found else _ELSEWHERE
        return None if place == _ELSEWHERE else place
    finally:
        reader.close()


def index_folder(folder: Path, partition: int) -> Path:
    """Where the index of a partition lies in the data folder."""
    return folder / "seen" / str(partition)


def _key(message_id: str) -> bytes:
    return b"m" + message_id.encode("utf-8", "replace")


def _options(buffer_bytes: int = _BUFFER_BYTES) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(buffer_bytes)
    options.set_keep_log_file_num(2)
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    return options
