"""The destinations that are connected: how each does, live."""

from __future__ import annotations

import time

from nicegui import ui

from headwater.console.frame import Entry, page
from headwater.console.parts.destinations.state import state_chip, state_of
from headwater.console.parts.figures import ago_html, count, duration, short_count
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, attempt, empty, html, link, notice, safe, table_html
from headwater.console.parts.polling import poll
from headwater.console.parts.stylesheet import use_styles
from headwater.console.person import Person
from headwater.manage.operations.overview import DestinationOverview, GetOverview, get_overview

_FEW = 8
_LINE = """\
headwater create-destination --source-id first_source --metadata-id webhook --settings url=https://example.com/hook"""
_HEADS = ("Destination", "State", "Delivered", "Failed", "Pending", "p99", "Last delivered")


@page("/destinations", title="Destinations", scope="destinations:read", menu=Entry("output", 40, key="d"))
async def destinations(person: Person) -> None:
    use_styles("delivery.css")
    with ui.element("div").classes("row-line"):
        html('<span class="soft">Delivered, failed and p99 are of the last hour; pending is what waits now.</span>')
        ui.element("div").classes("grow")
        if person.may("destinations:write"):
            html('<a class="action" href="/console/destinations/catalog">Connect a destination</a>')
    if not person.may("ledger:read"):
        notice("The figures need the scope ledger:read, which you do not have.", tone="warning")
        return
    found = (await person.ask(get_overview, GetOverview())).destinations
    if not found:
        empty(
            "Nothing is connected yet", "Choose from the catalogue where your events should go, or say it here:", _LINE
        )
        return
    text = ui.input(placeholder=f"Search {len(found)} destinations").classes("search")
    text.props('outlined dense clearable debounce=120 type=search aria-label="Search"')
    text.set_visibility(len(found) > _FEW)
    shown = Patched(_rows(found, person.zone))

    async def look() -> None:
        fresh = (await person.ask(get_overview, GetOverview())).destinations
        shown.show(_rows(fitting(fresh, text.value or ""), person.zone))

    text.on_value_change(attempt(look))
    poll(5.0, look)


def fitting(found: list[DestinationOverview], text: str) -> list[DestinationOverview]:
    """Those that hold every word of the text in their name, kind, source or state. Pure."""
    words = text.casefold().split()
    return [one for one in found if all(word in _searched(one) for word in words)]


def _searched(one: DestinationOverview) -> str:
    return " ".join((one.name, one.definition, one.source_name, state_of(one)[0])).casefold()


def _rows(found: list[DestinationOverview], zone: str) -> Html:
    now = int(time.time() * 1000)
    return table_html(
        _HEADS, (_row(one, now, zone) for one in found), right=(2, 3, 4, 5), label="Connected destinations"
    )


def _row(one: DestinationOverview, now: int, zone: str) -> list[object]:
    source = link(one.source_name or one.source_id, f"/sources/{one.source_id}")
    name = link(one.name, f"/destinations/{one.id}")
    return [
        Html(f'<div class="named">{name}<small>{safe(one.definition)} · {source}</small></div>'),
        state_chip(one),
        _number(one.delivered),
        _number(one.failed, "bad"),
        _number(one.pending, "warn"),
        duration(one.p99),
        Html(f'<span class="nowrap">{ago_html(one.last_delivered_at, now, zone)}</span>'),
    ]


def _number(events: int, tone: str = "") -> Html:
    shade = tone if events else ""
    return Html(f'<span class="{shade}" title="{count(events)}">{short_count(events)}</span>')
