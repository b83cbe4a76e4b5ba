"""Sources, their write keys, labels and what they are connected to (contract: public-api 9, Sources)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import (
    DestinationShape,
    Done,
    Label,
    Name,
    Shape,
    SourceShape,
    WarehouseShape,
)
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.forms import merged
from headwater.manage.kinds import KINDS, refuse_own
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid, missing
from headwater.manage.showing import connected, show_destination, show_source, show_warehouse
from headwater.spec import computation, sql_trait
from headwater.spec.errors import SenderError
from headwater.spec.naming import snake_case
from headwater.spec.typed import converter
from headwater.spec.workspace import Source, Workspace
from headwater.store import audit, labels, sql_traits
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_KIND = "SOURCE"
SourceId = Annotated[str, Meta(min_length=1, max_length=255, description="The source's id.")]
Slug = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$",
        description="The source's short name, which also names its schema in warehouses.",
    ),
]
Labels = Annotated[list[Label], Meta(max_length=100, description="Labels.")]


class OneSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A source."""

    source_id: SourceId


class PageOfSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of what belongs to a source."""

    source_id: SourceId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class SourceAnswer(Shape, frozen=True, kw_only=True):
    """A source."""

    source: SourceShape


class ListSources(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of sources."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListSourcesAnswer(Shape, frozen=True, kw_only=True):
    """Sources, oldest first."""

    sources: list[SourceShape]
    pagination: Page


@operation("GET", "/sources", scope="sources:read", tag="Sources")
async def list_sources(desk: Desk, request: ListSources) -> ListSourcesAnswer:
    """List the sources of the workspace."""
    workspace = await desk.workspace()
    found, place = page(workspace.sources, request.pagination)
    return ListSourcesAnswer(sources=[show_source(one, workspace, desk.caller) for one in found], pagination=place)


class CreateSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A source to make."""

    slug: Slug
    metadata_id: Annotated[str, Meta(description="The kind of source, from the catalogue.")]
    enabled: Annotated[bool, Meta(description="Whether it takes events.")] = True
    name: Name | None = None
    settings: Annotated[dict[str, Any], Meta(description="Settings of its kind.")] = {}
    disconnect_all_warehouses: Annotated[bool, Meta(description="Load its events into no warehouse.")] = False


@operation("POST", "/sources", scope="sources:write", status=201, tag="Sources")
async def create_source(desk: Desk, request: CreateSource) -> SourceAnswer:
    """Make a source with its first write key."""
    if request.metadata_id not in KINDS:
        raise invalid("metadataId", f'"metadataId" is not in the catalogue of sources: {request.metadata_id}')

    def work(connection: Connection) -> tuple[Source, list[audit.Entry]]:
        _keep_schemas_apart(workspaces.load(connection), request.slug)
        made = workspaces.create_source(
            connection,
            slug=request.slug,
            name=request.name or request.slug,
            kind=request.metadata_id,
            enabled=request.enabled,
            settings=request.settings,
        )
        if request.disconnect_all_warehouses:
            for warehouse in workspaces.load(connection).warehouses:
                workspaces.connect_warehouse(connection, warehouse.id, made.id, connected=False)
        return made, [note(desk, "Source Created", _KIND, made.id, made.name)]

    made = await change(desk, work)
    return SourceAnswer(source=show_source(made, await desk.workspace(), desk.caller))


class GetSourceAnswer(Shape, frozen=True, kw_only=True):
    """A source, and the tracking plan that it is connected to."""

    source: SourceShape
    tracking_plan_id: str | None


@operation("GET", "/sources/{sourceId}", scope="sources:read", tag="Sources")
async def get_source(desk: Desk, request: OneSource) -> GetSourceAnswer:
    """Show a source."""
    workspace = await desk.workspace()
    found = _find(workspace, request.source_id)
    return GetSourceAnswer(source=show_source(found, workspace, desk.caller), tracking_plan_id=None)


class UpdateSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a source; what is absent stays."""

    source_id: SourceId
    name: Name | UnsetType = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it takes events.")] = UNSET
    slug: Slug | UnsetType = UNSET
    settings: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Settings to change; null removes one, absent ones stay.")
    ] = UNSET
    events_per_second: Annotated[
        Annotated[int, Meta(ge=0)] | UnsetType,
        Meta(description="Events it may send a second; 0: what collect.events_per_second says."),
    ] = UNSET


@operation("PATCH", "/sources/{sourceId}", scope="sources:write", tag="Sources")
async def update_source(desk: Desk, request: UpdateSource) -> SourceAnswer:
    """Change a source's name, slug or settings, or switch it on or off."""

    def work(connection: Connection) -> tuple[Source, list[audit.Entry]]:
        before = workspaces.find_source(connection, request.source_id)
        columns: dict[str, Any] = {
            name: value
            for name in ("name", "enabled", "slug", "events_per_second")
            if (value := getattr(request, name)) is not UNSET and value != getattr(before, name)
        }
        if columns.get("enabled") is False or request.settings is not UNSET:
            refuse_own(before, "it cannot be switched off, and has no settings")
        if "slug" in columns:
            _keep_schemas_apart(workspaces.load(connection), columns["slug"], but=before.id)
        if request.settings is not UNSET:
            columns["settings"] = merged(before.settings, request.settings)
        after = workspaces.update_source(connection, before.id, **columns)
        types = {
            "name": "Source Modified",
            "slug": "Source Modified",
            "enabled": "Source Enabled" if after.enabled else "Source Disabled",
            "settings": "Source Settings Modified",
            "events_per_second": "Source Settings Modified",
        }
        written = dict.fromkeys(types[column] for column in columns)
        return after, [note(desk, type, _KIND, after.id, after.name) for type in written]

    after = await change(desk, work)
    return SourceAnswer(source=show_source(after, await desk.workspace(), desk.caller))


@operation("DELETE", "/sources/{sourceId}", scope="sources:write", tag="Sources")
async def delete_source(desk: Desk, request: OneSource) -> Done:
    """Remove a source with its write keys and destinations; what it sent stays in the log and in warehouses."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        gone = workspaces.find_source(connection, request.source_id)
        _keep_own(connection, gone)
        workspaces.delete_source(connection, gone.id)
        return Done(), [note(desk, "Source Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


@operation("POST", "/sources/{sourceId}/writekey", scope="sources:write", tag="Sources")
async def create_write_key_for_source(desk: Desk, request: OneSource) -> SourceAnswer:
    """Give a source one more write key."""

    def work(connection: Connection) -> tuple[Source, list[audit.Entry]]:
        found = workspaces.find_source(connection, request.source_id)
        refuse_own(found, "it has no write key, and takes no events from outside")
        workspaces.create_write_key(connection, found.id)
        after = workspaces.find_source(connection, found.id)
        return after, [note(desk, "Source Modified", _KIND, found.id, found.name)]

    after = await change(desk, work)
    return SourceAnswer(source=show_source(after, await desk.workspace(), desk.caller))


class RemoveWriteKeyFromSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A write key of a source."""

    source_id: SourceId
    write_key: Annotated[str, Meta(description="The write key.")]


@operation("DELETE", "/sources/{sourceId}/writekey/{writeKey}", scope="sources:write", tag="Sources")
async def remove_write_key_from_source(desk: Desk, request: RemoveWriteKeyFromSource) -> Done:
    """Take a write key from a source; events that are sent with it are refused from then on."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        found = workspaces.find_source(connection, request.source_id)
        workspaces.remove_write_key(connection, found.id, request.write_key)
        return Done(), [note(desk, "Source Modified", _KIND, found.id, found.name)]

    return await change(desk, work)


class ListConnectedDestinationsAnswer(Shape, frozen=True, kw_only=True):
    """Destinations of a source."""

    destinations: list[DestinationShape]
    pagination: Page


@operation("GET", "/sources/{sourceId}/connected-destinations", scope="sources:read", tag="Sources")
async def list_connected_destinations_from_source(desk: Desk, request: PageOfSource) -> ListConnectedDestinationsAnswer:
    """List the destinations of a source."""
    workspace = await desk.workspace()
    source = _find(workspace, request.source_id)
    theirs = [one for one in workspace.destinations if one.source_id == source.id]
    found, place = page(theirs, request.pagination)
    return ListConnectedDestinationsAnswer(destinations=[show_destination(one) for one in found], pagination=place)


class ListConnectedWarehousesAnswer(Shape, frozen=True, kw_only=True):
    """Warehouses that load a source."""

    warehouses: list[WarehouseShape]
    pagination: Page


@operation("GET", "/sources/{sourceId}/connected-warehouses", scope="sources:read", tag="Sources")
async def list_connected_warehouses_from_source(desk: Desk, request: PageOfSource) -> ListConnectedWarehousesAnswer:
    """List the warehouses that load a source."""
    workspace = await desk.workspace()
    source = _find(workspace, request.source_id)
    loading = [one for one in workspace.warehouses if connected(one, source.id)]
    found, place = page(loading, request.pagination)
    return ListConnectedWarehousesAnswer(warehouses=[show_warehouse(one, workspace) for one in found], pagination=place)


class LabelSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Labels for a source."""

    source_id: SourceId
    labels: Labels


class LabelsAnswer(Shape, frozen=True, kw_only=True):
    """All labels of a source."""

    labels: list[Label]


@operation("POST", "/sources/{sourceId}/labels", scope="sources:write", tag="Sources")
async def add_labels_to_source(desk: Desk, request: LabelSource) -> LabelsAnswer:
    """Add labels to a source; one with a key that it has takes the place of that one."""
    return await _label(desk, request, keep=True)


@operation("PUT", "/sources/{sourceId}/labels", scope="sources:write", tag="Sources")
async def replace_labels_in_source(desk: Desk, request: LabelSource) -> LabelsAnswer:
    """Replace all labels of a source."""
    return await _label(desk, request, keep=False)


async def _label(desk: Desk, request: LabelSource, *, keep: bool) -> LabelsAnswer:
    def work(connection: Connection) -> tuple[Source, list[audit.Entry]]:
        before = workspaces.find_source(connection, request.source_id)
        given = {one["key"]: one for one in before.labels} if keep else {}
        given |= {one.key: msgspec.to_builtins(one) for one in request.labels}
        labels.learn(connection, [_as_known(one) for one in given.values()])
        after = workspaces.update_source(connection, before.id, labels=list(given.values()))
        return after, [note(desk, "Source Modified", _KIND, after.id, after.name)]

    after = await change(desk, work)
    return LabelsAnswer(labels=[_as_label(one) for one in after.labels])


def _find(workspace: Workspace, source_id: str) -> Source:
    found = next((one for one in workspace.sources if one.id == source_id), None)
    if found is None:
        raise missing("source")
    return found


def _keep_own(connection: Connection, source: Source) -> None:
    """Raises SenderError 409 for a space's own source that the space still needs."""
    space_id = source.settings.get("spaceId")
    match source.kind:
        case computation.ENGAGE:
            needed = any(one.space_id == space_id for one in workspaces.load(connection).computations)
        case sql_trait.SQL_TRAITS:
            needed = bool(sql_traits.of_space(connection, str(space_id)))
        case _:
            return
    if needed:
        refuse_own(source, "it stays while the space has anything to tell")


def _keep_schemas_apart(workspace: Workspace, slug: str, but: str = "") -> None:
    for other in workspace.sources:
        if other.id != but and snake_case(other.slug) == snake_case(slug):
            same = "is used by another source"
            alike = f'names the same warehouse schema as "{other.slug}"'
            raise SenderError(
                f'The slug "{slug}" {same if other.slug == slug else alike}.',
                code="conflict",
                status=409,
                field="slug",
            )


_as_label, _as_known = converter(Label), converter(labels.Label)
