"""Warehouses, what they load, and how that went (contract: public-api 9, Warehouses)."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Done, Name, Shape, SourceShape, WarehouseShape
from headwater.manage.changing import change, note
from headwater.manage.connecting import refuse_used
from headwater.manage.desk import Desk
from headwater.manage.forms import fill_in
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid, missing
from headwater.manage.showing import connected, show_source, show_warehouse
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Warehouse, Workspace
from headwater.store import audit, loads
from headwater.store import workspace as workspaces
from headwater.warehouse import engines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_KIND = "WAREHOUSE"
_PATIENCE = 15.0
_STATES = {"running": "running", "success": "success", "partial": "partial", "failure": "failed"}
WarehouseId = Annotated[str, Meta(min_length=1, max_length=255, description="The warehouse's id.")]
State = Literal["CONNECTED", "FAILED"]


class OneWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A warehouse."""

    warehouse_id: WarehouseId


class PageOfWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of what belongs to a warehouse."""

    warehouse_id: WarehouseId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class WarehouseAnswer(Shape, frozen=True, kw_only=True):
    """A warehouse, with its secrets masked."""

    warehouse: WarehouseShape


class ListWarehouses(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of warehouses."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListWarehousesAnswer(Shape, frozen=True, kw_only=True):
    """Warehouses, oldest first."""

    warehouses: list[WarehouseShape]
    pagination: Page


@operation("GET", "/warehouses", scope="warehouses:read", tag="Warehouses")
async def list_warehouses(desk: Desk, request: ListWarehouses) -> ListWarehousesAnswer:
    """List the warehouses of the workspace."""
    workspace = await desk.workspace()
    found, place = page(workspace.warehouses, request.pagination)
    return ListWarehousesAnswer(warehouses=[show_warehouse(one, workspace) for one in found], pagination=place)


class CreateWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A warehouse to load."""

    metadata_id: Annotated[str, Meta(description="The kind of warehouse, from the catalogue.")]
    settings: Annotated[dict[str, Any], Meta(description="Its settings; the catalogue lists them.")]
    name: Name | None = None
    enabled: Annotated[bool, Meta(description="Whether it is loaded.")] = True
    disconnect_all_sources: Annotated[bool, Meta(description="Load no source until one is connected.")] = False


@operation("POST", "/warehouses", scope="warehouses:write", status=201, tag="Warehouses")
async def create_warehouse(desk: Desk, request: CreateWarehouse) -> WarehouseAnswer:
    """Make a warehouse that is loaded with the events of all sources, unless that is declined."""
    settings, _ = settings_of(desk, request.metadata_id, {}, request.settings)
    name = request.name or engines.definition(request.metadata_id).name

    def work(connection: Connection) -> tuple[Warehouse, list[audit.Entry]]:
        made = workspaces.create_warehouse(
            connection,
            engine=request.metadata_id,
            name=name,
            enabled=request.enabled,
            settings=settings,
            all_sources=not request.disconnect_all_sources,
        )
        return made, [note(desk, "Storage Destination Created", _KIND, made.id, made.name)]

    made = await change(desk, work)
    return WarehouseAnswer(warehouse=show_warehouse(made, await desk.workspace()))


@operation("GET", "/warehouses/{warehouseId}", scope="warehouses:read", tag="Warehouses")
async def get_warehouse(desk: Desk, request: OneWarehouse) -> WarehouseAnswer:
    """Show a warehouse."""
    workspace = await desk.workspace()
    return WarehouseAnswer(warehouse=show_warehouse(_find(workspace, request.warehouse_id), workspace))


class UpdateWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a warehouse; what is absent stays."""

    warehouse_id: WarehouseId
    settings: Annotated[
        dict[str, Any] | UnsetType,
        Meta(description="Settings to change; null removes one, absent and masked ones stay."),
    ] = UNSET
    name: Name | UnsetType | None = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it is loaded.")] = UNSET


@operation("PATCH", "/warehouses/{warehouseId}", scope="warehouses:write", tag="Warehouses")
async def update_warehouse(desk: Desk, request: UpdateWarehouse) -> WarehouseAnswer:
    """Change a warehouse's name or settings, or switch it on or off."""

    def work(connection: Connection) -> tuple[Warehouse, list[audit.Entry]]:
        before = workspaces.find_warehouse(connection, request.warehouse_id)
        columns: dict[str, Any] = {}
        if isinstance(request.name, str) and request.name != before.name:
            columns["name"] = request.name
        if request.enabled is not UNSET and request.enabled != before.enabled:
            columns["enabled"] = request.enabled
        if request.settings is not UNSET:
            columns["settings"], _ = settings_of(desk, before.engine, before.settings, request.settings)
        after = workspaces.update_warehouse(connection, before.id, **columns)
        types = ["Storage Destination Modified"] if columns.keys() - {"enabled"} else []
        if "enabled" in columns:
            types.append("Storage Destination Enabled" if after.enabled else "Storage Destination Disabled")
        return after, [note(desk, type, _KIND, after.id, after.name) for type in types]

    after = await change(desk, work)
    return WarehouseAnswer(warehouse=show_warehouse(after, await desk.workspace()))


@operation("DELETE", "/warehouses/{warehouseId}", scope="warehouses:write", tag="Warehouses")
async def delete_warehouse(desk: Desk, request: OneWarehouse) -> Done:
    """Load a warehouse no longer; its tables stay as they are."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        gone = workspaces.find_warehouse(connection, request.warehouse_id)
        refuse_used(workspaces.load(connection).computations, gone.id, noun="warehouse")
        workspaces.delete_warehouse(connection, gone.id)
        return Done(), [note(desk, "Storage Destination Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


class CreateValidation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings to try."""

    metadata_id: Annotated[str, Meta(description="The kind of warehouse, from the catalogue.")]
    settings: Annotated[dict[str, Any], Meta(description="Its settings.")]


class ValidationAnswer(Shape, frozen=True, kw_only=True):
    """Whether the warehouse could be reached with them; `reason` says why not."""

    status: State
    reason: str = ""


@operation("POST", "/warehouses/validation", scope="warehouses:write", tag="Warehouses", changes=False)
async def create_validation_in_warehouse(desk: Desk, request: CreateValidation) -> ValidationAnswer:
    """Try whether a warehouse can be reached with these settings."""
    _, opened = settings_of(desk, request.metadata_id, {}, request.settings)
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
        reason = await _try(request.metadata_id, opened, engines.Place(Path(folder), "validation"))
    return ValidationAnswer(status="FAILED" if reason else "CONNECTED", reason=reason)


class ConnectionStateAnswer(Shape, frozen=True, kw_only=True):
    """Whether the warehouse can be reached; `reason` says why not."""

    connection_state: State
    reason: str = ""


@operation("GET", "/warehouses/{warehouseId}/connection-state", scope="warehouses:read", tag="Warehouses")
async def get_connection_state_from_warehouse(desk: Desk, request: OneWarehouse) -> ConnectionStateAnswer:
    """Try whether a warehouse can be reached."""
    warehouse = _find(await desk.workspace(), request.warehouse_id)
    try:
        _, opened = settings_of(desk, warehouse.engine, warehouse.settings, {})
        reason = await _try(warehouse.engine, opened, engines.Place(desk.folder / "warehouse", warehouse.id))
    except SetupError as error:
        reason = str(error)
    return ConnectionStateAnswer(connection_state="FAILED" if reason else "CONNECTED", reason=reason)


class ListConnectedSourcesAnswer(Shape, frozen=True, kw_only=True):
    """Sources that a warehouse loads."""

    sources: list[SourceShape]
    pagination: Page


@operation("GET", "/warehouses/{warehouseId}/connected-sources", scope="warehouses:read", tag="Warehouses")
async def list_connected_sources_from_warehouse(desk: Desk, request: PageOfWarehouse) -> ListConnectedSourcesAnswer:
    """List the sources that a warehouse loads."""
    workspace = await desk.workspace()
    warehouse = _find(workspace, request.warehouse_id)
    loaded = [one for one in workspace.sources if connected(warehouse, one.id)]
    found, place = page(loaded, request.pagination)
    return ListConnectedSourcesAnswer(
        sources=[show_source(one, workspace, desk.caller) for one in found], pagination=place
    )


class WarehouseAndSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A warehouse and a source."""

    warehouse_id: WarehouseId
    source_id: Annotated[str, Meta(description="The source's id.")]


class ConnectedAnswer(Shape, frozen=True, kw_only=True):
    """Whether the warehouse loads the source."""

    status: Literal["CONNECTED", "NOT_CONNECTED"]


@operation(
    "POST",
    "/warehouses/{warehouseId}/connected-sources/{sourceId}",
    scope="warehouses:write",
    status=201,
    tag="Warehouses",
)
async def add_connection_from_source_to_warehouse(desk: Desk, request: WarehouseAndSource) -> ConnectedAnswer:
    """Load a source's events into a warehouse, from now on."""
    warehouse = await _connect(desk, request, to_be=True)
    return ConnectedAnswer(status="CONNECTED" if connected(warehouse, request.source_id) else "NOT_CONNECTED")


@operation(
    "DELETE", "/warehouses/{warehouseId}/connected-sources/{sourceId}", scope="warehouses:write", tag="Warehouses"
)
async def remove_source_connection_from_warehouse(desk: Desk, request: WarehouseAndSource) -> Done:
    """Load a source's events into a warehouse no longer; what is loaded stays."""
    await _connect(desk, request, to_be=False)
    return Done()


class Notice(Shape, frozen=True, kw_only=True):
    """What a load has to say."""

    level: str
    message: str
    created_at: str


class Sync(Shape, frozen=True, kw_only=True):
    """One load. `duration` is in milliseconds. A load takes all sources, so `sourceId` is that asked for, or empty."""

    source_id: str
    start: str
    end: str | None
    status: str
    duration: int
    human_duration: str
    count: int
    notices: list[Notice]


class ListSyncsAnswer(Shape, frozen=True, kw_only=True):
    """Loads, newest first."""

    reports: list[Sync]
    pagination: Page


@operation("GET", "/warehouses/{warehouseId}/syncs", scope="warehouses:read", tag="Warehouses")
async def list_syncs_from_warehouse(desk: Desk, request: PageOfWarehouse) -> ListSyncsAnswer:
    """List the loads of a warehouse."""
    warehouse = _find(await desk.workspace(), request.warehouse_id)
    return await syncs_of(desk, warehouse.id, request.pagination)


class PageOfWarehouseAndSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of what belongs to a warehouse and a source."""

    warehouse_id: WarehouseId
    source_id: Annotated[str, Meta(description="The source's id.")]
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


@operation(
    "GET", "/warehouses/{warehouseId}/connected-sources/{sourceId}/syncs", scope="warehouses:read", tag="Warehouses"
)
async def list_syncs_from_warehouse_and_source(desk: Desk, request: PageOfWarehouseAndSource) -> ListSyncsAnswer:
    """List the loads of a warehouse that a source's events were part of."""
    workspace = await desk.workspace()
    if not any(one.id == request.source_id for one in workspace.sources):
        raise missing("source")
    if not connected(_find(workspace, request.warehouse_id), request.source_id):
        raise missing("connection of this source to this warehouse")
    return await syncs_of(desk, request.warehouse_id, request.pagination, source_id=request.source_id)


async def syncs_of(desk: Desk, warehouse_id: str, pagination: Pagination, *, source_id: str = "") -> ListSyncsAnswer:
    """A page of the loads of a warehouse, newest first."""
    kept = await desk.store.read(lambda connection: loads.list_loads(connection, warehouse_id, limit=loads.KEPT))
    found, place = page(kept, pagination)
    return ListSyncsAnswer(reports=[_show(one, desk.now, source_id) for one in found], pagination=place)


async def _connect(desk: Desk, request: WarehouseAndSource, *, to_be: bool) -> Warehouse:
    def work(connection: Connection) -> tuple[Warehouse, list[audit.Entry]]:
        after = workspaces.connect_warehouse(connection, request.warehouse_id, request.source_id, connected=to_be)
        return after, [note(desk, "Storage Destination Modified", _KIND, after.id, after.name)]

    return await change(desk, work)


async def _try(engine: str, opened: dict[str, Any], place: engines.Place) -> str:
    """Why the warehouse cannot be reached; empty when it can."""
    try:
        checking = asyncio.to_thread(engines.definition(engine).check, opened, place)
        await asyncio.wait_for(checking, _PATIENCE)
    except (SetupError, Unavailable) as error:
        return str(error)
    except TimeoutError:
        return f"The warehouse did not answer within {_PATIENCE:.0f} seconds."
    return ""


def settings_of(
    desk: Desk, engine: str, before: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of a warehouse after a change, as they are stored and opened. Raises SenderError when they cannot be."""
    if engine not in engines.names():
        raise invalid("metadataId", f'"metadataId" is not in the catalogue of warehouses: {engine}')
    definition = engines.usable(engine, desk.settings.warehouse)
    stored, opened = fill_in(definition.fields, before, changes, desk.secrets)
    definition.fits(opened)
    return stored, opened


def _find(workspace: Workspace, warehouse_id: str) -> Warehouse:
    found = next((one for one in workspace.warehouses if one.id == warehouse_id), None)
    if found is None:
        raise missing("warehouse")
    return found


def _show(load: loads.Load, now: int, source_id: str) -> Sync:
    took = (load.ended_at or now) - load.started_at
    return Sync(
        source_id=source_id,
        start=format_moment(load.started_at),
        end=None if load.ended_at is None else format_moment(load.ended_at),
        status=_STATES.get(load.state, load.state),
        duration=took,
        human_duration=f"{took / 1000:.1f} seconds",
        count=load.rows,
        notices=[
            Notice(level="warning", message=one, created_at=format_moment(load.ended_at or load.started_at))
            for one in load.notices
        ],
    )
