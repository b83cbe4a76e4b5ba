"""Profiles Sync: warehouses of the people of a space (contract: public-api 9, Profiles warehouse)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Done, Name, Shape, WarehouseMetadata
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.forms import masked
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import SpaceId
from headwater.manage.operations.spaces import find as find_space
from headwater.manage.operations.warehouses import ListSyncsAnswer, settings_of, syncs_of
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid, missing
from headwater.manage.showing import show_engine
from headwater.spec.workspace import ProfilesWarehouse, Workspace
from headwater.store import audit, profiles_warehouses
from headwater.warehouse import engines
from headwater.warehouse.profiles.names import names_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

KIND = "WAREHOUSE"
WarehouseId = Annotated[str, Meta(min_length=1, max_length=255, description="The profiles warehouse's id.")]
SchemaName = Annotated[
    str, Meta(min_length=1, max_length=255, description="The schema of its tables; the space's slug if absent.")
]


class ProfilesWarehouseShape(Shape, frozen=True, kw_only=True):
    """A warehouse of the people of a space, with its secrets masked. `name` is Headwater's own."""

    id: str
    space_id: str
    workspace_id: str
    name: str
    enabled: bool
    metadata: WarehouseMetadata
    settings: dict[str, Any]
    schema_name: str


class ProfilesWarehouseAnswer(Shape, frozen=True, kw_only=True):
    """A profiles warehouse."""

    profiles_warehouse: ProfilesWarehouseShape


class PageOfSpace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of what belongs to a space."""

    space_id: SpaceId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class OneProfilesWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A profiles warehouse of a space."""

    space_id: SpaceId
    warehouse_id: WarehouseId


class PageOfProfilesWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of what belongs to a profiles warehouse."""

    space_id: SpaceId
    warehouse_id: WarehouseId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListProfilesWarehousesAnswer(Shape, frozen=True, kw_only=True):
    """Profiles warehouses, oldest first."""

    profiles_warehouses: list[ProfilesWarehouseShape]
    pagination: Page


class CreateProfilesWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A warehouse for the people of a space. Its schema stays as it is made."""

    space_id: SpaceId
    metadata_id: Annotated[str, Meta(description="The kind of warehouse, from the catalogue.")]
    settings: Annotated[dict[str, Any], Meta(description="Its settings; the catalogue lists them.")]
    name: Name | None = None
    enabled: Annotated[bool, Meta(description="Whether it is loaded.")] = True
    schema_name: SchemaName | None = None


class UpdateProfilesWarehouse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a profiles warehouse; what is absent stays."""

    space_id: SpaceId
    warehouse_id: WarehouseId
    settings: Annotated[
        dict[str, Any] | UnsetType,
        Meta(description="Settings to change; null removes one, absent and masked ones stay."),
    ] = UNSET
    name: Name | UnsetType | None = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it is loaded.")] = UNSET
    schema_name: SchemaName | UnsetType | None = UNSET


@operation("GET", "/spaces/{spaceId}/profiles-warehouses", scope="warehouses:read", tag="Profiles Sync")
async def list_profiles_warehouse_in_space(desk: Desk, request: PageOfSpace) -> ListProfilesWarehousesAnswer:
    """List the warehouses of a space's people."""
    workspace = await desk.workspace()
    space = find_space(workspace, request.space_id)
    mine = [one for one in workspace.profiles_warehouses if one.space_id == space.id]
    found, place = page(mine, request.pagination)
    return ListProfilesWarehousesAnswer(profiles_warehouses=[_show(one, workspace) for one in found], pagination=place)


@operation("POST", "/spaces/{spaceId}/profiles-warehouses", scope="warehouses:write", status=201, tag="Profiles Sync")
async def create_profiles_warehouse(desk: Desk, request: CreateProfilesWarehouse) -> ProfilesWarehouseAnswer:
    """Have a space's people, their merges and their events loaded into a schema of a warehouse."""
    workspace = await desk.workspace()
    space = find_space(workspace, request.space_id)
    stored, opened = settings_of(desk, request.metadata_id, {}, request.settings)
    engine = engines.definition(request.metadata_id)
    schema = _schema(request.schema_name, space.slug, engine.capabilities().identifier_bytes)
    _refuse_taken(schema, workspace, request.metadata_id, _where(engine, opened))

    def work(connection: Connection) -> tuple[ProfilesWarehouse, list[audit.Entry]]:
        made = profiles_warehouses.create(
            connection,
            space_id=space.id,
            engine=request.metadata_id,
            name=request.name or engine.name,
            schema_name=schema,
            enabled=request.enabled,
            settings=stored,
        )
        return made, [note(desk, "Profiles Sync Warehouse Created", KIND, made.id, made.name)]

    made = await change(desk, work)
    return ProfilesWarehouseAnswer(profiles_warehouse=_show(made, await desk.workspace()))


@operation(
    "PATCH",
    "/spaces/{spaceId}/profiles-warehouses/{warehouseId}",
    scope="warehouses:write",
    tag="Profiles Sync",
)
async def update_profiles_warehouse_for_space_warehouse(
    desk: Desk, request: UpdateProfilesWarehouse
) -> ProfilesWarehouseAnswer:
    """Change a profiles warehouse's name or settings, or switch it on or off; its schema stays."""
    one = find(await desk.workspace(), request.space_id, request.warehouse_id)
    if isinstance(request.schema_name, str) and request.schema_name != one.schema_name:
        raise invalid("schemaName", f'"schemaName" cannot be changed; it is {one.schema_name}')

    def work(connection: Connection) -> tuple[ProfilesWarehouse, list[audit.Entry]]:
        before = profiles_warehouses.find(connection, one.id)
        columns: dict[str, Any] = {}
        if isinstance(request.name, str) and request.name != before.name:
            columns["name"] = request.name
        if request.enabled is not UNSET and request.enabled != before.enabled:
            columns["enabled"] = request.enabled
        if request.settings is not UNSET:
            columns["settings"], _ = settings_of(desk, before.engine, before.settings, request.settings)
        after = profiles_warehouses.update(connection, before.id, **columns)
        entry = note(desk, "Profiles Sync Warehouse Updated", KIND, after.id, after.name)
        return after, [entry] if columns else []

    after = await change(desk, work)
    return ProfilesWarehouseAnswer(profiles_warehouse=_show(after, await desk.workspace()))


@operation(
    "DELETE",
    "/spaces/{spaceId}/profiles-warehouses/{warehouseId}",
    scope="warehouses:write",
    tag="Profiles Sync",
)
async def remove_profiles_warehouse_from_space(desk: Desk, request: OneProfilesWarehouse) -> Done:
    """Load a profiles warehouse no longer; its tables stay as they are."""
    one = find(await desk.workspace(), request.space_id, request.warehouse_id)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        profiles_warehouses.delete(connection, one.id)
        return Done(), [note(desk, "Profiles Sync Warehouse Deleted", KIND, one.id, one.name)]

    return await change(desk, work)


@operation(
    "GET",
    "/headwater/spaces/{spaceId}/profiles-warehouses/{warehouseId}/syncs",
    scope="warehouses:read",
    tag="Profiles Sync",
)
async def list_syncs_from_profiles_warehouse(desk: Desk, request: PageOfProfilesWarehouse) -> ListSyncsAnswer:
    """List the loads of a profiles warehouse."""
    one = find(await desk.workspace(), request.space_id, request.warehouse_id)
    return await syncs_of(desk, one.id, request.pagination)


def find(workspace: Workspace, space_name: str, warehouse_id: str) -> ProfilesWarehouse:
    """A profiles warehouse of a space that is named by id or slug. Raises SenderError 404."""
    space = find_space(workspace, space_name)
    for one in workspace.profiles_warehouses:
        if one.id == warehouse_id and one.space_id == space.id:
            return one
    raise missing("profiles warehouse")


def _show(one: ProfilesWarehouse, workspace: Workspace) -> ProfilesWarehouseShape:
    fields = engines.definition(one.engine).fields if one.engine in engines.names() else ()
    return ProfilesWarehouseShape(
        id=one.id,
        space_id=one.space_id,
        workspace_id=workspace.id,
        name=one.name,
        enabled=one.enabled,
        metadata=show_engine(one.engine),
        settings=masked(one.settings, fields),
        schema_name=one.schema_name,
    )


def _schema(asked: str | None, slug: str, identifier_bytes: int) -> str:
    """The schema that is asked for, or that of the space's slug. Raises Refused for what cannot be one as it is."""
    schema = names_for(identifier_bytes).schema(slug if asked is None else asked)
    if not schema or (asked is not None and schema != asked):
        hint = f", such as {schema}" if schema else ""
        raise invalid("schemaName", f'"schemaName" must be of lower-case letters, digits and underscores{hint}')
    return schema


def _refuse_taken(schema: str, workspace: Workspace, engine: str, where: Mapping[str, Any]) -> None:
    """Raises Refused when the schema is a source's, or another space's in the same warehouse (4.4)."""
    identifier_bytes = engines.definition(engine).capabilities().identifier_bytes
    of_sources = names_for(identifier_bytes).schemas(workspace.sources)
    for source in workspace.sources:
        if of_sources[source.id] == schema:
            said = f'the events of the source "{source.name}" are loaded into the schema {schema}'
            raise invalid("schemaName", f'"schemaName" must be another one: {said}')
    for other in workspace.profiles_warehouses:
        if (other.engine, other.schema_name) == (engine, schema) and where == _where(
            engines.definition(engine), other.settings
        ):
            raise invalid("schemaName", f'"schemaName" must be another one: {other.name} loads people into {schema}')


def _where(engine: engines.EngineDefinition, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of the settings tells one warehouse from another; whoever is given none has a place of its own."""
    found = {field.key: settings.get(field.key, field.default) for field in engine.fields if not field.secret}
    return found if any(settings.values()) else {"": object()}
