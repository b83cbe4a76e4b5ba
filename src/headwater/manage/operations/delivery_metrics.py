"""What became of the events of one destination, in sums (contract: public-api 9, Destinations)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId
from headwater.manage.operations.events import source_named
from headwater.manage.operations.series import DESTINATION_STEPS
from headwater.manage.operations.subscriptions import find_destination
from headwater.manage.problems import invalid
from headwater.manage.spans import moment
from headwater.spec.outcome import Count
from headwater.store import ledger

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_LONGEST: Final = {"MINUTE": 4 * _HOUR, "HOUR": 7 * _DAY, "DAY": 14 * _DAY}
_USUAL: Final = {"MINUTE": _HOUR, "HOUR": 7 * _DAY, "DAY": 14 * _DAY}
_OLDEST_MINUTES: Final = 48 * _HOUR
Granularity = Annotated[
    Literal["MINUTE", "HOUR", "DAY", "minute", "hour", "day"],
    Meta(description="How long the time may be: MINUTE (4 hours, of the last 48), HOUR (7 days) or DAY (14 days)."),
]
Moment = Annotated[str | None, Meta(description="A moment (ISO 8601).")]


class ListDeliveryMetrics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination, and a time: the last hour, 7 or 14 days unless given, `endTime` not included."""

    destination_id: DestinationId
    source_id: Annotated[str, Meta(description="The destination's source, by its id or slug.")]
    start_time: Moment = None
    end_time: Moment = None
    granularity: Granularity = "MINUTE"


class MetricPart(Shape, frozen=True, kw_only=True):
    """The events of a metric with one reason."""

    metric_name: str
    value: int


class Metric(Shape, frozen=True, kw_only=True):
    """A step of Delivery Overview at the destination, such as delivered, with its events by reason."""

    metric_name: str
    total: int
    breakdown: list[MetricPart]


class MetricsSummary(Shape, frozen=True, kw_only=True):
    """The sums of one destination."""

    source_id: str
    destination_metadata_id: str
    metrics: list[Metric]


class ListDeliveryMetricsAnswer(Shape, frozen=True, kw_only=True):
    """The sums of one destination."""

    delivery_metrics_summary: MetricsSummary


@operation("GET", "/destinations/{destinationId}/delivery-metrics", scope="ledger:read", tag="Destinations")
async def list_delivery_metrics_summary_from_destination(
    desk: Desk, request: ListDeliveryMetrics
) -> ListDeliveryMetricsAnswer:
    """Show how many events a destination got, was not to get, and failed to get."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    source_id = await source_named(desk, request.source_id)
    since, until = _bounds(request, desk.now)
    counts = await desk.store.read(
        lambda connection: ledger.totals(
            connection,
            since_minute=since // _MINUTE,
            until_minute=-(-until // _MINUTE),
            source_id=source_id,
            destination_id=destination.id,
        )
    )
    return ListDeliveryMetricsAnswer(
        delivery_metrics_summary=MetricsSummary(
            source_id=source_id,
            destination_metadata_id=destination.definition,
            metrics=[_metric(step, [one for one in counts if one.step == step]) for step in DESTINATION_STEPS],
        )
    )


def _metric(step: str, counts: list[Count]) -> Metric:
    parts = [MetricPart(metric_name=one.reason, value=one.events) for one in counts if one.reason]
    return Metric(
        metric_name=step,
        total=sum(one.events for one in counts),
        breakdown=sorted(parts, key=lambda part: (-part.value, part.metric_name)),
    )


def _bounds(request: ListDeliveryMetrics, now: int) -> tuple[int, int]:
    granularity = request.granularity.upper()
    until = moment("endTime", request.end_time, now)
    since = moment("startTime", request.start_time, until - _USUAL[granularity])
    if since >= until:
        raise invalid("startTime", '"startTime" must be before "endTime"')
    if until - since > _LONGEST[granularity]:
        hours = _LONGEST[granularity] // _HOUR
        raise invalid("granularity", f'"granularity" is too fine: with it the time is at most {hours} hours')
    if granularity == "MINUTE" and since < now - _OLDEST_MINUTES:
        raise invalid("startTime", '"startTime" is more than 48 hours ago; ask by HOUR or DAY')
    return since, until
