"""Which destinations and warehouses are told of an audience or computed trait (contract: public-api 9, Activations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Done, Shape
from headwater.manage.changing import change
from headwater.manage.computations import hold, told, with_run
from headwater.manage.connecting import (
    ACTIVATED,
    activated_as,
    calls_of,
    find_connection,
    new_id,
    put,
    read_id_sync,
    read_settings,
)
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid
from headwater.manage.showing import show_destination, show_warehouse
from headwater.spec.computation import ENGAGE, Computation, IdSync, Kind
from headwater.spec.computation import Connection as Told
from headwater.spec.errors import SenderError
from headwater.spec.space import Space
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Source, Workspace
from headwater.store import audit
from headwater.store import computations as kept
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

AudienceId = Annotated[str, Meta(min_length=1, max_length=255, description="The audience's id.")]
TraitId = Annotated[str, Meta(min_length=1, max_length=255, description="The computed trait's id.")]
TargetId = Annotated[
    str, Meta(min_length=1, max_length=255, description="The destination's or warehouse's id, or the connection's.")
]
IdSyncList = Annotated[
    list[IdSync],
    Meta(max_length=100, description="Which identifiers are told: at most 5 types, 3 of them all values."),
]
Settings = Annotated[
    dict[str, Any],
    Meta(
        description="sendIdentify, sendTrack, accountsAs, enteredName, exitedName, computedName, mobileIds, traits; "
        "the rest goes along with every call."
    ),
]


class TargetInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination of the space's own source, or a warehouse."""

    id: str
    type: Literal["destination", "warehouse", "DESTINATION", "WAREHOUSE"] = "destination"


Target = Annotated[TargetInput, Meta(description="What to connect.")]


class AddDestinationToAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination to tell of an audience."""

    space_id: SpaceId
    audience_id: AudienceId
    destination: Target
    id_sync_configuration: IdSyncList | None = None
    connection_settings: Settings | None = None


class AddDestinationToComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination to tell of a computed trait."""

    space_id: SpaceId
    id: TraitId
    destination: Target
    id_sync_configuration: IdSyncList | None = None
    connection_settings: Settings | None = None


class IdShape(Shape, frozen=True, kw_only=True):
    """An id."""

    id: str


class AddedConnection(Shape, frozen=True, kw_only=True):
    """The new connection."""

    connection: IdShape
    id_sync_configuration: tuple[IdSync, ...]
    connection_settings: dict[str, Any] | None


class ListDestinationsFromAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience."""

    space_id: SpaceId
    audience_id: AudienceId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListDestinationsFromComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A computed trait."""

    space_id: SpaceId
    id: TraitId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class KindShape(Shape, frozen=True, kw_only=True):
    """What kind of destination or warehouse it is."""

    id: str
    name: str
    slug: str


class ConnectionShape(Shape, frozen=True, kw_only=True):
    """A connection. `id` is its own id; `settings` are those of the destination, with secrets masked.

    `type`, `resync` and `upToDate` are Headwater's own: how often all was told again, and whether everything that
    stood when it was connected or told again has been told. A destination that is gone has no `metadata`.
    """

    id: str
    name: str
    type: Literal["destination", "warehouse"]
    source_id: str
    enabled: bool
    created_at: str
    updated_at: str
    settings: dict[str, Any]
    destination_id: str
    metadata: KindShape | UnsetType
    id_sync_configuration: tuple[IdSync, ...]
    connection_settings: dict[str, Any] | None
    resync: int
    up_to_date: bool


class ListConnectionsAnswer(Shape, frozen=True, kw_only=True):
    """The connections of an audience or computed trait."""

    connections: list[ConnectionShape]
    pagination: Page


class UpdateDestinationForAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a connection; what is absent stays. It matters to changes that come afterwards."""

    space_id: SpaceId
    audience_id: AudienceId
    destination_id: TargetId
    id_sync_configuration: IdSyncList | UnsetType = UNSET
    connection_settings: Settings | UnsetType | None = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it is told.")] = UNSET


class UpdateDestinationForComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a connection; what is absent stays. It matters to changes that come afterwards."""

    space_id: SpaceId
    id: TraitId
    destination_id: TargetId
    id_sync_configuration: IdSyncList | UnsetType = UNSET
    connection_settings: Settings | UnsetType | None = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it is told.")] = UNSET


class UpdatedConnection(Shape, frozen=True, kw_only=True):
    """The connection as it is now."""

    destination: IdShape
    id_sync_configuration: tuple[IdSync, ...]
    connection_settings: dict[str, Any] | None


class RemoveDestinationFromAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A connection."""

    space_id: SpaceId
    audience_id: AudienceId
    destination_id: TargetId


class RemoveDestinationFromComputedTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A connection."""

    space_id: SpaceId
    id: TraitId
    destination_id: TargetId


_AUDIENCE = "/spaces/{spaceId}/audiences/{audienceId}/destination-connections"
_TRAIT = "/headwater/spaces/{spaceId}/computed-traits/{id}/destination-connections"


@operation("POST", _AUDIENCE, scope="audiences:write", tag="Activations")
async def add_destination_to_audience(desk: Desk, request: AddDestinationToAudience) -> AddedConnection:
    """Have a destination of the space's own source, or a warehouse, told who enters and leaves an audience."""
    return await _add(desk, request, request.audience_id, "audience")


@operation("POST", _TRAIT, scope="audiences:write", tag="Activations")
async def add_destination_to_computed_trait(desk: Desk, request: AddDestinationToComputedTrait) -> AddedConnection:
    """Have a destination of the space's own source, or a warehouse, told the values of a computed trait."""
    return await _add(desk, request, request.id, "trait")


@operation("GET", _AUDIENCE, scope="audiences:read", tag="Activations")
async def list_destinations_from_audience(desk: Desk, request: ListDestinationsFromAudience) -> ListConnectionsAnswer:
    """List the destinations and warehouses that are told of an audience."""
    return await _list(desk, request, request.audience_id, "audience")


@operation("GET", _TRAIT, scope="audiences:read", tag="Activations")
async def list_destinations_from_computed_trait(
    desk: Desk, request: ListDestinationsFromComputedTrait
) -> ListConnectionsAnswer:
    """List the destinations and warehouses that are told of a computed trait."""
    return await _list(desk, request, request.id, "trait")


@operation("PATCH", f"{_AUDIENCE}/{{destinationId}}", scope="audiences:write", tag="Activations")
async def update_destination_for_audience(desk: Desk, request: UpdateDestinationForAudience) -> UpdatedConnection:
    """Change how a destination is told of an audience, or switch that on or off."""
    return await _update(desk, request, request.audience_id, "audience")


@operation("PATCH", f"{_TRAIT}/{{destinationId}}", scope="audiences:write", tag="Activations")
async def update_destination_for_computed_trait(
    desk: Desk, request: UpdateDestinationForComputedTrait
) -> UpdatedConnection:
    """Change how a destination is told of a computed trait, or switch that on or off."""
    return await _update(desk, request, request.id, "trait")


@operation("DELETE", f"{_AUDIENCE}/{{destinationId}}", scope="audiences:write", tag="Activations")
async def remove_destination_from_audience(desk: Desk, request: RemoveDestinationFromAudience) -> Done:
    """Tell a destination no more of an audience; its activations must be removed first."""
    return await _remove(desk, request, request.audience_id, "audience")


@operation("DELETE", f"{_TRAIT}/{{destinationId}}", scope="audiences:write", tag="Activations")
async def remove_destination_from_computed_trait(desk: Desk, request: RemoveDestinationFromComputedTrait) -> Done:
    """Tell a destination no more of a computed trait."""
    return await _remove(desk, request, request.id, "trait")


async def _add(
    desk: Desk, request: AddDestinationToAudience | AddDestinationToComputedTrait, id: str, kind: Kind
) -> AddedConnection:
    space = find(await desk.workspace(), request.space_id)
    settings = request.connection_settings or {}
    read = read_settings(settings)
    id_sync = read_id_sync(space, request.id_sync_configuration or [])

    def work(connection: Connection) -> tuple[Told, list[audit.Entry]]:
        before = hold(connection, space, id, kind)
        target = _target(connection, space, request.destination)
        if any(one.destination_id == target for one in before.connections):
            raise SenderError("It is connected already.", code="conflict", status=409)
        made = Told(
            id=new_id("con_"),
            destination_id=target,
            kind=_kind(request.destination),
            id_sync=id_sync,
            mobile_ids=read.mobile_ids,
            settings=settings,
            calls=calls_of(before, read),
        )
        return made, [_save(desk, connection, before, put(before, made))]

    made = await change(desk, work)
    return AddedConnection(
        connection=IdShape(id=made.id),
        id_sync_configuration=made.id_sync,
        connection_settings=made.settings or None,
    )


async def _list(
    desk: Desk, request: ListDestinationsFromAudience | ListDestinationsFromComputedTrait, id: str, kind: Kind
) -> ListConnectionsAnswer:
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    found, run = await with_run(desk, space, id, kind)
    shown, place = page(found.connections, request.pagination)
    heard = {} if run is None or run.version != found.version else run.told
    source = _source_of(workspace, space)
    return ListConnectionsAnswer(
        connections=[
            _show(one, found, workspace, source, up_to_date=heard.get(one.id, -1) >= one.resync) for one in shown
        ],
        pagination=place,
    )


async def _update(
    desk: Desk, request: UpdateDestinationForAudience | UpdateDestinationForComputedTrait, id: str, kind: Kind
) -> UpdatedConnection:
    space = find(await desk.workspace(), request.space_id)
    columns: dict[str, Any] = {}
    if not isinstance(request.id_sync_configuration, UnsetType):
        columns["id_sync"] = read_id_sync(space, request.id_sync_configuration)
    if not isinstance(request.enabled, UnsetType):
        columns["enabled"] = request.enabled
    settings = None if isinstance(request.connection_settings, UnsetType) else request.connection_settings or {}
    read = None if settings is None else read_settings(settings)

    def work(connection: Connection) -> tuple[Told, list[audit.Entry]]:
        before = hold(connection, space, id, kind)
        found = find_connection(before, request.destination_id)
        after = msgspec.structs.replace(found, **columns)
        if read is not None and settings is not None:
            after = msgspec.structs.replace(after, settings=settings, mobile_ids=read.mobile_ids)
            set_up = any(call.id.startswith(ACTIVATED) for call in after.calls)
            calls = activated_as(before, after.calls, read) if set_up else calls_of(before, read)
            after = msgspec.structs.replace(after, calls=calls)
        return after, [_save(desk, connection, before, put(before, after))] if after != found else []

    after = await change(desk, work)
    return UpdatedConnection(
        destination=IdShape(id=after.destination_id),
        id_sync_configuration=after.id_sync,
        connection_settings=after.settings or None,
    )


async def _remove(
    desk: Desk, request: RemoveDestinationFromAudience | RemoveDestinationFromComputedTrait, id: str, kind: Kind
) -> Done:
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        before = hold(connection, space, id, kind)
        gone = find_connection(before, request.destination_id)
        if any(call.id.startswith(ACTIVATED) for call in gone.calls):
            message = "The destination still has activations of this audience; remove them first."
            raise SenderError(message, code="conflict", status=409)
        left = tuple(one for one in before.connections if one.id != gone.id)
        return Done(), [_save(desk, connection, before, left)]

    return await change(desk, work)


def _save(desk: Desk, connection: Connection, before: Computation, connections: tuple[Told, ...]) -> audit.Entry:
    after = kept.update(connection, before.id, connections=connections, updated_by=desk.caller.actor)
    return told(desk, after, "Modified")


def _kind(wanted: TargetInput) -> Literal["destination", "warehouse"]:
    return "warehouse" if wanted.type.lower() == "warehouse" else "destination"


def _target(connection: Connection, space: Space, wanted: TargetInput) -> str:
    """The id of what is to be told; a warehouse loads the space's own source from then on.

    Raises SenderError 404, or Refused for a destination of another source: its source's events would go there too.
    """
    source = kept.engage_source(connection, space.id)
    if _kind(wanted) == "warehouse":
        warehouse = workspaces.find_warehouse(connection, wanted.id)
        if not warehouse.all_sources or source.id in warehouse.without_source_ids:
            workspaces.connect_warehouse(connection, warehouse.id, source.id, connected=True)
        return warehouse.id
    destination = workspaces.find_destination(connection, wanted.id)
    if destination.source_id != source.id:
        theirs = workspaces.find_source(connection, destination.source_id)
        raise invalid(
            "destination.id",
            f'The destination "{destination.name}" gets the events of the source "{theirs.name}". What changes in a '
            f'space is told to destinations of the source "{source.name}": make one there ({source.slug}).',
        )
    return destination.id


def _source_of(workspace: Workspace, space: Space) -> Source | None:
    return next(
        (one for one in workspace.sources if one.kind == ENGAGE and one.settings.get("spaceId") == space.id), None
    )


def _show(
    one: Told, found: Computation, workspace: Workspace, source: Source | None, *, up_to_date: bool
) -> ConnectionShape:
    shown = next((show_destination(each) for each in workspace.destinations if each.id == one.destination_id), None)
    stored = next((each for each in workspace.warehouses if each.id == one.destination_id), None)
    target = shown or (show_warehouse(stored, workspace) if stored is not None else None)
    created = next(
        (each.created_at for each in (*workspace.destinations, *workspace.warehouses) if each.id == one.destination_id),
        found.created_at,
    )
    return ConnectionShape(
        id=one.id,
        name=target.name if target else one.destination_id,
        type=one.kind,
        source_id=source.id if source else "",
        enabled=one.enabled,
        created_at=format_moment(created),
        updated_at=format_moment(found.updated_at),
        settings=target.settings if target else {},
        destination_id=one.destination_id,
        metadata=KindShape(id=target.metadata.id, name=target.metadata.name, slug=target.metadata.slug)
        if target
        else UNSET,
        id_sync_configuration=one.id_sync,
        connection_settings=one.settings or None,
        resync=one.resync,
        up_to_date=up_to_date,
    )
