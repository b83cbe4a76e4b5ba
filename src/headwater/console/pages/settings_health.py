"""Whether every part of the house is well, and how far each reader of the log is behind."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.console.frame import page
from headwater.console.parts.figures import count, span
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, Tone, chip, safe, table_html
from headwater.console.parts.polling import poll
from headwater.console.parts.problems import banner
from headwater.console.parts.settings.head import settings_head
from headwater.console.person import Person
from headwater.manage.operations.overview import (
    GetOverview,
    GetOverviewAnswer,
    ReaderOverview,
    WarehouseOverview,
    get_overview,
)

_LATE_SECONDS = 60.0
_WORDS = {
    "pipeline": ("Pipeline", "checks, enriches and routes what was received"),
    "deliver": ("Deliver", "sends events to destinations"),
    "archive": ("Archive", "writes events to Parquet files"),
    "ledger": ("Ledger", "adds up the outcomes"),
    "profiles": ("Profiles", "folds events into what is known of each person"),
}


@page("/settings/health", title="Settings", scope="ledger:read")
async def settings_health(person: Person) -> None:
    settings_head(person, "/settings/health")
    shown = Patched().classes("stack")

    async def look() -> None:
        shown.show(_health(await person.ask(get_overview, GetOverview(span=5))))

    await look()
    poll(5.0, look)


def _health(seen: GetOverviewAnswer) -> Html:
    kinds = {problem.kind for problem in seen.problems if problem.severity == "error"}
    parts: list[tuple[str, str, Tone]] = [
        ("Store", *_state("store" in kinds)),
        ("Event log", *_state("log" in kinds)),
        ("Disk", *_state("disk" in kinds, "nearly full")),
        ("Books", "balanced", "good") if seen.balanced else ("Books", "not balanced", "bad"),
    ]
    tiles = "".join(
        f'<div class="tile"><span>{name}</span><b class="{tone}">{safe(word)}</b></div>' for name, word, tone in parts
    )
    calm = "" if seen.problems else '<div class="notice" role="status">Nothing needs your attention.</div>'
    return Html(
        f'<div class="tiles">{tiles}</div>{calm}{banner(seen.problems)}'
        f"<h2>Readers of the log</h2>{_readers(seen.readers, seen.warehouses)}"
    )


def _state(is_bad: bool, word: str = "unavailable") -> tuple[str, Tone]:
    return (word, "bad") if is_bad else ("ok", "good")


def _readers(readers: Sequence[ReaderOverview], warehouses: Sequence[WarehouseOverview]) -> Html:
    names = {f"warehouse:{one.id}": (one.name, "loads events into the tables of a warehouse") for one in warehouses}
    most = max((one.records for one in readers), default=0)
    rows = [
        (
            _reader(*(names.get(one.reader) or _WORDS.get(one.reader, (one.reader, "")))),
            _oldest(one.oldest_seconds),
            count(one.records),
            Html(f'<meter class="lag" min="0" max="{max(1, most)}" value="{one.records}"></meter>'),
            one.stream,
        )
        for one in readers
    ]
    return table_html(("Reader", "Oldest waits for", "Records", "Behind", "Stream"), rows, right=(2,), label="Readers")


def _reader(name: str, what: str) -> Html:
    return Html(f'<div class="reader">{safe(name)}</div><div class="soft">{safe(what)}</div>')


def _oldest(seconds: float | None) -> Html:
    if seconds is None:
        return chip("up to date", "good")
    return chip(span(seconds) if seconds >= 1 else "under 1 s", "warn" if seconds > _LATE_SECONDS else "")
