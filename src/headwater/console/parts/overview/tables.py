"""The sources, destinations and warehouses of the overview as tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.console.parts.destinations.state import state_chip, state_of
from headwater.console.parts.figures import ago_html, count, duration
from headwater.console.parts.pieces import Html, chip, link, safe, table_html
from headwater.manage.operations.overview import DestinationOverview, LastLoad, SourceOverview, WarehouseOverview

MOST_ROWS = 10
"""So many sources, and so many destinations, are shown; their own pages have all."""


def sources_table(sources: Sequence[SourceOverview], now: int, zone: str) -> Html:
    """Sources: what they sent, what of it failed, and when they did last; the busiest of them."""
    shown = sorted(sources, key=lambda one: (-one.received, one.name))[:MOST_ROWS]
    rows = [
        (
            _named(one.name, f"/sources/{one.id}", "" if one.enabled else "switched off"),
            count(one.received),
            count(one.filtered + one.duplicate),
            _alarming(one.failed_on_ingest, "bad"),
            Html(ago_html(one.last_received_at, now, zone)),
        )
        for one in shown
    ]
    heads = ("Source", "Events in", "Filtered, duplicate", "Failed", "Last received")
    table = table_html(heads, rows, right=(1, 2, 3, 4), label="Sources")
    return Html(table + _rest(len(sources), "sources"))


def destinations_table(destinations: Sequence[DestinationOverview], now: int, zone: str) -> Html:
    """Destinations: their state, what became of the events, how long it took, and what went wrong last.

    Those in trouble come first, then the busiest.
    """
    shown = sorted(destinations, key=lambda one: (state_of(one)[1] != "bad", -one.failed, -one.matched, one.name))
    rows = [
        (
            _named(one.name, f"/destinations/{one.id}", ""),
            state_chip(one),
            count(one.delivered),
            _alarming(one.failed, "bad"),
            _alarming(one.pending, "warn"),
            Html(f'<span class="nowrap">{duration(one.p50)} / {duration(one.p99)}</span>'),
            Html(ago_html(one.last_delivered_at, now, zone)),
            _last_failure(one, now, zone),
        )
        for one in shown[:MOST_ROWS]
    ]
    heads = ("Destination", "State", "Delivered", "Failed", "Waiting", "p50 / p99", "Last delivered", "Last failure")
    table = table_html(heads, rows, right=(2, 3, 4, 5, 6), label="Destinations")
    return Html(table + _rest(len(destinations), "destinations"))


def warehouses_table(warehouses: Sequence[WarehouseOverview], now: int, zone: str) -> Html:
    """Warehouses: how the last load went, and how many events are not in them yet."""
    rows = [
        (
            _named(one.name, f"/warehouse/{one.id}", "" if one.enabled else "switched off"),
            one.engine,
            _load(one.last_load),
            count(one.last_load.rows) if one.last_load else "–",
            Html(ago_html(one.last_load.at, now, zone)) if one.last_load else "never",
            _alarming(one.lag, ""),
        )
        for one in warehouses
    ]
    heads = ("Warehouse", "Engine", "Last load", "Rows", "When", "Not loaded yet")
    return table_html(heads, rows, right=(3, 4, 5), label="Warehouses")


def _rest(number: int, what: str) -> str:
    return f'<p class="rest">{link(f"All {number} {what}", f"/{what}")}</p>' if number > MOST_ROWS else ""


def _named(name: str, path: str, mark: str) -> Html:
    return Html(
        f'<div class="clipped" title="{safe(name)}">{link(name, path)} {chip(mark, "warn") if mark else ""}</div>'
    )


def _alarming(events: int, tone: str) -> Html:
    return Html(f'<span class="{tone if events else "soft"}">{count(events)}</span>')


def _last_failure(one: DestinationOverview, now: int, zone: str) -> Html:
    failure = one.last_failure
    if failure is None:
        return Html('<span class="soft">none</span>')
    more = f"{failure.reason}: {failure.meaning}"
    ago = ago_html(failure.at, now, zone)
    return Html(f'<div class="clipped" title="{safe(more)}">{ago} · {safe(failure.meaning or failure.reason)}</div>')


def _load(load: LastLoad | None) -> Html:
    if load is None:
        return chip("none yet")
    tones = {"success": "good", "partial": "warn", "failure": "bad"}
    word = chip(load.state, tones.get(load.state, ""))  # pyright: ignore[reportArgumentType] - tones are tones
    said = load.notices[0] if load.notices else ""
    return Html(f'{word} <span class="soft" title="{safe(said)}">{safe(said[:60])}</span>' if said else word)
