"""Sending failed deliveries again: how many, whether that is meant, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from nicegui import ui

from headwater.console.parts.destinations.funnel import sums
from headwater.console.parts.figures import count
from headwater.console.parts.pieces import attempt
from headwater.console.person import Person
from headwater.manage.operations.ledger import GetLedger, get_ledger
from headwater.manage.operations.parked import RedriveDeliveries, redrive_deliveries
from headwater.spec.outcome import Step
from headwater.spec.timestamps import format_moment

_MINUTE: Final = 60_000
_LOOKS: Final = 60
After = Callable[[], Awaitable[None]]


async def redrive_some(
    person: Person, destination_id: str, ids: Sequence[str], *, place: ui.element, after: After
) -> None:
    """Send these again, and show in `place` how that goes."""
    wanted = RedriveDeliveries(destination_id=destination_id, ids=list(ids))
    await _redrive(person, wanted, place, after)


async def redrive_all(person: Person, destination_id: str, reason: str, *, place: ui.element, after: After) -> None:
    """Ask whether all that failed (for a reason, unless empty) are meant, with their number, and send them again."""
    wanted = RedriveDeliveries(destination_id=destination_id, reason=reason, dry_run=True)
    found = (await person.ask(redrive_deliveries, wanted)).deliveries
    with ui.dialog(value=True) as dialog, ui.card():
        dialog.on("hide", dialog.delete)
        about = f" that failed with {reason}" if reason else " that failed"
        ui.label(f"Send {count(found)} deliveries{about} again?")
        ui.label("They are tried at once, at the destination's pace.").classes("soft")
        with ui.element("div").classes("row-line"):
            ui.button("Send again", on_click=lambda: dialog.submit(True)).set_enabled(found > 0)
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
    if await dialog:
        await _redrive(person, RedriveDeliveries(destination_id=destination_id, reason=reason), place, after)


async def _redrive(person: Person, wanted: RedriveDeliveries, place: ui.element, after: After) -> None:
    since = format_moment(int(time.time() * 1000) // _MINUTE * _MINUTE)
    before = await _books(person, wanted.destination_id, since)
    moved = (await person.ask(redrive_deliveries, wanted)).deliveries
    ui.notify(f"{count(moved)} deliveries are sent again.", type="positive")
    await after()
    if not moved:
        return
    place.clear()
    with place:
        said = ui.label().props("role=status")
        bar = ui.linear_progress(value=0, show_value=False).props("instant-feedback rounded")
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        now = await _books(person, wanted.destination_id, since)
        delivered, failed, waiting = became(moved, before, now)
        bar.set_value((delivered + failed) / moved)
        said.set_text(
            f"Of {count(moved)} sent again: {count(delivered)} delivered, {count(failed)} failed, "
            f"{count(waiting)} waiting."
        )
        if not waiting or looks >= _LOOKS:
            timer.cancel()
            await after()

    with place:
        timer = ui.timer(1.0, attempt(look))


def became(moved: int, before: Mapping[str, int], now: Mapping[str, int]) -> tuple[int, int, int]:
    """How many of those sent again were delivered, failed and wait, by the books since then. Pure.

    What is sent again waits first, and is counted where it waits; new events of the same minute may blur this a little.
    """
    waiting = min(moved, max(0, now.get(Step.PENDING, 0)))
    delivered = min(moved - waiting, max(0, now.get(Step.DELIVERED, 0) - before.get(Step.DELIVERED, 0)))
    return delivered, moved - waiting - delivered, waiting


async def _books(person: Person, destination_id: str, since: str) -> dict[str, int]:
    answer = await person.ask(get_ledger, GetLedger(start_time=since, destination_id=destination_id))
    return sums(answer.accounts)
