"""Delivery Overview: how many events met which step, over time, in parts (contract: public-api, connections 8.2, 8.3).

The counts are those of the ledger, so that the steps of a source, and those of each destination, add up. Events can be
parted by the reason they were discarded for and, at a destination, by subscription. Duplicates stand among what was
filtered at the source, under a reason of their own. `retryCount` is what waits to be tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.events import source_named
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import Refused, invalid, missing
from headwater.manage.spans import moment
from headwater.spec.outcome import Step
from headwater.spec.timestamps import format_moment
from headwater.store import ledger
from headwater.store.ledger import Group

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_WIDTHS: Final = {"MINUTE": 1, "HOUR": 60, "DAY": 24 * 60}
_LONGEST: Final = {"MINUTE": 4 * _HOUR, "HOUR": 14 * _DAY, "DAY": 30 * _DAY}
_GROUPS: Final[dict[str, Group]] = {"discardReason": "reason", "subscriptionId": "subscription_id"}
Granularity = Annotated[
    Literal["MINUTE", "HOUR", "DAY", "minute", "hour", "day"],
    Meta(description="How long an interval is: MINUTE (over at most 4 hours), HOUR (14 days) or DAY (30 days)."),
]
Moment = Annotated[str, Meta(description="A moment (ISO 8601).")]
GroupBy = Annotated[
    tuple[str, ...], Meta(description="How events are parted: discardReason; at a destination also subscriptionId.")
]


class OverviewFilter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which events count."""

    discard_reason: Annotated[tuple[str, ...], Meta(description="Only these reasons.")] = ()
    subscription_id: Annotated[tuple[str, ...], Meta(description="Only these subscriptions.")] = ()


class SourceMetrics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The events of a source over some time, `startTime` included and `endTime` not."""

    source_id: Annotated[str, Meta(description="The source, by its id or slug.")]
    start_time: Moment
    end_time: Moment
    granularity: Granularity
    group_by: GroupBy = ()
    filter: Annotated[OverviewFilter, Meta(description="Which events count.")] = OverviewFilter()
    pagination: Annotated[Pagination, Meta(description="Which page of the parts.")] = Pagination()


class DestinationMetrics(SourceMetrics, frozen=True, kw_only=True, rename="camel"):
    """The events of a source at a destination over some time."""

    destination_config_id: Annotated[str, Meta(description="The destination.")]


class MetricsPoint(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """The events of one interval, which begins at `time`."""

    time: str
    count: int
    retry_count: int | None = None


class MetricsDataset(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One part of the events, oldest interval first; intervals without events are absent."""

    total: int
    series: list[MetricsPoint]
    discard_reason: str | None = None
    subscription_id: str | None = None
    total_retry_count: int | None = None


class MetricsAnswer(Shape, frozen=True, kw_only=True):
    """The events by part, those with most first."""

    total: int
    dataset: list[MetricsDataset]
    pagination: Page


@operation("GET", "/delivery-overview/successfully-received", scope="ledger:read", tag="Delivery Overview")
async def get_ingress_success_metrics_from_delivery_overview(desk: Desk, request: SourceMetrics) -> MetricsAnswer:
    """Show how many events of a source were received, over time."""
    return await _metrics(desk, request, "", (Step.RECEIVED,))


@operation("GET", "/delivery-overview/failed-on-ingest", scope="ledger:read", tag="Delivery Overview")
async def get_ingress_failed_metrics_from_delivery_overview(desk: Desk, request: SourceMetrics) -> MetricsAnswer:
    """Show how many events of a source could not be taken in, over time."""
    return await _metrics(desk, request, "", (Step.FAILED_ON_INGEST,))


@operation("GET", "/delivery-overview/filtered-at-source", scope="ledger:read", tag="Delivery Overview")
async def get_filtered_at_source_metrics_from_delivery_overview(desk: Desk, request: SourceMetrics) -> MetricsAnswer:
    """Show how many events of a source were filtered there or were duplicates, over time."""
    return await _metrics(desk, request, "", (Step.FILTERED_AT_SOURCE, Step.DUPLICATE))


@operation("GET", "/delivery-overview/filtered-at-destination", scope="ledger:read", tag="Delivery Overview")
async def get_filtered_at_destination_metrics_from_delivery_overview(
    desk: Desk, request: DestinationMetrics
) -> MetricsAnswer:
    """Show how many events a destination was not to get, over time."""
    return await _metrics(desk, request, await _destination(desk, request), (Step.FILTERED_AT_DESTINATION,))


@operation("GET", "/delivery-overview/failed-delivery", scope="ledger:read", tag="Delivery Overview")
async def get_egress_failed_metrics_from_delivery_overview(desk: Desk, request: DestinationMetrics) -> MetricsAnswer:
    """Show how many deliveries to a destination failed for good, and how many wait to be tried again, over time."""
    destination_id = await _destination(desk, request)
    return await _metrics(desk, request, destination_id, (Step.FAILED_DELIVERY,), retried=True)


@operation("GET", "/delivery-overview/successful-delivery", scope="ledger:read", tag="Delivery Overview")
async def get_egress_success_metrics_from_delivery_overview(desk: Desk, request: DestinationMetrics) -> MetricsAnswer:
    """Show how many deliveries to a destination succeeded, over time."""
    return await _metrics(desk, request, await _destination(desk, request), (Step.DELIVERED,))


async def _destination(desk: Desk, request: DestinationMetrics) -> str:
    workspace = await desk.workspace()
    if all(one.id != request.destination_config_id for one in workspace.destinations):
        raise missing("destination")
    return request.destination_config_id


async def _metrics(
    desk: Desk, request: SourceMetrics, destination_id: str, steps: Sequence[Step], *, retried: bool = False
) -> MetricsAnswer:
    source_id = await source_named(desk, request.source_id)
    width = _WIDTHS[request.granularity.upper()]
    since, until = _bounds(request)
    groups = _groups(request.group_by, at_destination=bool(destination_id))
    wanted: dict[Group, Sequence[str]] = {}
    if request.filter.discard_reason:
        wanted["reason"] = request.filter.discard_reason
    if request.filter.subscription_id:
        wanted["subscription_id"] = request.filter.subscription_id

    async def ask(steps: Sequence[Step]) -> dict[tuple[str, ...], dict[int, int]]:
        return await desk.store.read(
            lambda connection: ledger.breakdown(
                connection,
                width=width,
                since_minute=since // _MINUTE // width * width,
                until_minute=-(-until // _MINUTE),
                source_id=source_id,
                destination_id=destination_id,
                steps=steps,
                groups=groups,
                only=wanted,
            )
        )

    found = await ask(steps)
    waiting = await ask((Step.PENDING,)) if retried else {}
    parts = [
        _dataset(groups, values, found.get(values, {}), waiting.get(values) if retried else None)
        for values in found.keys() | waiting.keys()
    ]
    parts.sort(key=lambda part: (-part.total, part.discard_reason or "", part.subscription_id or ""))
    shown, place = page(parts, request.pagination)
    return MetricsAnswer(total=sum(part.total for part in parts), dataset=shown, pagination=place)


def _bounds(request: SourceMetrics) -> tuple[int, int]:
    since, until = moment("startTime", request.start_time, 0), moment("endTime", request.end_time, 0)
    if since >= until:
        raise invalid("startTime", '"startTime" must be before "endTime"')
    longest = _LONGEST[request.granularity.upper()]
    if until - since > longest:
        raise invalid("granularity", f'"granularity" is too fine: with it the span is at most {longest // _HOUR} hours')
    return since, until


def _groups(named: Sequence[str], *, at_destination: bool) -> list[Group]:
    known: dict[str, Group] = {**_GROUPS} if at_destination else {"discardReason": "reason"}
    for name in named:
        if name not in known:
            raise _unknown(name, sorted(known))
    return [known[name] for name in dict.fromkeys(named)]


def _unknown(name: str, known: Sequence[str]) -> Refused:
    return invalid("groupBy", f'"groupBy" cannot part by {name}: the books hold {", ".join(known)}')


def _dataset(
    groups: Sequence[Group], values: tuple[str, ...], events: Mapping[int, int], waiting: Mapping[int, int] | None
) -> MetricsDataset:
    named = dict(zip(groups, values, strict=True))
    minutes = sorted(events.keys() | (waiting or {}).keys())
    return MetricsDataset(
        total=sum(events.values()),
        series=[
            MetricsPoint(
                time=format_moment(minute * _MINUTE),
                count=events.get(minute, 0),
                retry_count=None if waiting is None else waiting.get(minute, 0),
            )
            for minute in minutes
        ],
        discard_reason=named.get("reason"),
        subscription_id=named.get("subscription_id"),
        total_retry_count=None if waiting is None else sum(waiting.values()),
    )
