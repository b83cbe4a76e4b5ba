"""The figures of the overview as tiles and bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.console.parts.figures import duration, percent, short_count, span
from headwater.console.parts.flow import Share, Stage
from headwater.console.parts.pieces import Html, Tone, link, safe
from headwater.manage.operations.overview import DestinationOverview, GetOverviewAnswer, ReaderOverview

MOST_STAGES = 8
_LATE_SECONDS = 60.0


def overview_tiles(seen: GetOverviewAnswer, minutes: int) -> Html:
    """The large figures: what came, what went out, what did not, what waits, and how old it is by then."""
    totals = seen.totals
    failed = totals.failed_on_ingest + totals.failed_delivery
    due = totals.delivered + totals.failed_delivery
    slowest = slowest_delivery(seen.destinations)
    fresh, where = freshness(seen.readers)
    figures: list[tuple[str, str, str, Tone]] = [
        ("Events in", short_count(totals.received), rate(totals.received, minutes), ""),
        (
            "Delivered",
            short_count(totals.delivered),
            f"{percent(totals.delivered, due)} succeeded" if due else "none was due",
            "",
        ),
        (
            "Failed",
            short_count(failed),
            f"{short_count(totals.failed_on_ingest)} in, {short_count(totals.failed_delivery)} out",
            "bad" if failed else "",
        ),
        ("Waiting", short_count(totals.pending), "deliveries to come", "warn" if totals.pending else ""),
        ("p99 of delivery", duration(slowest.p99 if slowest else None), slowest.name if slowest else "no delivery", ""),
        ("Freshness", fresh, where, "warn" if fresh.endswith("behind") else ""),
    ]
    tiles = "".join(
        f'<div class="tile"><span>{safe(what)}</span><b class="{tone}">{safe(figure)}</b>'
        f'<small class="soft" title="{safe(more)}">{safe(more)}</small></div>'
        for what, figure, more, tone in figures
    )
    return Html(f'<div class="tiles">{tiles}</div>')


def rate(events: int, minutes: int) -> str:
    """How often something happened, in the unit that reads best."""
    for unit, per in (("second", minutes * 60), ("minute", minutes), ("hour", minutes / 60)):
        if events >= per:
            return f"{events / per:,.1f} a {unit}" if events < 100 * per else f"{events / per:,.0f} a {unit}"
    return "less than one an hour" if events else "none"


def slowest_delivery(destinations: Sequence[DestinationOverview]) -> DestinationOverview | None:
    """The destination with the greatest p99; None when nothing was delivered."""
    return max((one for one in destinations if one.p99 is not None), key=lambda one: one.p99 or 0, default=None)


def freshness(readers: Sequence[ReaderOverview]) -> tuple[str, str]:
    """How far behind the flow is: the age of the oldest record that waits, in words, and for whom it waits."""
    waiting = [one for one in readers if one.oldest_seconds is not None]
    oldest = max(waiting, key=lambda one: one.oldest_seconds or 0, default=None)
    if oldest is None or oldest.oldest_seconds is None:
        return "up to date", "nothing waits"
    name = "a warehouse" if oldest.reader.startswith("warehouse:") else f"the {oldest.reader}"
    words = span(oldest.oldest_seconds) if oldest.oldest_seconds >= 1 else "under 1 s"
    late = " behind" if oldest.oldest_seconds > _LATE_SECONDS else ""
    return f"{words}{late}", f"waits for {name}"


def stages(seen: GetOverviewAnswer) -> list[Stage]:
    """What came to the sources, and then to the destinations: those in trouble and the largest, at most eight."""
    totals = seen.totals
    first = Stage(
        "All sources",
        "received",
        totals.received,
        [
            Share("processed", totals.processed, "accent", anchor=True),
            Share("filtered", totals.filtered_at_source, ""),
            Share("duplicate", totals.duplicate, ""),
            Share("failed on ingest", totals.failed_on_ingest, "bad"),
        ],
    )
    active = [one for one in seen.destinations if one.matched or one.pending or one.delivered or one.failed]
    active.sort(key=lambda one: (-one.failed, -one.pending, -one.matched, one.name))
    return [first, *(_at(one) for one in active[:MOST_STAGES])]


def hidden_stages(seen: GetOverviewAnswer) -> int:
    """How many destinations that had events are not among the stages."""
    active = sum(1 for one in seen.destinations if one.matched or one.pending or one.delivered or one.failed)
    return max(0, active - MOST_STAGES)


def _at(one: DestinationOverview) -> Stage:
    return Stage(
        link(one.name, f"/destinations/{one.id}"),
        "matched",
        one.matched,
        [
            Share("delivered", one.delivered, "good", anchor=True),
            Share("filtered", one.filtered, ""),
            Share("waiting", one.pending, "warn"),
            Share("failed", one.failed, "bad"),
        ],
    )
