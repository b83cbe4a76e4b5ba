"""Sending failed deliveries again: how many, whether that is meant, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
from nicegui import ui

from headwater.console.parts.destinations.funnel import sums
from headwater.console.parts.figures import count, typed_moment
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
    question = _Question(person, RedriveDeliveries(destination_id=destination_id, reason=reason, dry_run=True))
    await question.count()
    if await question.dialog:
        wanted = msgspec.structs.replace(question.wanted, dry_run=False)
        await _redrive(person, wanted, place, after)


class _Question:
    """How many are sent again, of all or of those parked in a range of time, and whether that is meant."""

    def __init__(self, person: Person, wanted: RedriveDeliveries) -> None:
        self._person = person
        self.wanted = wanted
        with ui.dialog(value=True) as self.dialog, ui.card():
            self.dialog.on("hide", self.dialog.delete)
            self._asked = ui.label().props("role=status")
            with ui.element("div").classes("row-line"):
                self._from = ui.input("Parked from").props("outlined dense type=datetime-local stack-label")
                self._to = ui.input("until").props("outlined dense type=datetime-local stack-label")
            ui.label("They are tried at once, at the destination's pace. Times are UTC.").classes("soft")
            with ui.element("div").classes("row-line"):
                self._send = ui.button("Send again", on_click=lambda: self.dialog.submit(True))
                ui.button("Cancel", on_click=lambda: self.dialog.submit(False)).props("flat")
        for one in (self._from, self._to):
            one.on_value_change(attempt(self.count))

    async def count(self, _: object = None) -> None:
        """Show how many are meant as the range stands."""
        self._send.disable()
        start, end = typed_moment(self._from.value), typed_moment(self._to.value)
        wanted = self.wanted = msgspec.structs.replace(self.wanted, from_=start, to=end)
        found = (await self._person.ask(redrive_deliveries, wanted)).deliveries
        if wanted is not self.wanted:
            return
        self._asked.set_text(asked(found, wanted))
        self._send.set_enabled(found > 0)


def asked(found: int, wanted: RedriveDeliveries) -> str:
    """The question whether so many deliveries are meant, or that there are none. Pure."""
    about = f"that failed with {wanted.reason}" if wanted.reason else "that failed"
    if not found:
        ranged = wanted.from_ or wanted.to
        return f"No delivery {about} {'was parked in this time' if ranged else 'is left'}."
    return f"Send {deliveries(found)} {about} again?"


def deliveries(number: int) -> str:
    """So many deliveries, in words. Pure."""
    return "1 delivery" if number == 1 else f"{count(number)} deliveries"


async def redrive_whole(person: Person, wanted: RedriveDeliveries, told: Callable[[int, int], None]) -> int:
    """Have all of them tried again, with as many requests as that takes. Returns how many.

    `told` hears between two requests how many are tried again, and how many are left.
    """
    moved, until = 0, wanted.failed_until
    while True:
        answer = await person.ask(redrive_deliveries, msgspec.structs.replace(wanted, failed_until=until))
        moved, until = moved + answer.deliveries, answer.failed_until
        if not answer.remaining:
            return moved
        told(moved, answer.remaining)


async def _redrive(person: Person, wanted: RedriveDeliveries, place: ui.element, after: After) -> None:
    since = format_moment(int(time.time() * 1000) // _MINUTE * _MINUTE)
    before = await _books(person, wanted.destination_id, since)
    place.clear()
    with place:
        said = ui.label("They are taken up…").props("role=status")
        bar = ui.linear_progress(value=0, show_value=False).props("instant-feedback rounded")

    def told(moved: int, left: int) -> None:
        bar.set_value(moved / (moved + left))
        said.set_text(f"{deliveries(moved)} taken up, {count(left)} left.")

    moved = await redrive_whole(person, wanted, told)
    ui.notify(f"Sent again: {deliveries(moved)}.", type="positive")
    await after()
    if not moved:
        place.clear()
        return
    bar.set_value(0)
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
