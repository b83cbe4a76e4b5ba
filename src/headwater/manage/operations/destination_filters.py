"""Filters of destinations: what keeps events, or parts of them, from one (contract: public-api 9, connections 6.5).

They matter to events that come afterwards, and to replays; what is waiting to be sent again is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Done, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId
from headwater.manage.operations.subscriptions import find_destination
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import Problem, Refused, invalid, missing
from headwater.spec.errors import SenderError
from headwater.spec.filters import MOST_FILTERS, MOST_TITLE, check_filter, compile_filters, kind_of
from headwater.spec.fql import FqlError
from headwater.spec.timestamps import format_moment
from headwater.spec.typed import converter
from headwater.spec.workspace import Destination, DestinationFilter
from headwater.store import audit, subscriptions
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "DESTINATION_FILTER"
FilterId = Annotated[str, Meta(min_length=1, max_length=255, description="The filter's id.")]
If = Annotated[str, Meta(description="A query in FQL, such as `event = 'Test'`; `all` holds for every event.")]
Title = Annotated[str, Meta(min_length=1, max_length=MOST_TITLE, description="A name for people.")]
About = Annotated[str, Meta(max_length=2_000, description="What it is for.")]
On = Annotated[bool, Meta(description="Whether it is in force.")]


class FilterAction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is done with an event. DROP keeps it back. SAMPLE lets a share (`percent`, from 0 to 1) go, the same ones
    for the same value at `path`. DROP_PROPERTIES deletes keys, ALLOW_PROPERTIES all others: `fields` by object.
    """

    type: str
    fields: dict[str, Any] | UnsetType = UNSET
    percent: float | UnsetType = UNSET
    path: str | UnsetType = UNSET


Actions = Annotated[
    list[FilterAction], Meta(max_length=20, description="What is done with the events for which it holds.")
]


class DestinationFilterShape(Shape, frozen=True, kw_only=True):
    """A filter of a destination."""

    id: str
    source_id: str
    destination_id: str
    condition: str = msgspec.field(name="if")
    actions: list[FilterAction]
    title: str
    description: str
    enabled: bool
    created_at: str
    updated_at: str


class DestinationFilterAnswer(Shape, frozen=True, kw_only=True):
    """A filter of a destination."""

    filter: DestinationFilterShape


class OneDestinationFilter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter of a destination."""

    destination_id: DestinationId
    filter_id: FilterId


class ListDestinationFilters(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a destination's filters."""

    destination_id: DestinationId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListDestinationFiltersAnswer(Shape, frozen=True, kw_only=True):
    """Filters, oldest first."""

    filters: list[DestinationFilterShape]
    pagination: Page


_ALL = "/destination/{destinationId}/filters"
_ONE = f"{_ALL}/{{filterId}}"


@operation("GET", _ALL, scope="destinations:read", tag="Destination Filters")
async def list_filters_from_destination(desk: Desk, request: ListDestinationFilters) -> ListDestinationFiltersAnswer:
    """List the filters of a destination."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    found, place = page(destination.filters, request.pagination)
    return ListDestinationFiltersAnswer(filters=[_show(destination, one) for one in found], pagination=place)


class CreateFilterForDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter to make."""

    destination_id: DestinationId
    source_id: Annotated[str, Meta(description="The destination's source, by its id or slug.")]
    condition: If = msgspec.field(name="if")
    actions: Actions
    title: Title
    enabled: On
    description: About = ""


@operation("POST", _ALL, scope="destinations:write", tag="Destination Filters")
async def create_filter_for_destination(desk: Desk, request: CreateFilterForDestination) -> DestinationFilterAnswer:
    """Make a filter that keeps events, or parts of them, from a destination, at most ten for each."""
    actions = read_actions(request.condition, request.actions)

    def work(connection: Connection) -> tuple[tuple[Destination, DestinationFilter], list[audit.Entry]]:
        destination = workspaces.find_destination(connection, request.destination_id)
        if workspaces.source_named(connection, request.source_id).id != destination.source_id:
            raise invalid("sourceId", '"sourceId" is not the source of the destination')
        if len(destination.filters) >= MOST_FILTERS:
            raise invalid("destinationId", f"The destination has {MOST_FILTERS} filters, and none has more")
        made = subscriptions.create_filter(
            connection,
            destination.id,
            title=request.title,
            condition=request.condition,
            actions=actions,
            description=request.description,
            enabled=request.enabled,
        )
        return (destination, made), [note(desk, "Destination Filter Created", _KIND, made.id, made.title)]

    return DestinationFilterAnswer(filter=_show(*await change(desk, work)))


@operation("GET", _ONE, scope="destinations:read", tag="Destination Filters")
async def get_filter_in_destination(desk: Desk, request: OneDestinationFilter) -> DestinationFilterAnswer:
    """Show a filter of a destination."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    found = next((one for one in destination.filters if one.id == request.filter_id), None)
    if found is None:
        raise missing("filter of this destination")
    return DestinationFilterAnswer(filter=_show(destination, found))


class UpdateFilterForDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a filter; what is absent stays."""

    destination_id: DestinationId
    filter_id: FilterId
    condition: If | UnsetType = msgspec.field(name="if", default=UNSET)
    actions: Actions | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    description: About | UnsetType | None = UNSET
    enabled: On | UnsetType = UNSET


@operation("PATCH", _ONE, scope="destinations:write", tag="Destination Filters")
async def update_filter_for_destination(desk: Desk, request: UpdateFilterForDestination) -> DestinationFilterAnswer:
    """Change a filter of a destination, or switch it on or off."""

    def work(connection: Connection) -> tuple[tuple[Destination, DestinationFilter], list[audit.Entry]]:
        destination = workspaces.find_destination(connection, request.destination_id)
        before = subscriptions.find_filter(connection, destination.id, request.filter_id)
        columns = _columns(request, before)
        after = subscriptions.update_filter(connection, destination.id, before.id, **columns)
        types = ["Destination Filter Modified"] if columns.keys() - {"enabled"} else []
        if "enabled" in columns:
            types.append("Destination Filter Enabled" if after.enabled else "Destination Filter Disabled")
        return (destination, after), [note(desk, type, _KIND, after.id, after.title) for type in types]

    return DestinationFilterAnswer(filter=_show(*await change(desk, work)))


@operation("DELETE", _ONE, scope="destinations:write", tag="Destination Filters")
async def remove_filter_from_destination(desk: Desk, request: OneDestinationFilter) -> Done:
    """Remove a filter, so that what it kept back is sent from now on."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        destination = workspaces.find_destination(connection, request.destination_id)
        gone = subscriptions.find_filter(connection, destination.id, request.filter_id)
        subscriptions.delete_filter(connection, destination.id, gone.id)
        return Done(), [note(desk, "Destination Filter Deleted", _KIND, gone.id, gone.title)]

    return await change(desk, work)


class FilterToPreview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter that is not kept."""

    condition: If = msgspec.field(name="if")
    actions: Actions


class PreviewDestinationFilter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter, and an event to try it on."""

    filter: Annotated[FilterToPreview, Meta(description="The filter.")]
    payload: Annotated[dict[str, Any], Meta(description="The event, as a destination would get it.")]


class PreviewDestinationFilterAnswer(Shape, frozen=True, kw_only=True):
    """The event, and what is left of it: null when it is kept back."""

    input_payload: dict[str, Any]
    result: dict[str, Any] | None


@operation("POST", "/destination/filters/preview", scope="destinations:read", tag="Destination Filters", changes=False)
async def preview_destination_filter(desk: Desk, request: PreviewDestinationFilter) -> PreviewDestinationFilterAnswer:
    """Show what a filter would leave of an event."""
    given = request.filter
    actions = read_actions(given.condition, given.actions, inside="filter.")
    trial = DestinationFilter(id="trial", title="trial", condition=given.condition, actions=actions)
    left = compile_filters([trial])(request.payload)
    return PreviewDestinationFilterAnswer(input_payload=request.payload, result=None if left.dropped else left.event)


def _columns(request: UpdateFilterForDestination, before: DestinationFilter) -> dict[str, Any]:
    """What changes of the filter. Raises Refused for what cannot be read."""
    columns: dict[str, Any] = {
        name: value
        for name in ("condition", "title", "enabled")
        if (value := getattr(request, name)) is not UNSET and value != getattr(before, name)
    }
    if not isinstance(request.description, UnsetType) and (request.description or "") != before.description:
        columns["description"] = request.description or ""
    if not isinstance(request.actions, UnsetType):
        columns["actions"] = tuple(_stored(one) for one in request.actions)
    if columns.keys() & {"condition", "actions"}:
        _check(columns.get("condition", before.condition), columns.get("actions", before.actions))
    return columns


def read_actions(condition: str, actions: list[FilterAction], inside: str = "") -> tuple[dict[str, Any], ...]:
    """The actions as they are kept. Raises Refused with what is wrong, of the condition or of the actions."""
    stored = tuple(_stored(one) for one in actions)
    _check(condition, stored, inside)
    return stored


def _stored(action: FilterAction) -> dict[str, Any]:
    return {**msgspec.to_builtins(action), "type": kind_of(action.type)}


def _check(condition: str, actions: tuple[dict[str, Any], ...], inside: str = "") -> None:
    problems: list[Problem] = []
    try:
        check_filter(condition, [{"type": "DROP"}])
    except FqlError as error:
        where, place = f"{inside}if", {"position": error.position}
        problems.append(Problem("input-validation", f'"{where}" is not a query. {error}', where, place))
    try:
        check_filter("all", actions)
    except SenderError as error:
        problems.append(Problem("input-validation", str(error), f"{inside}actions"))
    if problems:
        raise Refused(problems)


def _show(destination: Destination, one: DestinationFilter) -> DestinationFilterShape:
    return DestinationFilterShape(
        id=one.id,
        source_id=destination.source_id,
        destination_id=destination.id,
        condition=one.condition,
        actions=[_as_action(action) for action in one.actions],
        title=one.title,
        description=one.description,
        enabled=one.enabled,
        created_at=format_moment(one.created_at),
        updated_at=format_moment(one.updated_at),
    )


_as_action = converter(FilterAction)
