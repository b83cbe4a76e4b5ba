"""What each source has sent so far: its events by type and name, and what was in them. Headwater's own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.failures import payload
from headwater.manage.paging import Page, Pagination, page_of
from headwater.manage.problems import missing
from headwater.spec.naming import short_name
from headwater.spec.timestamps import format_moment
from headwater.spec.wire import JSON
from headwater.store import names

SourceId = Annotated[str, Meta(min_length=1, max_length=255, description="The source's id.")]


class ListSchemaOfSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which events of a source, in which order."""

    source_id: SourceId
    filter: Annotated[str, Meta(description="Only those with this text in their name or type, in any case.")] = ""
    sort: Annotated[
        Literal["EVENTS", "LAST_SEEN"], Meta(description="EVENTS for the most first, LAST_SEEN for the newest first.")
    ] = "EVENTS"
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class EventSeen(Shape, frozen=True, kw_only=True):
    """Events of one type and name; only track calls, pages and screens have a name.

    `overflow` marks the row that counts together what came after the source had more names than are kept (5,000).
    """

    type: str
    name: str
    events: int
    first_at: str
    last_at: str
    overflow: bool


class ListSchemaOfSourceAnswer(Shape, frozen=True, kw_only=True):
    """Events seen so far, of all time."""

    events: list[EventSeen]
    pagination: Page


@operation("GET", "/headwater/sources/{sourceId}/schema", scope="sources:read", tag="Schema")
async def list_schema_of_source(desk: Desk, request: ListSchemaOfSource) -> ListSchemaOfSourceAnswer:
    """List the events that a source has sent so far, by type and name."""
    await _known(desk, request.source_id)
    offset = request.pagination.offset()
    found, total = await desk.store.read(
        lambda connection: names.find(
            connection,
            request.source_id,
            text=request.filter,
            order="events" if request.sort == "EVENTS" else "last_at",
            limit=request.pagination.count,
            offset=offset,
        )
    )
    return ListSchemaOfSourceAnswer(events=[_show(one) for one in found], pagination=page_of(request.pagination, total))


class GetSchemaOfEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which event of a source."""

    source_id: SourceId
    type: Annotated[str, Meta(min_length=1, description="Its type: track, identify, ...")]
    name: Annotated[str, Meta(description="Its name; empty for those that have none.")] = ""


class PathShape(Shape, frozen=True, kw_only=True):
    """What stood at a path of the properties (or traits), such as `products[].price`.

    `events` is in how many of the sampled events; `types` counts the JSON types met; `example` is one value as JSON
    text, cut to 100 characters.
    """

    path: str
    events: int
    types: dict[str, int]
    example: str


class SampledEvent(Shape, frozen=True, kw_only=True):
    """An event that was looked at, as it was published."""

    at: str
    event: JSON


class GetSchemaOfEventAnswer(Shape, frozen=True, kw_only=True):
    """What was in the events of a name. `sampled` of them were looked at, one a minute; `sample` is the newest."""

    event: EventSeen
    sampled: int
    paths: list[PathShape]
    sample: SampledEvent | None


@operation("GET", "/headwater/sources/{sourceId}/schema/event", scope="events:read", tag="Schema")
async def get_schema_of_event(desk: Desk, request: GetSchemaOfEvent) -> GetSchemaOfEventAnswer:
    """Show which properties or traits an event of a source has, with examples."""
    await _known(desk, request.source_id)
    key = (request.source_id, request.type, short_name(request.name))
    count = await desk.store.read(lambda connection: names.one(connection, key))
    if count is None:
        raise missing("event of this source")
    sample = await desk.store.read(lambda connection: names.sample(connection, key))
    paths = sorted(sample.paths.items(), key=lambda pair: (-pair[1].events, pair[0])) if sample is not None else []
    return GetSchemaOfEventAnswer(
        event=_show(count),
        sampled=sample.sampled if sample is not None else 0,
        paths=[PathShape(path=path, events=one.events, types=one.types, example=one.example) for path, one in paths],
        sample=None
        if sample is None
        else SampledEvent(at=format_moment(sample.sampled_at), event=payload(sample.event)),
    )


async def _known(desk: Desk, source_id: str) -> None:
    if not any(one.id == source_id for one in (await desk.workspace()).sources):
        raise missing("source")


def _show(count: names.NameCount) -> EventSeen:
    return EventSeen(
        type=count.type,
        name=count.name,
        events=count.events,
        first_at=format_moment(count.first_at),
        last_at=format_moment(count.last_at),
        overflow=count.overflow,
    )
