"""What became of a request: counts and notes for its chunks, rows and changes for the store.

`Books` does the writing down for one lane: it turns verdicts into fates and tells the chunks and the backlog. It holds
no event itself, and decides nothing about the destination.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from headwater.deliver.fates import (
    Fate,
    attempted,
    back_off,
    change,
    fate,
    item_note,
    parked_row,
    row_note,
    without_secrets,
)
from headwater.deliver.redact import forms, sample_request, sample_response
from headwater.deliver.samples import Samples
from headwater.spec.outcome import AttemptNote, Step
from headwater.store.parked import STEPS, Change, ParkedDelivery

if TYPE_CHECKING:
    from headwater.deliver.attempt import Attempted
    from headwater.deliver.backlog import Backlog
    from headwater.deliver.classify import Verdict
    from headwater.deliver.passage import Piece, Portion
    from headwater.deliver.plan import LanePlan
    from headwater.deliver.tally import Tally
    from headwater.deliver.ways import Way
    from headwater.spec.destination import Item
    from headwater.spec.settings import DeliverSettings


class Work(msgspec.Struct, frozen=True):
    """What one request carries: pieces of live portions, or rows that came back from the store.

    `started` is an instant of the monotonic clock.
    """

    plan: LanePlan
    way: Way
    started: float
    items: list[Item]
    pieces: list[Piece] = []
    rows: list[ParkedDelivery] = []


class Books:
    """The writing down for one destination. `at` is an instant in milliseconds since 1970 everywhere."""

    def __init__(self, backlog: Backlog, settings: DeliverSettings, tally: Tally, samples: Samples) -> None:
        """`samples` is the budget of all destinations."""
        self._backlog = backlog
        self._tally = tally
        self._settings = settings
        self._samples = Samples(samples)

    def park(
        self, plan: LanePlan, portion: Portion, items: Sequence[Item], fate: Fate, at: int
    ) -> list[ParkedDelivery]:
        """Park live events that were not tried, or not to the end."""
        passage = portion.passage
        rows = [
            parked_row(
                item,
                destination_id=plan.destination.id,
                subscription_id=portion.way_id,
                source_id=portion.source_id,
                partition=passage.partition,
                fate=fate,
                at=at,
                horizon_ms=plan.horizon_ms,
            )
            for item in items
        ]
        self._keep(portion, rows)
        return rows

    def give_up(
        self, plan: LanePlan, rows: Sequence[ParkedDelivery], why: Callable[[str], Fate | None], at: int
    ) -> None:
        """End deliveries that came back and whose way is gone, each as `why` says of its way."""
        changes: list[Change] = []
        for row in rows:
            if (end := why(row.subscription_id)) is not None:
                end_of_row = Change(id=row.id, state=end.state, reason=end.reason, at=at, detail=end.detail)
                changes.append(msgspec.structs.replace(end_of_row, claimed=row.due_at))
                self._tally.add(plan.destination.id, STEPS[end.state], end.reason, 1)
        self._backlog.settle(changes)

    def settle(self, work: Work, tried: Attempted, at: int) -> None:
        """Write down what became of everything that a request carried."""
        hidden = work.plan.hidden
        if tried.request is not None and (tried.verdict.step is not Step.DELIVERED or tried.verdict.items):
            hidden = (*forms(tried.request.secrets), *hidden)
        verdict = without_secrets(tried.verdict, hidden)
        note = self._note(work, tried, verdict, at)
        if work.rows:
            self._change(work.plan, work.rows, 0, verdict, note, at)
        offset = 0
        for piece in work.pieces:
            piece.portion.pieces.remove(piece)
            if piece.rows:
                self._change(work.plan, piece.rows, offset, verdict, note, at)
            else:
                self._settle_piece(work, piece, offset, verdict, note, at)
            offset += piece.stop - piece.start

    def _settle_piece(
        self, work: Work, piece: Piece, offset: int, verdict: Verdict, note: AttemptNote, at: int
    ) -> None:
        portion, items = piece.portion, work.items if len(work.pieces) == 1 else piece.items
        portion.passage.notes.append(note if offset == 0 else _further_note(note, items))
        if verdict.step is Step.DELIVERED and not verdict.items:
            self._delivered(work.plan, portion, items, at)
            return
        left: dict[int, Item] = {}
        taken: list[Item] = []
        for index, item in enumerate(items, offset):
            if verdict.of(index).step is Step.DELIVERED:
                taken.append(item)
            else:
                left[index] = item
        self._delivered(work.plan, portion, taken, at)
        if left:
            self._park_tried(work.plan, portion, left, verdict, note, at)

    def _delivered(self, plan: LanePlan, portion: Portion, items: Sequence[Item], at: int) -> None:
        if items:
            portion.passage.delivered(portion.source_id, plan.destination.id, at, items, way_id=portion.way_id)
            portion.passage.end(len(items))

    def _park_tried(
        self, plan: LanePlan, portion: Portion, items: dict[int, Item], verdict: Verdict, note: AttemptNote, at: int
    ) -> None:
        """Park live events whose first attempt did not deliver them."""
        kept = row_note(note)
        rows: list[ParkedDelivery] = []
        for index, item in items.items():
            wait = back_off(self._settings, 1, random.random())  # noqa: S311 - spreads retries, no secret
            end = fate(verdict, index, attempts=1, at=at, expires_at=at + plan.horizon_ms, wait=wait)
            row = parked_row(
                item,
                destination_id=plan.destination.id,
                subscription_id=portion.way_id,
                source_id=portion.source_id,
                partition=portion.passage.partition,
                fate=end,
                at=at,
                horizon_ms=plan.horizon_ms,
            )
            rows.append(attempted(row, item_note(kept, verdict, index)))
        self._keep(portion, rows)

    def _keep(self, portion: Portion, rows: list[ParkedDelivery]) -> None:
        passage = portion.passage
        passage.mark = self._backlog.park(rows, epoch=passage.epoch)
        for row in rows:
            passage.count(
                row.source_id,
                row.destination_id,
                row.parked_at,
                Step.PENDING,
                row.parked_reason,
                events=1,
                way_id=row.subscription_id,
            )
            if row.state != "waiting":
                self._tally.add(row.destination_id, STEPS[row.state], row.reason, 1)
        passage.end(len(rows))

    def _change(
        self,
        plan: LanePlan,
        rows: Sequence[ParkedDelivery],
        offset: int,
        verdict: Verdict,
        note: AttemptNote,
        at: int,
    ) -> None:
        kept = row_note(note)
        changes: list[Change] = []
        for index, row in enumerate(rows, offset):
            attempts = row.attempts + 1
            # The horizon of a paused delivery begins with its first attempt: the pause was not the destination's.
            expires_at = at + plan.horizon_ms if row.reason == "PAUSED" else row.expires_at
            wait = back_off(self._settings, attempts, random.random())  # noqa: S311 - spreads retries, no secret
            end = fate(verdict, index, attempts=attempts, at=at, expires_at=expires_at, wait=wait)
            kept = kept if kept["attempt"] == attempts else {**kept, "attempt": attempts}
            changes.append(change(row, end, at=at, expires_at=expires_at, attempt=item_note(kept, verdict, index)))
        self._backlog.settle(changes)
        for each in changes:
            if each.state != "waiting":
                self._tally.add(plan.destination.id, STEPS[each.state], each.reason, 1)

    def _note(self, work: Work, tried: Attempted, verdict: Verdict, at: int) -> AttemptNote:
        """The note with the positions of the first chunk that the request touched."""
        took = int(tried.took * 1000)
        success = verdict.step is Step.DELIVERED and not verdict.items
        shown = self._samples.wanted(at / 1000, success=success)
        request, response = tried.request, tried.response
        return AttemptNote(
            work.plan.destination.id,
            _positions(work.pieces[0].items) if work.pieces else [],
            at - took,
            took,
            verdict.step,
            verdict.reason,
            verdict.status,
            verdict.detail,
            sample_request(request, work.plan.hidden) if shown and request is not None else "",
            sample_response(response, work.plan.hidden, request) if shown and response is not None else "",
            work.rows[0].attempts + 1 if work.rows else 1,
            work.way.id,
        )


def _further_note(note: AttemptNote, items: Sequence[Item]) -> AttemptNote:
    """The note with the positions of a further chunk; the sample stands in the first."""
    return msgspec.structs.replace(note, positions=_positions(items), request="", response="")


def _positions(items: Sequence[Item]) -> list[int]:
    """Where events of one chunk stand, which is mostly one after the other."""
    first, end = items[0].position, items[-1].position + 1
    return list(range(first, end)) if end - first == len(items) else [item.position for item in items]
