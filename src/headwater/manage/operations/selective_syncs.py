"""Which tables a profiles warehouse is loaded with (contract: public-api 9, Profiles warehouse; governance 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headwater.manage.answers import Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.profiles_sync import KIND, PageOfProfilesWarehouse, WarehouseId, find
from headwater.manage.operations.spaces import SpaceId
from headwater.manage.operations.spaces import find as find_space
from headwater.manage.paging import Page, page
from headwater.manage.problems import invalid
from headwater.spec.naming import snake_case
from headwater.spec.workspace import ProfilesWarehouse, Workspace
from headwater.store import audit, names, profiles_warehouses
from headwater.warehouse import engines
from headwater.warehouse.profiles.names import EVENT_TABLES, PROFILE_TABLES, names_for

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MOST = 5_000
"""Tables that are listed (8.1)."""

_SPELLINGS = {"user_identifier": "user_identifiers"}


class Collection(Shape, frozen=True, kw_only=True):
    """A table, and whether it is loaded. `properties` is empty, since whole tables are left out."""

    collection: str
    warehouse_id: str
    enabled: bool
    properties: dict[str, Any]


class ListSelectiveSyncsAnswer(Shape, frozen=True, kw_only=True):
    """Tables: those of people, those that every event is in, and one for each event name that was sent so far."""

    items: list[Collection]
    enable_event_tables: bool
    pagination: Page


class Override(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a table is loaded."""

    collection: Annotated[str, Meta(min_length=1, max_length=255, description="The table.")]
    enabled: Annotated[bool, Meta(description="Whether it is loaded.")]
    property: Annotated[str | None, Meta(description="A column; not supported, tables are left out whole.")] = None


class UpdateSelectiveSync(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to load and what not. What is absent stays as it is."""

    space_id: SpaceId
    warehouse_id: WarehouseId
    sync_overrides: Annotated[list[Override], Meta(max_length=MOST, description="Tables to load or to leave out.")] = []
    enable_event_tables: Annotated[bool | None, Meta(description="Whether events are loaded at all.")] = None


class UpdateSelectiveSyncAnswer(Shape, frozen=True, kw_only=True):
    """Whether that changed anything."""

    status: Literal["UNCHANGED", "UPDATED"]


@operation(
    "GET",
    "/spaces/{spaceId}/profiles-warehouses/{warehouseId}/selective-syncs",
    scope="warehouses:read",
    tag="Profiles Sync",
)
async def list_selective_syncs_from_warehouse_and_space(
    desk: Desk, request: PageOfProfilesWarehouse
) -> ListSelectiveSyncsAnswer:
    """List the tables of a profiles warehouse, and which of them are loaded."""
    workspace = await desk.workspace()
    one = find(workspace, request.space_id, request.warehouse_id)
    of_events = await desk.store.read(lambda connection: _event_names(connection, workspace, one))
    identifier_bytes = engines.definition(one.engine).capabilities().identifier_bytes
    schema = names_for(identifier_bytes)
    events = dict.fromkeys([*EVENT_TABLES, *sorted(schema.table(name) for name in of_events), *one.without_tables])
    tables = [*PROFILE_TABLES, *(table for table in events if table not in PROFILE_TABLES)][:MOST]
    found, place = page(tables, request.pagination)
    return ListSelectiveSyncsAnswer(
        items=[
            Collection(collection=table, warehouse_id=one.id, enabled=_loaded(one, table), properties={})
            for table in found
        ],
        enable_event_tables=one.event_tables,
        pagination=place,
    )


@operation(
    "PATCH",
    "/spaces/{spaceId}/profiles-warehouses/{warehouseId}/selective-syncs",
    scope="warehouses:write",
    tag="Profiles Sync",
)
async def update_selective_sync_for_warehouse_and_space(
    desk: Desk, request: UpdateSelectiveSync
) -> UpdateSelectiveSyncAnswer:
    """Say which tables a profiles warehouse is loaded with; what a table missed meanwhile stays missing."""
    one = find(await desk.workspace(), request.space_id, request.warehouse_id)
    overrides = _checked(request.sync_overrides)

    def work(connection: Connection) -> tuple[bool, list[audit.Entry]]:
        before = profiles_warehouses.find(connection, one.id)
        columns = _columns(before, request.enable_event_tables, overrides, desk.now)
        if not columns:
            return False, []
        after = profiles_warehouses.update(connection, one.id, **columns)
        return True, [note(desk, "Profiles Sync Warehouse Modified", KIND, after.id, after.name)]

    return UpdateSelectiveSyncAnswer(status="UPDATED" if await change(desk, work) else "UNCHANGED")


def _loaded(one: ProfilesWarehouse, table: str) -> bool:
    return table not in one.without_tables and (one.event_tables or table in PROFILE_TABLES)


def _event_names(connection: Connection, workspace: Workspace, one: ProfilesWarehouse) -> set[str]:
    space = find_space(workspace, one.space_id)
    found: set[str] = set()
    for source in workspace.sources:
        if space.takes(source.id) and len(found) < MOST:
            counted, _ = names.find(connection, source.id, limit=MOST)
            found |= {each.name for each in counted if each.type == "track" and not each.overflow}
    return found


def _checked(overrides: Sequence[Override]) -> dict[str, bool]:
    """Which tables to load and which not. Raises Refused for what is no table, or a part of one."""
    found: dict[str, bool] = {}
    for at, each in enumerate(overrides):
        table = _SPELLINGS.get(each.collection, each.collection)
        if each.property is not None:
            field = f"syncOverrides.{at}.property"
            raise invalid(field, f'"{field}" is not supported: tables are loaded or left out whole')
        if snake_case(table) != table:
            field = f"syncOverrides.{at}.collection"
            raise invalid(field, f'"{field}" is not the name of a table')
        found[table] = each.enabled
    return found


def _columns(before: ProfilesWarehouse, events: bool | None, overrides: dict[str, bool], now: int) -> dict[str, Any]:
    """What changes of the warehouse. Raises Refused for single tables while events are left out altogether."""
    after = before.event_tables if events is None else events
    if overrides and not after:
        raise invalid("syncOverrides", '"syncOverrides" is not supported while "enableEventTables" is false')
    without = dict.fromkeys(before.without_tables)
    resumed = dict(before.resumed)
    for table, enabled in overrides.items():
        if enabled and table in without:
            del without[table]
            resumed[table] = now
        elif not enabled:
            without[table] = None
    columns: dict[str, Any] = {}
    if after != before.event_tables:
        columns["event_tables"] = after
    if set(without) != set(before.without_tables):
        columns |= {"without_tables": list(without), "resumed": resumed}
    return columns
