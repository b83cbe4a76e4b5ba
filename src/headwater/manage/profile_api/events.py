"""The history of a profile: found in the index, read from the log while it keeps events, and from the archive beyond.

Pages go on at the place of the first event that was not shown. All members of a profile are looked through, as an event
stays with the profile that it came to (contract: profiles-governance 1.8, 2.3, 2.4).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import heapq
import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from headwater.eventlog.streams import PROCESSED
from headwater.manage.profile_api.asked import Span, refused
from headwater.profiles.history import Entry, HistoryReader
from headwater.profiles.identity.extract import Extract, compile_extract, compile_rules
from headwater.profiles.tell import PAGE, SCREEN
from headwater.spec.errors import Unavailable
from headwater.spec.event import Event
from headwater.spec.settings import WarehouseSettings
from headwater.spec.space import Space
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import decode

if TYPE_CHECKING:
    from headwater.eventlog import EventLog
    from headwater.warehouse.archive import Part

Place = tuple[int, int, int]
_READ_SECONDS: Final = 30.0
_NAMED: Final = {"page": (PAGE, "page_name"), "screen": (SCREEN, "screen_name")}


class Index(Protocol):
    """The index of one partition, as `HistoryReader` is one."""

    def refresh(self) -> None: ...

    def entries(self, id: str, since: int, until: int, *, newest_first: bool) -> Iterator[Entry]: ...

    def close(self) -> None: ...


class Histories:
    """The indexes of all partitions, opened when first asked."""

    def __init__(
        self,
        log: EventLog,
        folder: Path,
        settings: WarehouseSettings | None = None,
        *,
        indexes: Sequence[Index] = (),
    ) -> None:
        """`folder` is the data folder, `settings` say where the archive is; `indexes` are those there unless told."""
        self._log = log
        self._folder = folder
        self._settings = settings or WarehouseSettings()
        self._readers: Sequence[Index] = indexes or [
            HistoryReader(folder, partition) for partition in log.partitions(PROCESSED)
        ]
        self._one_at_a_time = threading.Lock()

    async def page(self, members: Sequence[str], span: Span, limit: int) -> tuple[list[tuple[Entry, bytes]], str]:
        """The events of some profiles with their bodies, and the cursor of the next page. Raises SenderError 400."""
        start = read_cursor(span.next) if span.next else None
        found = await asyncio.to_thread(self._find, members, span, start, limit + 1)
        shown = found[:limit]
        bodies = await self._bodies(shown)
        following = write_cursor(found[limit]) if len(found) > limit else ""
        return [(entry, bodies[entry]) for entry in shown if entry in bodies], following

    def close(self) -> None:
        """Let go of the indexes."""
        for reader in self._readers:
            reader.close()

    def _find(self, members: Sequence[str], span: Span, start: Place | None, count: int) -> list[Entry]:
        since, until = span.since, span.until
        if start is not None:
            since, until = (since, min(until, start[0])) if span.newest_first else (max(since, start[0]), until)
        with self._one_at_a_time:
            for reader in self._readers:
                reader.refresh()
            each = [
                reader.entries(id, since, until, newest_first=span.newest_first)
                for reader in self._readers
                for id in members
            ]
            merged = heapq.merge(*each, key=_place, reverse=span.newest_first)
            wanted = (one for one in merged if _is_wanted(one, span, start))
            return list(itertools.islice(wanted, count))

    async def _bodies(self, entries: Sequence[Entry]) -> dict[Entry, bytes]:
        found: dict[Entry, bytes] = {}
        for entry in entries:
            chunk = await self._log.read(PROCESSED, entry.partition, entry.position, max_records=1, max_bytes=1)
            if chunk.records and chunk.first == entry.position:
                found[entry] = chunk.records[0].value
        gone = [entry for entry in entries if entry not in found]
        return found | await asyncio.to_thread(self._archived, gone) if gone else found

    def _archived(self, entries: Sequence[Entry]) -> dict[Entry, bytes]:
        """Bodies that only the archive still has; those that are nowhere are left out."""
        import pyarrow.parquet as pq

        from headwater.warehouse.files import open_files, place_of

        found: dict[Entry, bytes] = {}
        try:
            files = open_files(place_of(self._settings, self._folder))
            # What is gone from the log was archived long ago, so that a listing of a moment ago knows it.
            wanted = _where(entries, files.sizes("history"))
            for part, some in wanted.items():
                by_place = {entry.position: entry for entry in some}
                (path,) = files.paths({part.name: part.size}, seconds=_READ_SECONDS)
                with Path(path).open("rb") as file:
                    ours = [("position", "in", set(by_place))]
                    table = pq.read_table(file, columns=["position", "body"], filters=ours)
                for row in table.to_pylist():
                    found[by_place[row["position"]]] = row["body"].encode()
        except OSError as error:
            raise Unavailable(f"The archive cannot be read: {error}") from error
        return found


def _where(entries: Sequence[Entry], sizes: Mapping[str, int]) -> dict[Part, list[Entry]]:
    """Which files of the archive hold which of the events."""
    from headwater.warehouse.archive import read_name

    shelves: defaultdict[tuple[str, str, int], list[Part]] = defaultdict(list)
    for name, size in sizes.items():
        if (part := read_name(name, size)) is not None:
            shelves[part.shelf].append(part)
    wanted: defaultdict[Part, list[Entry]] = defaultdict(list)
    for entry in entries:
        for part in shelves[format_moment(entry.received_at)[:10], entry.source_id, entry.partition]:
            if part.first <= entry.position <= part.last:
                wanted[part].append(entry)
                break
    return wanted


def read_cursor(text: str) -> Place:
    """The place that a cursor names. Raises SenderError 400."""
    try:
        at, position, partition = (int(one) for one in base64.urlsafe_b64decode(text).decode("ascii").split(":"))
    except (binascii.Error, ValueError) as error:
        raise refused("next is not a cursor of this list.") from error
    if not 0 <= at < 2**53 or not 0 <= position < 2**53:
        raise refused("next is not a cursor of this list.")
    return at, position, partition


def write_cursor(entry: Entry) -> str:
    """The cursor of a page that begins with this event."""
    return base64.urlsafe_b64encode(":".join(str(part) for part in _place(entry)).encode()).decode()


def compile_show(space: Space) -> Extract:
    """What tells the identifiers of an event, by the rules of its space."""
    return compile_extract(compile_rules(space))


def show_event(entry: Entry, body: bytes, extract: Extract, related: dict[str, str]) -> dict[str, Any]:
    """An event as it is shown: a page or screen as a track call of that name (2.4)."""
    event = cast("dict[str, Any]", decode(body))
    kind = event.get("type", "")
    found = extract(Event(event, entry.source_id, entry.received_at, entry.position, kind, event.get("messageId", "")))
    name, page_field = _NAMED.get(kind, (event.get("event", ""), ""))
    properties = event.get("properties") or {}
    if page_field and event.get("name"):
        properties = {**properties, "name": event["name"], page_field: event["name"]}
    listed = [("users", one) for one in found.users] + [("accounts", one) for one in found.accounts]
    return {
        "external_ids": [_show_id(collection, identifier) for collection, identifier in listed],
        "context": event.get("context") or {},
        "type": "track",
        "message_id": event.get("messageId", ""),
        "source_id": entry.source_id,
        "timestamp": event.get("timestamp"),
        "properties": properties,
        "event": name,
        "related": related,
    }


def _show_id(collection: str, identifier: str) -> dict[str, str]:
    kind, _, value = identifier.partition(":")
    return {"collection": collection, "type": kind, "id": value, "encoding": "none"}


def _place(entry: Entry) -> Place:
    return entry.at, entry.position, entry.partition


def _is_wanted(entry: Entry, span: Span, start: Place | None) -> bool:
    if start is not None and (_place(entry) > start if span.newest_first else _place(entry) < start):
        return False
    return (span.include is None or entry.name in span.include) and entry.name not in span.exclude
