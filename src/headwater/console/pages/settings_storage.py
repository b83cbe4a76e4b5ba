"""What the house keeps on disk: how much room each part takes, and since when events are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headwater.console.frame import page
from headwater.console.parts.facts import facts
from headwater.console.parts.figures import count, moment_html, percent, size
from headwater.console.parts.flow import bar
from headwater.console.parts.pieces import Html, html, loading, safe, table_html
from headwater.console.parts.settings.head import settings_head
from headwater.console.person import Person
from headwater.manage.operations.storage import (
    ArchiveKept,
    GetStorage,
    GetStorageAnswer,
    StoragePart,
    get_storage,
)

_DAYS: Final = 31
_ROOMS: Final = {
    "log": ("Event log", "accent"),
    "archive": ("Archive", "good"),
    "warehouse": ("Warehouses", "violet"),
    "store": ("Store", "warn"),
    "dedup": ("Deduplication", "bad"),
    "history": ("Profile histories", ""),
    "other": ("Other files", ""),
}


@page("/settings/storage", title="Settings", scope="workspace:read")
async def settings_storage(person: Person) -> None:
    settings_head(person, "/settings/storage")

    async def build() -> None:
        seen = await person.ask(get_storage, GetStorage())
        whole = (_disk(seen), _kept(seen, person.zone), _parts(seen.parts), _archive(seen.archive))
        html(f'<div class="stack">{"".join(whole)}</div>')

    await loading(520, build)


def room_of(part: str) -> str:
    """To which room a part of the data folder belongs: the first word of its name."""
    return part.partition("/")[0] if part.partition("/")[0] in _ROOMS else "other"


def _disk(seen: GetStorageAnswer) -> str:
    sums = {room: sum(one.bytes for one in seen.parts if room_of(one.part) == room) for room in _ROOMS}
    ours = [(*_ROOMS[room], taken) for room, taken in sums.items() if taken]
    words = "".join(f'<span class="{tone}"><i></i>{name} <b>{size(taken)}</b></span>' for name, tone, taken in ours)
    rooms = bar(
        [(tone, taken, f"{name}: {size(taken)} ({percent(taken, seen.used_bytes)})") for name, tone, taken in ours],
        form="tall",
    )
    others = max(0, seen.total_bytes - seen.free_bytes - seen.used_bytes)
    disk = bar(
        [
            ("accent", seen.used_bytes, f"Headwater: {size(seen.used_bytes)}"),
            ("", others, f"Other: {size(others)}"),
            ("free", seen.free_bytes, f"Free: {size(seen.free_bytes)}"),
        ]
    )
    return (
        f'<section class="card"><h2>{size(seen.used_bytes)} are used by Headwater</h2>{rooms}'
        f'<div class="flow-words">{words}</div>'
        f'<h2 class="below">{size(seen.free_bytes)} of {size(seen.total_bytes)} are free on the disk</h2>{disk}'
        "</section>"
    )


def _kept(seen: GetStorageAnswer, zone: str) -> Html:
    streams = ", ".join(f"{one.stream} {count(one.records)}" for one in seen.streams)
    return facts(
        [
            ("Oldest event in the log", Html(moment_html(seen.oldest_event_at, zone))),
            ("Newest event in the log", Html(moment_html(seen.newest_event_at, zone))),
            ("The log keeps records for", f"{seen.retention_hours} h ({seen.retention_hours / 24:.0f} days)"),
            ("Records in the log", streams),
            ("Events archived", count(seen.archive.events)),
            ("Archive", seen.archive.url or "Parquet files in the data folder"),
            ("Store", {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(seen.store_engine, seen.store_engine)),
            ("Data folder", Html(f"<code>{safe(seen.folder)}</code>")),
        ],
        "What is kept",
    )


def _parts(parts: Sequence[StoragePart]) -> str:
    most = max((one.bytes for one in parts), default=1)
    rows = [
        (
            one.part,
            Html(f'<span class="nowrap">{size(one.bytes)}</span>'),
            count(one.files),
            Html(f'<meter class="lag" min="0" max="{max(1, most)}" value="{one.bytes}"></meter>'),
        )
        for one in sorted(parts, key=lambda one: -one.bytes)
    ]
    heads = ("Part", "Size", "Files", "")
    return f"<h2>Parts</h2>{table_html(heads, rows, right=(1, 2), label='Parts of the data folder')}"


def _archive(archive: ArchiveKept) -> str:
    if not archive.days:
        return ""
    rows = [(one.day, size(one.bytes), count(one.files)) for one in archive.days[:_DAYS]]
    older = len(archive.days) - len(rows)
    more = f'<p class="soft">and {count(older)} older days</p>' if older > 0 else ""
    table = table_html(("Day (UTC)", "Size", "Files"), rows, right=(1, 2), label="Days of the archive")
    return f"<h2>Days of the archive</h2>{table}{more}"
