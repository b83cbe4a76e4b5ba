"""The index of events by profile and time: where each stands in `processed`, for the Profile API's history.

One RocksDB a partition, written by the role that folds it, before the fold's place moves on. It keeps the position up
to which it knows the stream in the same write, and catches up from there, so that no crash leaves a gap; an entry that
is written again is the same entry. Bodies are not in it: they are read from the log, or from the archive. Only what is
counted by name is history: track, page and screen (contract: profiles-governance 2.4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
from rocksdict import AccessType, MemtableFactory, Options, Rdict, WriteBatch

from headwater.profiles.known import Told

_PLACE = struct.Struct(">q")
_KEY = struct.Struct(">qq")
_LENGTH = struct.Struct(">H")
_KNOWN_TO = b"\0position"
_LAST = 2**63 - 1
_BUFFER_BYTES = 8 << 20


class Entry(msgspec.Struct, array_like=True, frozen=True, order=True):
    """An event of a profile: when it happened, where it stands, and how it is found in the archive."""

    at: int
    position: int
    partition: int
    received_at: int
    source_id: str
    name: str


_Value = tuple[int, str, str]
"""When an event was received, its source, and its name."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Value).decode


class History:
    """The open index of one partition. One process at a time may hold it."""

    def __init__(
        self, folder: Path, *, keep_seconds: int, buffer_bytes: int = _BUFFER_BYTES, read_here: bool = False
    ) -> None:
        """Opens or makes the index in a folder; an entry is forgotten some time after `keep_seconds`.

        About twice `buffer_bytes` of what is written last are kept in memory: in no order, which takes a third of the
        time, unless entries are also `read_here`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        options = _options(buffer_bytes)
        if not read_here:
            options.set_allow_concurrent_memtable_write(False)
            options.set_memtable_factory(MemtableFactory.vector())
        # Unless its column family is named, one that is opened again forgets every entry when it is next compacted.
        families = {"default": options}
        keep = AccessType.with_ttl(keep_seconds)
        self._db = Rdict(str(folder), options, column_families=families, access_type=keep)

    @property
    def known_to(self) -> int:
        """The position in `processed` up to which the index knows the stream."""
        found = self._db.get(_KNOWN_TO)
        return _PLACE.unpack(found[:8])[0] if found else 0

    def remember(self, told: Iterable[tuple[str, Told]], known_to: int) -> None:
        """Add events of profiles; the stream is known up to `known_to` then."""
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for id, each in told:
            if each.name:
                mark = each.mark
                value = _encode((mark.received_at, mark.source_id, each.name))
                put(_key(id, mark.at, mark.position), _LENGTH.pack(len(value)) + value)
        batch.put(_KNOWN_TO, _PLACE.pack(known_to))
        self._db.write(batch)

    def entries(self, partition: int, id: str, span: tuple[int, int], *, newest_first: bool) -> Iterator[Entry]:
        """The events of a profile between two moments, both included (ms), by time, as those of a partition."""
        return _entries(self._db, partition, id, span, newest_first=newest_first)

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()


class HistoryReader:
    """The index of one partition, read beside the process that holds it. Blocks; not for several threads at once."""

    def __init__(self, folder: Path, partition: int) -> None:
        """The index may be made later."""
        self._folder = index_folder(folder, partition)
        self._partition = partition
        self._db: Rdict | None = None

    def refresh(self) -> None:
        """See what was written since; what was written in the last instants may be missing.

        The index is opened anew: a reader that stays open while files are put together behind it misses some.
        """
        self.close()
        if not (self._folder / "CURRENT").exists():
            return
        shadow = self._folder.with_name(self._folder.name + ".reader")
        self._db = Rdict(str(self._folder), _options(), access_type=AccessType.secondary(str(shadow)))
        with suppress(Exception):
            self._db.try_catch_up_with_primary()

    def entries(self, id: str, since: int, until: int, *, newest_first: bool) -> Iterator[Entry]:
        """The events of a profile from `since` to `until`, both included (ms), by time."""
        if self._db is None:
            return iter(())
        return _entries(self._db, self._partition, id, (since, until), newest_first=newest_first)

    def close(self) -> None:
        """Let go of the files."""
        if self._db is not None:
            self._db.close()
            self._db = None


def _entries(db: Rdict, partition: int, id: str, span: tuple[int, int], *, newest_first: bool) -> Iterator[Entry]:
    since, until = span
    start = _key(id, until, _LAST) if newest_first else _key(id, since, 0)
    prefix = _prefix(id)
    items = db.items(backwards=newest_first, from_key=cast("Any", start))
    for key, value in cast("Iterator[tuple[bytes, bytes]]", items):
        if not key.startswith(prefix):
            return
        at, position = _KEY.unpack(key[len(prefix) :])
        if not since <= at <= until:
            return
        length = _LENGTH.unpack(value[:2])[0]
        yield Entry(at, position, partition, *_decode(value[2 : 2 + length]))


def index_folder(folder: Path, partition: int) -> Path:
    """Where the index of a partition lies in the data folder."""
    return folder / "history" / str(partition)


def _prefix(id: str) -> bytes:
    return b"p" + id.encode() + b"\0"


def _key(id: str, at: int, position: int) -> bytes:
    return b"p%b\0%b" % (id.encode(), _KEY.pack(at if at > 0 else 0, position))


def _options(buffer_bytes: int = _BUFFER_BYTES) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(buffer_bytes)
    options.set_keep_log_file_num(2)
    return options
