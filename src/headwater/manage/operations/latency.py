"""How long deliveries to a destination took, over time (contract: connections 8.5). Headwater's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.problems import invalid, missing
from headwater.manage.spans import moment
from headwater.spec.ages import quantile
from headwater.spec.timestamps import format_moment
from headwater.store import ages

_MINUTE: Final = 60_000
_DAY: Final = 24 * 60 * _MINUTE
_FINE: Final = 36 * 60 * _MINUTE
"""For how long the sums over five minutes are there, with some to spare."""

_MOST: Final = 2_000
Interval = Literal["FIVE_MINUTES", "HOUR"]
_WIDTHS: Final[dict[Interval, int]] = {"FIVE_MINUTES": 5, "HOUR": 60}


class GetDeliveryLatency(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination and a span of time, in intervals of five minutes or an hour."""

    destination_id: Annotated[str, Meta(description="The destination.")]
    start_time: Annotated[str | None, Meta(description="The first moment (ISO 8601); 24 hours ago unless given.")] = (
        None
    )
    end_time: Annotated[str | None, Meta(description="The moment after the last; now unless given.")] = None
    granularity: Annotated[
        Interval | None,
        Meta(description="FIVE_MINUTES (of the last 36 hours) or HOUR; unless given, the finest that the span allows."),
    ] = None


class LatencyPoint(Shape, frozen=True, kw_only=True):
    """The events delivered in one interval, which begins at `time`, and the ages in milliseconds that half of them,
    95 and 99 of a hundred did not exceed; null when there were none. An age is from an event's receipt to the
    destination's accept.
    """

    time: str
    events: int
    p50: float | None
    p95: float | None
    p99: float | None


class GetDeliveryLatencyAnswer(Shape, frozen=True, kw_only=True):
    """One point an interval, oldest first, without gaps; `whole` is the span as one."""

    granularity: Interval
    whole: LatencyPoint
    points: list[LatencyPoint]


@operation("GET", "/headwater/destinations/{destinationId}/latency", scope="ledger:read", tag="Ledger")
async def get_delivery_latency(desk: Desk, request: GetDeliveryLatency) -> GetDeliveryLatencyAnswer:
    """Show how long deliveries to a destination took, as percentiles over time."""
    workspace = await desk.workspace()
    if all(one.id != request.destination_id for one in workspace.destinations):
        raise missing("destination")
    until = moment("endTime", request.end_time, desk.now)
    since = moment("startTime", request.start_time, until - _DAY)
    if since > until:
        raise invalid("startTime", '"startTime" must not be after "endTime"')
    recent = since >= desk.now - _FINE
    if request.granularity == "FIVE_MINUTES" and not recent:
        raise invalid("granularity", '"granularity" FIVE_MINUTES is kept for the last 36 hours; ask for HOUR')
    interval: Interval = request.granularity or ("FIVE_MINUTES" if recent else "HOUR")
    width = _WIDTHS[interval]
    first, end = since // _MINUTE // width * width, -(-until // (_MINUTE * width)) * width
    if (end - first) // width > _MOST:
        raise invalid("startTime", f"The span would take more than {_MOST} points")
    found = await desk.store.read(
        lambda connection: ages.series(
            connection, request.destination_id, span=width, since_minute=first, until_minute=end
        )
    )
    whole: Counter[int] = Counter()
    for histogram in found.values():
        whole.update(histogram)
    return GetDeliveryLatencyAnswer(
        granularity=interval,
        whole=_point(first, whole),
        points=[_point(minute, found.get(minute, {})) for minute in range(first, end, width)],
    )


def _point(minute: int, histogram: Mapping[int, int]) -> LatencyPoint:
    p50, p95, p99 = (quantile(histogram, share) for share in (0.5, 0.95, 0.99))
    return LatencyPoint(time=format_moment(minute * _MINUTE), events=sum(histogram.values()), p50=p50, p95=p95, p99=p99)
