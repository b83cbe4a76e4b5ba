"""The books as a series over time, for charts. Headwater's own, in the steps of Segment's Delivery Overview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.problems import invalid
from headwater.manage.spans import moment
from headwater.spec.outcome import Step
from headwater.spec.timestamps import format_moment
from headwater.store import ledger

_MINUTE: Final = 60_000
_DAY: Final = 24 * 60
_MANY: Final = 120
_MOST: Final = 2_000
Granularity = Literal["MINUTE", "FIVE_MINUTES", "HOUR", "DAY"]
WIDTHS: Final[dict[Granularity, int]] = {"MINUTE": 1, "FIVE_MINUTES": 5, "HOUR": 60, "DAY": _DAY}
"""Each granularity in minutes."""

SOURCE_STEPS: Final = (
    Step.RECEIVED,
    Step.FAILED_ON_INGEST,
    Step.DUPLICATE,
    Step.FILTERED_AT_SOURCE,
    Step.PROCESSED,
)
DESTINATION_STEPS: Final = (
    Step.MATCHED,
    Step.FILTERED_AT_DESTINATION,
    Step.DELIVERED,
    Step.FAILED_DELIVERY,
    Step.PENDING,
)


class GetLedgerSeries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of the books, in intervals of which length. Intervals begin at full minutes, hours or days (UTC)."""

    start_time: Annotated[str | None, Meta(description="The first moment (ISO 8601); 24 hours ago unless given.")] = (
        None
    )
    end_time: Annotated[str | None, Meta(description="The moment after the last; now unless given.")] = None
    granularity: Annotated[
        Granularity | None,
        Meta(description="MINUTE, FIVE_MINUTES, HOUR or DAY; unless given, the finest with at most 120 points."),
    ] = None
    source_id: Annotated[str | None, Meta(description="Only events of this source.")] = None
    destination_id: Annotated[
        str | None, Meta(description="The steps at this destination; without it, the steps at the sources.")
    ] = None
    subscription_id: Annotated[
        str, Meta(description="Only deliveries of this subscription; what a filter kept back is of none.")
    ] = ""
    side: Annotated[
        Literal["sources", "destinations"] | None,
        Meta(description="`destinations` gives the steps at all destinations together, when none is named."),
    ] = None


class SeriesPoint(Shape, frozen=True, kw_only=True):
    """The events of one interval, which begins at `time`, by step; every step of the side is there, be it 0."""

    time: str
    steps: dict[str, int]


class GetLedgerSeriesAnswer(Shape, frozen=True, kw_only=True):
    """One point an interval, oldest first, without gaps.

    `side` says whose steps they are: `sources` (received, processed, ...) or `destinations` (matched, delivered, ...).
    """

    side: Literal["sources", "destinations"]
    start_time: str
    end_time: str
    granularity: Granularity
    points: list[SeriesPoint]


@operation("GET", "/headwater/ledger/series", scope="ledger:read", tag="Ledger")
async def get_ledger_series(desk: Desk, request: GetLedgerSeries) -> GetLedgerSeriesAnswer:
    """Show how many events met which outcome in each minute, hour or day."""
    until = moment("endTime", request.end_time, desk.now)
    since = moment("startTime", request.start_time, until - _DAY * _MINUTE)
    if since > until:
        raise invalid("startTime", '"startTime" must not be after "endTime"')
    granularity = request.granularity or finest(since, until)
    width = WIDTHS[granularity]
    first, end = since // _MINUTE // width * width, -(-until // (_MINUTE * width)) * width
    if (end - first) // width > _MOST:
        raise invalid("granularity", f'"granularity" is too fine for this span: it would take more than {_MOST} points')
    at_destinations = bool(request.destination_id) or request.side == "destinations"
    found = await desk.store.read(
        lambda connection: ledger.series(
            connection,
            width=width,
            since_minute=first,
            until_minute=end,
            source_id=request.source_id or "",
            destination_id=request.destination_id or (None if at_destinations else ""),
            subscription_id=request.subscription_id,
        )
    )
    steps = DESTINATION_STEPS if at_destinations else SOURCE_STEPS
    return GetLedgerSeriesAnswer(
        side="destinations" if at_destinations else "sources",
        start_time=format_moment(first * _MINUTE),
        end_time=format_moment(end * _MINUTE),
        granularity=granularity,
        points=[_point(minute, found.get(minute, {}), steps) for minute in range(first, end, width)],
    )


def finest(since: int, until: int) -> Granularity:
    """The finest granularity with which a span (milliseconds) takes at most 120 points."""
    for granularity, width in WIDTHS.items():
        if (until - since) <= _MANY * width * _MINUTE:
            return granularity
    return "DAY"


def _point(minute: int, events: Mapping[str, int], steps: tuple[Step, ...]) -> SeriesPoint:
    return SeriesPoint(time=format_moment(minute * _MINUTE), steps={step: events.get(step, 0) for step in steps})
