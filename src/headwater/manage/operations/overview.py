"""The house at a glance: what came, what became of it, who is behind, and what needs attention. Headwater's own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.disk import disk_of
from headwater.manage.health import health
from headwater.manage.lags import Lag, lags
from headwater.manage.operation import operation
from headwater.manage.operations.failures import meaning
from headwater.manage.overview import (
    RECENT_MINUTES,
    DestinationFigures,
    Figures,
    Problem,
    ReaderFigures,
    SourceFigures,
    WarehouseFigures,
    problems_of,
)
from headwater.spec.ages import quantile
from headwater.spec.errors import Unavailable
from headwater.spec.outcome import Count, Step
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Destination, Source, Warehouse, Workspace
from headwater.store import ages, backlogs, ledger, loads
from headwater.warehouse.loop import group_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_MINUTE: Final = 60_000
_FINE_MINUTES: Final = 180
_SENT: Final = (Step.RECEIVED, Step.MATCHED)
Steps = Mapping[str, int]


class GetOverview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Over which time."""

    span: Annotated[
        int,
        Meta(
            ge=1,
            le=1440,
            description="The last so many minutes; it begins at a full 5 minutes, and above 180 at a full hour.",
        ),
    ] = 60


class OverviewTotals(Shape, frozen=True, kw_only=True):
    """Events by step over all sources and destinations; an event counts once for each destination that it matched.

    All are of the time asked for but `pending`: that is how many deliveries wait now, of all time.
    """

    received: int
    failed_on_ingest: int
    duplicate: int
    filtered_at_source: int
    processed: int
    matched: int
    filtered_at_destination: int
    delivered: int
    failed_delivery: int
    pending: int


class SourceOverview(Shape, frozen=True, kw_only=True):
    """A source. `lastReceivedAt` is when its newest event was processed or refused."""

    id: str
    name: str
    slug: str
    enabled: bool
    received: int
    failed_on_ingest: int
    duplicate: int
    filtered: int
    processed: int
    last_received_at: str | None


class LastFailure(Shape, frozen=True, kw_only=True):
    """When and why a delivery failed last."""

    at: str
    reason: str
    meaning: str


class DestinationOverview(Shape, frozen=True, kw_only=True):
    """A destination. `pending` is what waits now, of all time; `p50` and `p99` are ages at delivery in milliseconds.

    The age of an event is from its receipt to the destination's accept; null when none was delivered in this time.
    `credentialsRefused` says that it was paused because it refused its credentials.
    """

    id: str
    name: str
    definition: str
    source_id: str
    source_name: str
    enabled: bool
    paused: bool
    credentials_refused: bool
    matched: int
    delivered: int
    failed: int
    filtered: int
    pending: int
    p50: float | None
    p99: float | None
    last_delivered_at: str | None
    last_failure: LastFailure | None


class LastLoad(Shape, frozen=True, kw_only=True):
    """The newest load that ended: success, partial or failure, when, how many rows, and what it had to say."""

    state: str
    at: str
    rows: int
    notices: list[str]


class WarehouseOverview(Shape, frozen=True, kw_only=True):
    """A warehouse. `lag` is how many events are not in it yet."""

    id: str
    name: str
    engine: str
    enabled: bool
    last_load: LastLoad | None
    lag: int


class ReaderOverview(Shape, frozen=True, kw_only=True):
    """A reader of the log: how many records wait for it, and for how many seconds the oldest of them has waited.

    Records are requests for the pipeline, chunks of work for the ledger, and events for all others.
    """

    reader: str
    stream: str
    records: int
    oldest_seconds: float | None


class ProblemShape(Shape, frozen=True, kw_only=True):
    """Something to look after, with what to do. `kind` and `id` name the resource that it is about."""

    severity: str
    kind: str
    id: str
    what: str
    todo: str


class GetOverviewAnswer(Shape, frozen=True, kw_only=True):
    """The figures from `startTime` on, and `problems`, errors first.

    `balanced` is about all that was ever counted; what is under way is counted when it has ended or is parked.
    """

    start_time: str
    end_time: str
    totals: OverviewTotals
    sources: list[SourceOverview]
    destinations: list[DestinationOverview]
    warehouses: list[WarehouseOverview]
    readers: list[ReaderOverview]
    balanced: bool
    free_bytes: int
    total_bytes: int
    problems: list[ProblemShape]


class _Books(msgspec.Struct, frozen=True):
    """What the store knows: counts of the span and of the last minutes, standings, ages, loads and refusals."""

    span: list[Count]
    recent: list[Count]
    standing: list[ledger.Standing]
    ages: dict[str, dict[int, int]]
    loads: dict[str, loads.Load]
    refused: set[str]


@operation("GET", "/headwater/overview", scope="ledger:read", tag="Ledger")
async def get_overview(desk: Desk, request: GetOverview) -> GetOverviewAnswer:
    """Show at a glance what came and what became of it, by source and destination, and what needs attention."""
    workspace = await desk.workspace()
    minute = desk.now // _MINUTE
    unit = 5 if request.span <= _FINE_MINUTES else 60
    since = (minute - request.span) // unit * unit
    books, behind, well, disk = await asyncio.gather(
        desk.store.read(lambda connection: _read(connection, workspace, minute=minute, since=since, unit=unit)),
        _behind(desk, workspace),
        health(desk),
        asyncio.to_thread(disk_of, desk.folder),
    )
    figures = _figures(workspace, books, behind)
    opened = _open(books.standing)
    return GetOverviewAnswer(
        start_time=format_moment(since * _MINUTE),
        end_time=format_moment(desk.now),
        totals=_totals(books),
        sources=_sources(workspace, books),
        destinations=_destinations(workspace, books),
        warehouses=[_warehouse(one, books.loads.get(one.id), behind) for one in workspace.warehouses],
        readers=[
            ReaderOverview(reader=one.group, stream=one.stream, records=one.records, oldest_seconds=one.seconds)
            for one in behind
        ],
        balanced=opened == 0,
        free_bytes=disk.free,
        total_bytes=disk.total,
        problems=[
            _problem(one)
            for one in problems_of(msgspec.structs.replace(figures, parts=well.parts, disk=disk, open=opened))
        ],
    )


async def _behind(desk: Desk, workspace: Workspace) -> list[Lag]:
    """How far the readers are behind; nothing when the log is away, which the health then tells."""
    with suppress(Unavailable):
        return await lags(desk.log, [one.id for one in workspace.warehouses], desk.now)
    return []


def _read(connection: Connection, workspace: Workspace, *, minute: int, since: int, unit: int) -> _Books:
    recent = (minute - RECENT_MINUTES) // 5 * 5
    return _Books(
        span=ledger.totals(connection, since_minute=since, until_minute=minute + 1, span=unit),
        recent=ledger.totals(connection, since_minute=recent, until_minute=minute + 1, span=5),
        standing=ledger.standing(connection),
        ages=ages.totals(connection, span=unit, since_minute=since, until_minute=minute + 1),
        loads={one.id: ended for one in workspace.warehouses if (ended := _last_load(connection, one.id)) is not None},
        refused={one.id for one in workspace.destinations if one.paused and backlogs.refused(connection, one.id)},
    )


def _last_load(connection: Connection, warehouse_id: str) -> loads.Load | None:
    newest = loads.list_loads(connection, warehouse_id, limit=5)
    return next((one for one in newest if one.ended_at is not None), None)


def _by_step(counts: Iterable[Count], *, destinations: bool) -> dict[str, defaultdict[str, int]]:
    """Events by step for each destination, or for each source."""
    found: dict[str, defaultdict[str, int]] = {}
    for count in counts:
        if bool(count.destination_id) is destinations:
            key = count.destination_id or count.source_id
            found.setdefault(key, defaultdict(int))[count.step] += count.events
    return found


def _totals(books: _Books) -> OverviewTotals:
    sums: defaultdict[str, int] = defaultdict(int)
    for count in books.span:
        sums[count.step] += count.events
    sums[Step.PENDING] = sum(one.events for one in books.standing if one.step == Step.PENDING)
    return OverviewTotals(**{step.value: sums[step] for step in Step})


def _open(standing: Iterable[ledger.Standing]) -> int:
    """By how many events the books do not balance."""
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for one in standing:
        sums[one.source_id, one.destination_id] += one.events if one.step in _SENT else -one.events
    return sum(abs(events) for events in sums.values())


def _newest(standing: Iterable[ledger.Standing]) -> dict[tuple[str, str], ledger.Standing]:
    """The newest standing by (destination or else source) and step."""
    found: dict[tuple[str, str], ledger.Standing] = {}
    for one in standing:
        key = (one.destination_id or one.source_id, one.step)
        if one.at and (key not in found or found[key].at < one.at):
            found[key] = one
    return found


def _sources(workspace: Workspace, books: _Books) -> list[SourceOverview]:
    steps = _by_step(books.span, destinations=False)
    newest = _newest(one for one in books.standing if not one.destination_id)
    return [_source(one, steps.get(one.id, {}), newest) for one in workspace.sources]


def _source(one: Source, steps: Steps, newest: Mapping[tuple[str, str], ledger.Standing]) -> SourceOverview:
    return SourceOverview(
        id=one.id,
        name=one.name,
        slug=one.slug,
        enabled=one.enabled,
        received=steps.get(Step.RECEIVED, 0),
        failed_on_ingest=steps.get(Step.FAILED_ON_INGEST, 0),
        duplicate=steps.get(Step.DUPLICATE, 0),
        filtered=steps.get(Step.FILTERED_AT_SOURCE, 0),
        processed=steps.get(Step.PROCESSED, 0),
        last_received_at=_at(newest.get((one.id, Step.RECEIVED))),
    )


def _destinations(workspace: Workspace, books: _Books) -> list[DestinationOverview]:
    steps = _by_step(books.span, destinations=True)
    newest = _newest(one for one in books.standing if one.destination_id)
    pending = _pending(books.standing)
    sources = {one.id: one.name for one in workspace.sources}
    return [
        DestinationOverview(
            id=one.id,
            name=one.name,
            definition=one.definition,
            source_id=one.source_id,
            source_name=sources.get(one.source_id, ""),
            enabled=one.enabled,
            paused=one.paused,
            credentials_refused=one.id in books.refused,
            matched=steps.get(one.id, {}).get(Step.MATCHED, 0),
            delivered=steps.get(one.id, {}).get(Step.DELIVERED, 0),
            failed=steps.get(one.id, {}).get(Step.FAILED_DELIVERY, 0),
            filtered=steps.get(one.id, {}).get(Step.FILTERED_AT_DESTINATION, 0),
            pending=pending.get(one.id, 0),
            p50=_rounded(quantile(books.ages.get(one.id, {}), 0.5)),
            p99=_rounded(quantile(books.ages.get(one.id, {}), 0.99)),
            last_delivered_at=_at(newest.get((one.id, Step.DELIVERED))),
            last_failure=_failure(newest.get((one.id, Step.FAILED_DELIVERY))),
        )
        for one in workspace.destinations
    ]


def _pending(standing: Iterable[ledger.Standing]) -> dict[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for one in standing:
        if one.step == Step.PENDING:
            found[one.destination_id] += one.events
    return found


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)


def _at(standing: ledger.Standing | None) -> str | None:
    return None if standing is None else format_moment(standing.at)


def _failure(standing: ledger.Standing | None) -> LastFailure | None:
    if standing is None:
        return None
    reason = standing.reason
    return LastFailure(at=format_moment(standing.at), reason=reason, meaning=meaning(standing.step, reason))


def _warehouse(one: Warehouse, load: loads.Load | None, behind: Iterable[Lag]) -> WarehouseOverview:
    last = None
    if load is not None:
        at = format_moment(load.ended_at or load.started_at)
        last = LastLoad(state=load.state, at=at, rows=load.rows, notices=list(load.notices))
    return WarehouseOverview(
        id=one.id,
        name=one.name,
        engine=one.engine,
        enabled=one.enabled,
        last_load=last,
        lag=sum(lag.records for lag in behind if lag.group == group_of(one.id)),
    )


def _problem(one: Problem) -> ProblemShape:
    return ProblemShape(severity=one.severity, kind=one.kind, id=one.id, what=one.what, todo=one.todo)


def _figures(workspace: Workspace, books: _Books, behind: Sequence[Lag]) -> Figures:
    names = {group_of(one.id): f"The warehouse {one.name}" for one in workspace.warehouses}
    switched_off = {group_of(one.id) for one in workspace.warehouses if not one.enabled}
    received = _by_step(books.recent, destinations=False)
    pending = _pending(books.standing)
    return Figures(
        destinations=[_destination_figures(one, books, pending.get(one.id, 0)) for one in workspace.destinations],
        sources=[
            SourceFigures(
                id=one.id,
                name=one.name,
                enabled=one.enabled,
                received=received.get(one.id, {}).get(Step.RECEIVED, 0),
            )
            for one in workspace.sources
        ],
        warehouses=[_warehouse_figures(one, books.loads.get(one.id)) for one in workspace.warehouses],
        readers=[
            ReaderFigures(
                id=one.group, name=names.get(one.group, f"The {one.group}"), records=one.records, seconds=one.seconds
            )
            for one in behind
            if one.group not in switched_off
        ],
    )


def _destination_figures(one: Destination, books: _Books, pending: int) -> DestinationFigures:
    recent: defaultdict[tuple[str, str], int] = defaultdict(int)
    for count in books.recent:
        if count.destination_id == one.id:
            recent[count.step, count.reason] += count.events
    return DestinationFigures(
        id=one.id,
        name=one.name,
        enabled=one.enabled,
        paused=one.paused,
        refused=one.id in books.refused,
        pending=pending,
        recent=dict(recent),
    )


def _warehouse_figures(one: Warehouse, load: loads.Load | None) -> WarehouseFigures:
    return WarehouseFigures(
        id=one.id,
        name=one.name,
        enabled=one.enabled,
        state=load.state if load is not None else "",
        said=load.notices[0] if load is not None and load.notices else "",
    )
