"""The archive: every processed event as Parquet, by day and source. Synchronous; run in a thread.

A file's name says which positions of which partition it covers: `part-<partition>-<first>-<last>.parquet` holds all
events of its day and source among the records from `first` to `last`. So nothing is archived twice: a range that was
being written when the process died is written again, whole, under the same names; and where small files were put
together in a larger one, a reader knows by the name which of them it covers.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headwater.eventlog import Chunk
from headwater.spec.timestamps import format_moment, parse_moment
from headwater.warehouse.casting import ArrowArray, ArrowTable
from headwater.warehouse.files import Files
from headwater.warehouse.headers import Header, decode_header

SCHEMA: Final = pa.schema(
    [
        ("message_id", pa.string()),
        ("type", pa.string()),
        ("event", pa.string()),
        ("name", pa.string()),
        ("user_id", pa.string()),
        ("anonymous_id", pa.string()),
        ("group_id", pa.string()),
        ("received_at", pa.timestamp("ms")),
        ("timestamp", pa.timestamp("ms")),
        ("sent_at", pa.timestamp("ms")),
        ("original_timestamp", pa.timestamp("ms")),
        ("source_id", pa.string()),
        ("profile_id", pa.string()),
        ("partition", pa.int32()),
        ("position", pa.int64()),
        ("body", pa.string()),
        ("profiles", pa.string()),
    ]
)
"""The columns of the archive. Timestamps are in UTC; `body` is the published event as JSON text.

`profiles` is a JSON object of spaces' ids and profiles where `profile_id` does not say all; older files lack it.
"""

_REPEATED: Any = [name for name in SCHEMA.names if name not in ("message_id", "position", "body")]
"""Columns whose values recur, so that a dictionary of them makes the file smaller."""

_DAY_MS: Final = 86_400_000
_NAME = re.compile(r"day=(?P<day>[\d-]+)/source=(?P<source>[^/]+)/part-(?P<numbers>\d+-\d+-\d+)\.parquet")
FAR: Final = 2**62
_SMALL_BYTES: Final = 1_000_000
_MANY: Final = 16


class Part(msgspec.Struct, frozen=True, order=True):
    """A file of the archive. It covers the positions from `first` to `last`, both included."""

    day: str
    source_id: str
    partition: int
    first: int
    last: int
    size: int = 0

    @property
    def name(self) -> str:
        """Its name in the archive."""
        numbers = f"{self.partition}-{self.first}-{self.last}"
        return f"day={self.day}/source={quote(self.source_id, safe='')}/part-{numbers}.parquet"

    @property
    def shelf(self) -> tuple[str, str, int]:
        """What files must share to be put together."""
        return self.day, self.source_id, self.partition


class _Fields(msgspec.Struct, gc=False):
    event: str | None = None
    name: str | None = None
    groupId: str | None = None
    timestamp: str | None = None
    sentAt: str | None = None
    originalTimestamp: str | None = None


class _Anything(msgspec.Struct, gc=False):
    event: Any = None
    name: Any = None
    groupId: Any = None
    timestamp: Any = None
    sentAt: Any = None
    originalTimestamp: Any = None


_fields = msgspec.json.Decoder(_Fields).decode
_anything = msgspec.json.Decoder(_Anything).decode
_NAIVE: Final = pa.timestamp("ms")
_UTC: Final = pa.timestamp("ms", "UTC")


def table(partition: int, chunk: Chunk, headers: Sequence[Header] | None = None) -> ArrowTable:
    """The records of a chunk as an Arrow table of SCHEMA. `headers` are theirs, if they were read already."""
    records = chunk.records
    if headers is None:
        headers = [decode_header(record.header) for record in records]
    fields = [_read(record.value) for record in records]
    arrays: list[ArrowArray] = [
        _texts([header.message_id for header in headers]),
        _texts([header.type for header in headers]),
        _texts([each.event for each in fields]),
        _texts([each.name for each in fields]),
        _texts([header.user_id or None for header in headers]),
        _texts([header.anonymous_id or None for header in headers]),
        _texts([each.groupId for each in fields]),
        pa.array([header.received_at for header in headers], _NAIVE),
        moments([each.timestamp for each in fields]),
        moments([each.sentAt for each in fields]),
        moments([each.originalTimestamp for each in fields]),
        _texts([header.source_id for header in headers]),
        _texts([header.profile_id or None for header in headers]),
        pa.repeat(pa.scalar(partition, pa.int32()), len(records)),
        pa.array(chunk.positions, pa.int64()),
        _bodies([record.value for record in records]),
        _texts([_profiles(header) if header.profiles else None for header in headers]),
    ]
    return pa.table(arrays, schema=SCHEMA)


def _read(value: bytes) -> _Fields:
    """The fields that are columns. What is no text is left out, and all of what is no JSON object."""
    try:
        return _fields(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        found = msgspec.structs.astuple(_anything(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Fields()
    return _Fields(*(each if isinstance(each, str) else None for each in found))


def _texts(cells: Sequence[str | None]) -> ArrowArray:
    return pa.array(cells, pa.string())


def _bodies(values: Sequence[bytes]) -> ArrowArray:
    """Bodies as text; Arrow finds all that is no UTF-8 in one go."""
    try:
        return pa.array(values, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return _texts([value.decode("utf-8", "replace") for value in values])


def _profiles(header: Header) -> str | None:
    """The profile in each space, where that is more than `profile_id` says."""
    found = header.profiles
    if not found or (len(found) == 1 and found[0][1] == header.profile_id):
        return None
    return msgspec.json.encode(dict(found)).decode()


def moments(texts: Sequence[str | None]) -> ArrowArray:
    """Timestamps as events have them, as an Arrow array. Arrow reads the wire form itself, at a tenth of the cost."""
    try:
        return pa.array(texts, pa.string()).cast(_UTC).cast(_NAIVE)
    except pa.ArrowInvalid:
        return pa.array([parse_moment(text) for text in texts], _NAIVE)


def read_name(name: str, size: int = 0) -> Part | None:
    """The part that a file name speaks of; None for a file that is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    partition, first, last = map(int, found["numbers"].split("-"))
    return Part(found["day"], unquote(found["source"]), partition, first, last, size)


def standing(parts: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    """The parts that hold the archive, and those that a larger one covers already."""
    kept: list[Part] = []
    covered: list[Part] = []
    reach: dict[tuple[str, str, int], int] = {}
    for part in sorted(parts, key=lambda part: (part.shelf, part.first, -part.last)):
        if part.last <= reach.get(part.shelf, -1):
            covered.append(part)
        else:
            reach[part.shelf] = part.last
            kept.append(part)
    return kept, covered


def crossing(parts: Sequence[Part]) -> list[list[Part]]:
    """Of parts of one shelf, those that share positions without covering one another, together and in order."""
    groups: list[list[Part]] = []
    reach = -1
    for part in sorted(parts):
        if groups and part.first <= reach:
            groups[-1].append(part)
        else:
            groups.append([part])
        reach = max(reach, part.last)
    return [group for group in groups if len(group) > 1]


class Archive:
    """The archive as one writer sees it. Different partitions may be written by different processes."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._shelves: defaultdict[tuple[str, str, int], list[Part]] = defaultdict(list)
        self.covered: list[Part] = []

    def look(self, partitions: Iterable[int]) -> None:
        """Find what is there already. Raises OSError when the place is away."""
        wanted = set(partitions)
        found = [read_name(name, size) for name, size in self._files.sizes().items()]
        kept, self.covered = standing(part for part in found if part is not None and part.partition in wanted)
        self._shelves.clear()
        for part in kept:
            self._shelves[part.shelf].append(part)

    def unfinished(self, partition: int, cursor: int) -> int | None:
        """The last position of a range that was begun at the cursor and perhaps not finished; None when there is none.

        Such a range must be written again before any other.
        """
        parts = self._parts(partition)
        return max((part.last for part in parts if part.first >= cursor), default=None)

    def end(self, partition: int) -> int:
        """The position after the last that is archived."""
        return max((part.last + 1 for part in self._parts(partition)), default=0)

    def _parts(self, partition: int) -> list[Part]:
        return [part for parts in self._shelves.values() for part in parts if part.partition == partition]

    def write(self, partition: int, chunk: Chunk) -> int:
        """Write a chunk that has records. Returns the number of events."""
        headers = [decode_header(record.header) for record in chunk.records]
        whole = table(partition, chunk, headers)
        groups = _groups(headers)
        for (day, source_id), places in groups.items():
            part = Part(day, source_id, partition, chunk.first, chunk.next - 1)
            stored = self._store(part, whole if len(groups) == 1 else whole.take(pa.array(places, pa.int64())))
            shelf = self._shelves[part.shelf]
            if not shelf or shelf[-1].first != part.first:
                shelf.append(stored)
        return len(chunk.records)

    def tidy(self, before: int = FAR) -> None:
        """Put small files together where there are many. The small ones remain, covered, for those who read them.

        Files that cross, because a worker that was cut off wrote one late, are put together first, if they end before
        a position: each holds all events of its range, so that an event of both is taken once.
        """
        crossed = [group for parts in self._shelves.values() for group in crossing(parts)]
        for group in crossed:
            if all(part.last < before for part in group):
                self._mend(group)
        for shelf, parts in self._shelves.items():
            small = _last_small(parts)
            if len(small) < _MANY:
                continue
            day, source_id, partition = shelf
            content = _together(pq.read_table(io.BytesIO(self._files.read(part.name))) for part in small)
            whole = self._store(Part(day, source_id, partition, small[0].first, small[-1].last), content)
            parts[-len(small) :] = [whole]
            self.covered += small

    def _mend(self, crossed: list[Part]) -> None:
        day, source_id, partition = crossed[0].shelf
        shelf = self._shelves[crossed[0].shelf]
        content: list[ArrowTable] = []
        reach = -1
        for part in crossed:
            rows = pq.read_table(io.BytesIO(self._files.read(part.name)))
            content.append(rows.filter(pc.field("position") > reach))
            reach = max(reach, part.last)
        whole = self._store(Part(day, source_id, partition, crossed[0].first, reach), _together(content))
        shelf[:] = sorted([whole, *(part for part in shelf if part not in crossed)])
        self.covered += crossed

    def drop_covered(self, parts: Sequence[Part]) -> None:
        """Remove files that a larger one covers."""
        for part in parts:
            self._files.remove(part.name)

    def _store(self, part: Part, content: ArrowTable) -> Part:
        buffer = io.BytesIO()
        pq.write_table(content, buffer, compression="zstd", use_dictionary=_REPEATED)
        self._files.write(part.name, buffer.getvalue())
        return msgspec.structs.replace(part, size=buffer.tell())


def _groups(headers: Sequence[Header]) -> dict[tuple[str, str], list[int]]:
    """The places of events by day and source."""
    days: dict[int, str] = {}
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, header in enumerate(headers):
        number = header.received_at // _DAY_MS
        day = days.get(number)
        if day is None:
            day = days[number] = format_moment(number * _DAY_MS)[:10]
        groups[day, header.source_id].append(place)
    return groups


def _together(tables: Iterable[ArrowTable]) -> ArrowTable:
    """The rows of files, of which older ones may lack columns."""
    return pa.concat_tables([SCHEMA.empty_table(), *tables], promote_options="default")


def _last_small(parts: Sequence[Part]) -> list[Part]:
    small: list[Part] = []
    for part in reversed(parts):
        if part.size > _SMALL_BYTES:
            break
        small.append(part)
    return small[::-1]
