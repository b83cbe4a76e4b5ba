"""From a verdict to what becomes of one delivery: delivered, failed for good, or tried again and when. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from headwater.deliver.backoff import wait_seconds
from headwater.deliver.classify import Verdict
from headwater.deliver.redact import cut, redact
from headwater.spec.destination import Item
from headwater.spec.outcome import AttemptNote, Step
from headwater.spec.settings import DeliverSettings
from headwater.store.parked import Change, ParkedDelivery, State, delivery_id

_ROW_SAMPLE_BYTES = 1_000
_DETAIL_BYTES = 500
_STATES: dict[Step, State] = {Step.DELIVERED: "delivered", Step.FAILED_DELIVERY: "failed", Step.PENDING: "waiting"}


class Fate(msgspec.Struct, frozen=True):
    """What becomes of a delivery; `due_at` counts while it waits."""

    state: State
    reason: str = ""
    detail: str = ""
    due_at: int = 0


def fate(verdict: Verdict, index: int, *, attempts: int, at: int, expires_at: int, wait: float) -> Fate:
    """The fate of the item at `index` of an attempt, its `attempts`-th, which ended at `at` (milliseconds).

    `wait` is the back-off in seconds. A time that the destination names counts instead, unless it is none: who says "at
    once" each time would be asked without a pause. The last try is at the horizon, and what fails then has expired.
    """
    verdict = verdict.of(index)
    if verdict.step is not Step.PENDING:
        return Fate(_STATES[verdict.step], verdict.reason, verdict.detail)
    if verdict.refused:
        return Fate("waiting", verdict.reason, verdict.detail, at)
    if verdict.final and attempts > 1:
        return Fate("failed", verdict.final, verdict.detail)
    if at >= expires_at:
        detail = f"{verdict.reason} after {attempts} attempts: {verdict.detail}"
        return Fate("failed", "EXPIRED", cut(detail, _DETAIL_BYTES))
    seconds = verdict.retry_after if verdict.retry_after else wait
    return Fate("waiting", verdict.reason, verdict.detail, min(at + int(seconds * 1000), expires_at))


def back_off(settings: DeliverSettings, attempts: int, chance: float) -> float:
    """The wait after so many attempts, in seconds."""
    return wait_seconds(
        attempts, first=settings.first_backoff_seconds, longest=settings.max_backoff_seconds, chance=chance
    )


def without_secrets(verdict: Verdict, hidden: tuple[str, ...]) -> Verdict:
    """The verdict with what the destination said made fit to show."""
    if not verdict.detail and not verdict.items:
        return verdict
    items = {index: without_secrets(own, hidden) for index, own in verdict.items.items()}
    return msgspec.structs.replace(verdict, detail=cut(redact(verdict.detail, hidden), _DETAIL_BYTES), items=items)


def row_note(note: AttemptNote) -> dict[str, Any]:
    """An attempt as a row keeps it: without positions, and with shorter samples."""
    shorter = msgspec.structs.replace(
        note,
        positions=[],
        request=cut(note.request, _ROW_SAMPLE_BYTES),
        response=cut(note.response, _ROW_SAMPLE_BYTES),
    )
    return msgspec.to_builtins(shorter) | {"attempt": note.attempt}


def parked_row(
    item: Item,
    *,
    destination_id: str,
    subscription_id: str,
    source_id: str,
    partition: int,
    fate: Fate,
    at: int,
    horizon_ms: int,
) -> ParkedDelivery:
    """The row of a live event that is parked at `at` (milliseconds), before any attempt is noted in it."""
    failed = fate.state == "failed"
    return ParkedDelivery(
        id=delivery_id(destination_id, partition, item.position, subscription_id=subscription_id),
        destination_id=destination_id,
        source_id=source_id,
        partition=partition,
        position=item.position,
        message_id=item.message_id,
        event_type=item.type,
        event_name=item.name,
        received_at=item.received_at,
        payload=item.body,
        state=fate.state,
        reason=fate.reason,
        counted_at=at,
        parked_reason="RETRY" if failed else fate.reason,
        detail=fate.detail,
        attempts=0,
        notes=[],
        parked_at=at,
        due_at=fate.due_at,
        expires_at=at + horizon_ms,
        ended_at=at if failed else None,
        subscription_id=subscription_id,
    )


def item_note(note: dict[str, Any], verdict: Verdict, index: int) -> dict[str, Any]:
    """The attempt as one item fared in it."""
    own = verdict.items.get(index)
    if own is None:
        return note
    return note | {"step": str(own.step), "reason": own.reason, "status": own.status, "detail": own.detail}


def attempted(row: ParkedDelivery, attempt: dict[str, Any]) -> ParkedDelivery:
    """The row with its first attempt noted."""
    return msgspec.structs.replace(row, attempts=1, notes=[attempt])


def change(row: ParkedDelivery, fate: Fate, *, at: int, expires_at: int, attempt: dict[str, Any]) -> Change:
    """The change of a row that an attempt led to."""
    return Change(
        id=row.id,
        state=fate.state,
        reason=fate.reason,
        at=at,
        detail=fate.detail,
        due_at=fate.due_at,
        expires_at=expires_at,
        attempt=attempt,
        claimed=row.due_at,
    )
