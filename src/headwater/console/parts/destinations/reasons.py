"""Why events were filtered, wait or failed at a destination: a line for each reason, which opens to samples (8.3)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from nicegui import ui

from headwater.console.parts.events.rows import trace_path
from headwater.console.parts.figures import ago_html, count, percent
from headwater.console.parts.patched import Patched
from headwater.console.parts.pieces import Html, Tone, attempt, chip, empty, html, link, pretty, safe
from headwater.console.person import Person
from headwater.manage.operations.failures import FailuresPage, ListFailures, list_failures
from headwater.manage.operations.ledger import ReasonCount
from headwater.manage.operations.parked import ListParkedDeliveries, ParkedPage, list_parked_deliveries
from headwater.spec.outcome import Step
from headwater.spec.wire import JSON

SAMPLES: Final = 10
"""How many samples a reason shows (8.3)."""

_STEPS: Final[dict[str, tuple[str, Tone]]] = {
    Step.FILTERED_AT_DESTINATION: ("filtered", ""),
    Step.PENDING: ("pending", "warn"),
    Step.FAILED_DELIVERY: ("failed", "bad"),
}


class Sample(msgspec.Struct, frozen=True):
    """One event that met a reason; the payload is absent where it was not kept."""

    message_id: str
    at: str
    detail: str
    payload: JSON = None


class Reasons:
    """The lines. Showing them again changes figures in place, so that a line that was opened stays open."""

    def __init__(self, person: Person, destination_id: str) -> None:
        self._person = person
        self._destination_id = destination_id
        self._lines: dict[tuple[str, str], tuple[Patched, ui.expansion]] = {}
        self._nothing = empty("Nothing was held back", "What is filtered, waits or fails shows here with its reason.")
        self._place = ui.element("div").classes("reasons")

    def show(self, reasons: Sequence[ReasonCount], steps: Mapping[str, int]) -> None:
        """Show these from now on; their shares are of all that matched."""
        whole = steps.get(Step.MATCHED, 0)
        there = {(one.step, one.reason): one for one in reasons if one.events > 0}
        self._nothing.set_visibility(not there)
        self._place.set_visibility(bool(there))
        for key, one in there.items():
            if key not in self._lines:
                with self._place:
                    self._lines[key] = self._line(one)
            self._lines[key][0].show(_line(one, whole))
        for key, (_, line) in self._lines.items():
            line.set_visibility(key in there)

    def _line(self, reason: ReasonCount) -> tuple[Patched, ui.expansion]:
        line = ui.expansion().props("dense").classes("reason")
        line.props["toggle-aria-label"] = f"Samples of {reason.reason}"
        with line.add_slot("header"):
            shown = Patched()
        with line:
            place = ui.element("div").classes("samples")

        async def opened() -> None:
            if line.value:
                found = await samples(self._person, self._destination_id, reason.step, reason.reason)
                place.clear()
                with place:
                    html(_samples(found, int(time.time() * 1000), self._person.zone))

        line.on_value_change(attempt(opened))
        return shown, line


async def samples(person: Person, destination_id: str, step: str, reason: str) -> list[Sample]:
    """The newest events that met a reason at a destination, as far as they are kept."""
    if step == Step.FILTERED_AT_DESTINATION:
        filtered = await person.ask(
            list_failures,
            ListFailures(
                destination_id=destination_id, step=step, reason=reason, pagination=FailuresPage(count=SAMPLES)
            ),
        )
        return [Sample(one.message_id, one.at, one.detail, one.payload) for one in filtered.failures]
    held = await person.ask(
        list_parked_deliveries,
        ListParkedDeliveries(
            destination_id=destination_id,
            state="waiting" if step == Step.PENDING else "failed",
            reason=reason,
            pagination=ParkedPage(count=SAMPLES),
        ),
    )
    return [Sample(one.message_id, one.parked_at, one.detail, one.event) for one in held.deliveries]


def _line(reason: ReasonCount, whole: int) -> Html:
    word, tone = _STEPS.get(reason.step, (reason.step, ""))
    return Html(
        f"<div class='reason-line'>{chip(word, tone)}<code>{safe(reason.reason)}</code>"
        f'<span class="soft">{safe(reason.meaning)}</span>'
        f'<b class="number">{count(reason.events)}</b>'
        f'<small class="number">{percent(reason.events, whole)}</small></div>'
    )


def _samples(found: Sequence[Sample], now: int, zone: str) -> Html:
    if not found:
        return Html('<p class="soft">No samples are kept of these any more.</p>')
    return Html("".join(_sample(one, now, zone) for one in found))


def _sample(one: Sample, now: int, zone: str) -> str:
    detail = f"<code>{safe(one.detail)}</code>" if one.detail else ""
    trace = link(one.message_id, trace_path(one.message_id)) if one.message_id else safe("no messageId")
    payload = pretty(one.payload) if one.payload is not None else ""
    return (
        f'<details><summary><span class="mono">{trace}</span> <span class="soft">{ago_html(one.at, now, zone)}</span> '
        f"{detail}</summary>{payload or '<p class=soft>The event itself is shown on its trace.</p>'}</details>"
    )
