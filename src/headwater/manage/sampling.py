"""What is in events: now and then one of each name is looked at, and what stood at which path is added up.

At most one event a minute of each name, and a few a second in all, so that the looking costs nothing. `add_up` is pure;
`Sampler` reads the log and writes the store.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import msgspec

from headwater.eventlog import EventLog
from headwater.eventlog.streams import PROCESSED
from headwater.spec.event import decode_processed
from headwater.spec.naming import short_name
from headwater.spec.outcome import Named
from headwater.spec.wire import JSON, encode
from headwater.store import names
from headwater.store.database import Store
from headwater.store.names import Key, PathSeen, Sample

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

EVERY_SECONDS: Final = 60.0
A_SECOND: Final = 20
PATHS: Final = 200
EXAMPLE_CHARS: Final = 100
_DEPTH: Final = 6
_ELEMENTS: Final = 20
_PATH_CHARS: Final = 300
_REMEMBERED: Final = 50_000
_FIELDS: Final = {"identify": "traits", "group": "traits"}


def paths_of(type: str, body: JSON) -> dict[str, tuple[set[str], str]]:
    """What stands in an event's properties (or traits): path to JSON types and an example, at most 200 paths.

    Elements of arrays share a path that ends in `[]`. An example is JSON text, empty for an object that is not.
    """
    fields = cast("dict[str, JSON]", body).get(_FIELDS.get(type, "properties")) if isinstance(body, dict) else None
    found: dict[str, tuple[set[str], str]] = {}
    if not isinstance(fields, dict):
        return found
    for path, value in _walk(cast("dict[str, JSON]", fields), "", 0):
        types, example = found.get(path, (set[str](), ""))
        if path not in found and len(found) >= PATHS:
            continue
        types.add(_type(value))
        found[path] = (types, example or _example(value))
    return found


def _walk(fields: Mapping[str, JSON], before: str, depth: int) -> Iterator[tuple[str, JSON]]:
    for key, value in fields.items():
        yield from _at(f"{before}{key}"[:_PATH_CHARS], value, depth)


def _at(path: str, value: JSON, depth: int) -> Iterator[tuple[str, JSON]]:
    yield path, value
    if depth >= _DEPTH:
        return
    if isinstance(value, dict):
        yield from _walk(cast("dict[str, JSON]", value), f"{path}.", depth + 1)
    elif isinstance(value, list):
        for one in cast("list[JSON]", value)[:_ELEMENTS]:
            yield from _at(f"{path}[]", one, depth + 1)


def _type(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _example(value: JSON) -> str:
    if value is None or (isinstance(value, dict | list) and value):
        return ""
    text = value[:EXAMPLE_CHARS] if isinstance(value, str) else value
    return encode(text).decode()[:EXAMPLE_CHARS]


def add_up(before: Sample | None, key: Key, event: bytes, at: int) -> Sample:
    """The sample with one more event looked at, at an instant (milliseconds); the newest example counts."""
    paths: dict[str, PathSeen] = dict(before.paths) if before is not None else {}
    for path, (types, example) in paths_of(key[1], msgspec.json.decode(event)).items():
        seen = paths.get(path)
        if seen is None and len(paths) >= PATHS:
            continue
        counts = dict(seen.types) if seen is not None else {}
        for type in sorted(types):
            counts[type] = counts.get(type, 0) + 1
        number = 1 + (seen.events if seen is not None else 0)
        paths[path] = PathSeen(number, counts, example or (seen.example if seen is not None else ""))
    return Sample(*key, 1 + (before.sampled if before is not None else 0), at, paths, event)


class Sampler:
    """Looks at events of names that were counted. It knows when it looked at which name last, and no more."""

    def __init__(self, log: EventLog, store: Store) -> None:
        self._log = log
        self._store = store
        self._looked: dict[Key, float] = {}
        self._allowed = float(A_SECOND)
        self._asked = time.monotonic()

    async def look(self, partition: int, counted: Iterable[Named]) -> int:
        """Look at an event of each name whose turn it is. Returns how many were.

        Raises Unavailable when log or store are away.
        """
        chosen = self._chosen(counted, time.monotonic())
        found: list[tuple[Key, bytes]] = []
        for one in chosen:
            body = await self._read(partition, one)
            if body is not None:
                found.append(((one.source_id, one.type, one.name), body))
        if found:
            now = time.time_ns() // 1_000_000
            await self._store.write(lambda connection: _add(connection, found, now))
        return len(found)

    def _chosen(self, counted: Iterable[Named], now: float) -> Sequence[Named]:
        self._allowed = min(self._allowed + (now - self._asked) * A_SECOND, float(A_SECOND))
        self._asked = now
        chosen: list[Named] = []
        for one in counted:
            key = (one.source_id, one.type, one.name)
            if one.overflow or now - self._looked.get(key, -EVERY_SECONDS) < EVERY_SECONDS or self._allowed < 1:
                continue
            if len(self._looked) >= _REMEMBERED:
                self._looked.clear()
            self._looked[key] = now
            self._allowed -= 1
            chosen.append(one)
        return chosen

    async def _read(self, partition: int, one: Named) -> bytes | None:
        """The event at the place that was told, if it is one of that name: the place is no more than likely."""
        chunk = await self._log.read(PROCESSED, partition, one.position, max_records=1, max_bytes=1)
        if not chunk.records or chunk.first != one.position:
            return None
        header = decode_processed(chunk.records[0].header)
        same = (header.source_id, header.type, short_name(header.name)) == (one.source_id, one.type, one.name)
        return chunk.records[0].value if same else None


def _add(connection: Connection, found: Sequence[tuple[Key, bytes]], now: int) -> None:
    names.keep(connection, [add_up(names.sample(connection, key), key, body, now) for key, body in found])
