"""The books: what became of the events of a time. Headwater's own, in the steps of Segment's Delivery Overview."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.failures import meaning
from headwater.manage.problems import invalid
from headwater.manage.spans import moment
from headwater.spec.outcome import Count, Step
from headwater.spec.timestamps import format_moment
from headwater.store import ledger

_DAY = 24 * 3_600_000
_MINUTE = 60_000
_MAX_MINUTE = 2**52


class GetLedger(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of the books. Counts stand in the minute in which the event met its outcome."""

    start_time: Annotated[str | None, Meta(description="The first minute (ISO 8601); 24 hours ago unless given.")] = (
        None
    )
    end_time: Annotated[str | None, Meta(description="The minute after the last; now unless given.")] = None
    source_id: Annotated[str | None, Meta(description="Only this source.")] = None
    destination_id: Annotated[str | None, Meta(description="Only this destination.")] = None
    subscription_id: Annotated[
        str, Meta(description="Only deliveries of this subscription; what a filter kept back is of none.")
    ] = ""


class ReasonCount(Shape, frozen=True, kw_only=True):
    """How many events met a step for a reason, and what the reason means."""

    step: str
    reason: str
    meaning: str
    events: int


class Account(Shape, frozen=True, kw_only=True):
    """The books of a source (`destinationId` empty) or of a destination and source.

    `steps` are sums by step; `open` is how many events have no known outcome: 0 when the books balance.
    """

    source_id: str
    destination_id: str
    steps: dict[str, int]
    reasons: list[ReasonCount]
    balanced: bool
    open: int


class GetLedgerAnswer(Shape, frozen=True, kw_only=True):
    """The accounts, those of sources first. A step of an event may fall into the minute after the span."""

    start_time: str
    end_time: str
    accounts: list[Account]
    balanced: bool


@operation("GET", "/headwater/ledger", scope="ledger:read", tag="Ledger")
async def get_ledger(desk: Desk, request: GetLedger) -> GetLedgerAnswer:
    """Show how many events met which outcome, and whether the books balance."""
    until = moment("endTime", request.end_time, desk.now + _MINUTE)
    since = moment("startTime", request.start_time, until - _DAY)
    if since > until:
        raise invalid("startTime", '"startTime" must not be after "endTime"')
    counts = await desk.store.read(
        lambda connection: ledger.totals(
            connection,
            since_minute=since // _MINUTE,
            until_minute=min(-(-until // _MINUTE), _MAX_MINUTE),
            source_id=request.source_id,
            destination_id=request.destination_id,
            subscription_id=request.subscription_id,
        )
    )
    accounts = accounts_of(counts)
    return GetLedgerAnswer(
        start_time=format_moment(since),
        end_time=format_moment(until),
        accounts=accounts,
        balanced=all(one.balanced for one in accounts),
    )


def accounts_of(counts: Iterable[Count]) -> list[Account]:
    """Counts as accounts, sources first."""
    by_key: dict[tuple[str, str], list[Count]] = {}
    for count in counts:
        by_key.setdefault((count.destination_id, count.source_id), []).append(count)
    order = sorted(by_key)
    return [
        _account(source_id, destination_id, by_key[destination_id, source_id]) for destination_id, source_id in order
    ]


def _account(source_id: str, destination_id: str, counts: list[Count]) -> Account:
    steps: dict[str, int] = {}
    for count in counts:
        steps[count.step] = steps.get(count.step, 0) + count.events
    came = steps.get(Step.MATCHED if destination_id else Step.RECEIVED, 0)
    left = sum(events for step, events in steps.items() if step not in (Step.MATCHED, Step.RECEIVED))
    return Account(
        source_id=source_id,
        destination_id=destination_id,
        steps=steps,
        reasons=[
            ReasonCount(step=one.step, reason=one.reason, meaning=meaning(one.step, one.reason), events=one.events)
            for one in sorted(counts, key=lambda one: (-one.events, one.step, one.reason))
            if one.reason
        ],
        balanced=came == left,
        open=came - left,
    )
