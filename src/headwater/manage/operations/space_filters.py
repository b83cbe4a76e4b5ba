"""Filters of a space: which events stay out of it, whatever their source (contract: public-api 9, Space Filters)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import find
from headwater.manage.problems import invalid, missing
from headwater.spec.fql import FqlError, parse
from headwater.spec.space import MAX_FILTERS, Space, SpaceFilter
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Workspace
from headwater.store import audit
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "FILTER"
OfSpace = Annotated[str, Meta(min_length=1, max_length=255, description="The space, by its id or slug.")]
FilterId = Annotated[str, Meta(min_length=1, max_length=255, description="The filter's id.")]
If = Annotated[str, Meta(description="A query in FQL; an event for which it holds stays out of the space.")]
About = Annotated[str, Meta(max_length=2_000, description="What it is for.")]
On = Annotated[bool, Meta(description="Whether it is in force.")]
Drop = Annotated[bool, Meta(description="What it does with an event: true keeps it out, false nothing.")]


class SpaceFilterShape(Shape, frozen=True, kw_only=True):
    """A filter of a space, whose id is `integrationId`."""

    id: str
    workspace_id: str
    integration_id: str
    enabled: bool
    name: str
    description: str
    condition: str = msgspec.field(name="if")
    drop: bool
    created_at: str
    updated_at: str


class FilterPagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page is wanted."""

    count: Annotated[int, Meta(ge=1, le=MAX_FILTERS, description="Entries a page holds at most.")] = MAX_FILTERS
    cursor: Annotated[int, Meta(ge=0, le=1_000, description="How many filters stand before the page.")] = 0


class FilterPage(Shape, frozen=True, kw_only=True):
    """Where a page stands; `next` is absent on the last one."""

    current: int
    next: int | UnsetType = UNSET
    total_entries: int


class ListFiltersForSpace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of the filters of a space."""

    integration_id: OfSpace
    pagination: Annotated[FilterPagination, Meta(description="Which page.")] = FilterPagination()


class ListFiltersForSpaceAnswer(Shape, frozen=True, kw_only=True):
    """Filters, oldest first."""

    filters: list[SpaceFilterShape]
    pagination: FilterPage


@operation("GET", "/filters", scope="spaces:read", tag="Spaces")
async def list_filters_for_space(desk: Desk, request: ListFiltersForSpace) -> ListFiltersForSpaceAnswer:
    """List the filters that keep events out of a space."""
    workspace = await desk.workspace()
    space, page = find(workspace, request.integration_id), request.pagination
    end = page.cursor + page.count
    return ListFiltersForSpaceAnswer(
        filters=[_show(workspace, space, one) for one in space.filters[page.cursor : end]],
        pagination=FilterPage(
            current=page.cursor, next=end if end < len(space.filters) else UNSET, total_entries=len(space.filters)
        ),
    )


class GetFilterById(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter of a space."""

    id: FilterId


class SpaceFilterAnswer(Shape, frozen=True, kw_only=True):
    """A filter of a space."""

    filter: SpaceFilterShape


@operation("GET", "/filters/{id}", scope="spaces:read", tag="Spaces")
async def get_filter_by_id(desk: Desk, request: GetFilterById) -> SpaceFilterAnswer:
    """Show a filter of a space."""
    workspace = await desk.workspace()
    return SpaceFilterAnswer(filter=_show(workspace, *_find(workspace, request.id)))


class CreateFilterForSpace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter to make; it is in force at once unless told otherwise."""

    integration_id: OfSpace
    name: Name
    condition: If = msgspec.field(name="if")
    description: About = ""
    enabled: On = True
    drop: Drop = True


@operation("POST", "/filters", scope="spaces:write", tag="Spaces")
async def create_filter_for_space(desk: Desk, request: CreateFilterForSpace) -> SpaceFilterAnswer:
    """Make a filter that keeps events out of a space from now on, at most ten for each."""
    _check(request.condition)
    workspace = await desk.workspace()
    space_id = find(workspace, request.integration_id).id
    made = SpaceFilter(
        id=workspaces.new_id(),
        name=request.name,
        description=request.description,
        condition=request.condition,
        enabled=request.enabled,
        drop=request.drop,
        created_at=desk.now,
        updated_at=desk.now,
    )

    def work(connection: Connection) -> tuple[Space, list[audit.Entry]]:
        before = workspaces.find_space(connection, space_id)
        if len(before.filters) >= MAX_FILTERS:
            raise invalid("integrationId", f"The space has {MAX_FILTERS} filters, and no space has more")
        after = workspaces.update_space(connection, space_id, filters=(*before.filters, made))
        return after, [note(desk, "Filter Created", _KIND, made.id, made.name)]

    return SpaceFilterAnswer(filter=_show(workspace, await change(desk, work), made))


class UpdateFilterById(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a filter of the space; what is absent stays. It matters to events that come afterwards."""

    id: FilterId
    integration_id: OfSpace
    name: Name | UnsetType = UNSET
    condition: If | UnsetType = msgspec.field(name="if", default=UNSET)
    description: About | UnsetType = UNSET
    enabled: On | UnsetType = UNSET
    drop: Drop | UnsetType = UNSET


@operation("PATCH", "/filters/{id}", scope="spaces:write", tag="Spaces")
async def update_filter_by_id(desk: Desk, request: UpdateFilterById) -> SpaceFilterAnswer:
    """Change a filter of a space."""
    workspace = await desk.workspace()
    space, _ = _find(workspace, request.id)
    if find(workspace, request.integration_id).id != space.id:
        raise missing("filter of this space")
    names = ("name", "condition", "description", "enabled", "drop")
    changes: dict[str, Any] = {name: value for name in names if (value := getattr(request, name)) is not UNSET}
    if "condition" in changes:
        _check(changes["condition"])

    def work(connection: Connection) -> tuple[SpaceFilter, list[audit.Entry]]:
        filters = {one.id: one for one in workspaces.find_space(connection, space.id).filters}
        if request.id not in filters:
            raise missing("filter")
        after = msgspec.structs.replace(filters[request.id], **changes, updated_at=desk.now)
        workspaces.update_space(connection, space.id, filters=tuple((filters | {after.id: after}).values()))
        return after, [note(desk, "Filter Updated", _KIND, after.id, after.name)]

    return SpaceFilterAnswer(filter=_show(workspace, space, await change(desk, work)))


class DeleteFilterById(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter of a space."""

    id: FilterId


class DeleteFilterByIdAnswer(Shape, frozen=True, kw_only=True):
    """That it is gone."""

    deleted: bool = True


@operation("DELETE", "/filters/{id}", scope="spaces:write", tag="Spaces")
async def delete_filter_by_id(desk: Desk, request: DeleteFilterById) -> DeleteFilterByIdAnswer:
    """Remove a filter, so that the events that it kept out come into the space from now on."""
    space, _ = _find(await desk.workspace(), request.id)

    def work(connection: Connection) -> tuple[DeleteFilterByIdAnswer, list[audit.Entry]]:
        filters = {one.id: one for one in workspaces.find_space(connection, space.id).filters}
        gone = filters.pop(request.id, None)
        if gone is None:
            raise missing("filter")
        workspaces.update_space(connection, space.id, filters=tuple(filters.values()))
        return DeleteFilterByIdAnswer(), [note(desk, "Filter Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


def _find(workspace: Workspace, filter_id: str) -> tuple[Space, SpaceFilter]:
    """A filter and its space. Raises SenderError 404."""
    for space in workspace.spaces:
        for one in space.filters:
            if one.id == filter_id:
                return space, one
    raise missing("filter")


def _check(condition: str) -> None:
    try:
        parse(condition)
    except FqlError as error:
        raise invalid("if", f'"if" is not a query. {error}') from None


def _show(workspace: Workspace, space: Space, one: SpaceFilter) -> SpaceFilterShape:
    return SpaceFilterShape(
        id=one.id,
        workspace_id=workspace.id,
        integration_id=space.id,
        enabled=one.enabled,
        name=one.name,
        description=one.description,
        condition=one.condition,
        drop=one.drop,
        created_at=format_moment(one.created_at),
        updated_at=format_moment(one.updated_at),
    )
