"""Profiles warehouses over HTTP: made for a space, with a schema of their own, and loaded with the tables asked for."""

import asyncio
from pathlib import Path
from typing import Any

from manage_house import ManageHouse, running

from headwater.store import names
from headwater.store import workspace as workspaces


def with_space(folder: Path) -> tuple[ManageHouse, str]:
    house = ManageHouse(folder)
    space = house.store.run(lambda connection: workspaces.create_space(connection, slug="prod-people", name="People"))
    return house, space.id


def test_a_profiles_warehouse_is_made_changed_and_removed_and_the_trail_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        house, space_id = with_space(tmp_path)
        async with running(house):
            path = f"/spaces/{space_id}/profiles-warehouses"
            made = await house.ask("POST", path, {"metadataId": "duckdb", "settings": {}})
            assert made.status == 201
            one = made.data["profilesWarehouse"]
            assert (one["spaceId"], one["schemaName"], one["enabled"]) == (space_id, "prod_people", True)
            assert one["metadata"]["slug"] == "duckdb"
            listed = await house.ask("GET", "/spaces/prod-people/profiles-warehouses")
            assert [each["id"] for each in listed.data["profilesWarehouses"]] == [one["id"]]
            assert (await house.ask("GET", "/warehouses")).data["warehouses"] == []
            changed = await house.ask("PATCH", f"{path}/{one['id']}", {"name": "People", "enabled": False})
            assert changed.data["profilesWarehouse"] == one | {"name": "People", "enabled": False}
            kept = await house.ask("PATCH", f"{path}/{one['id']}", {"schemaName": "other"})
            assert (kept.status, kept.errors[0]["field"]) == (422, "schemaName")
            same = {"schemaName": "prod_people", "settings": {"path": "people.duckdb"}}
            assert (await house.ask("PATCH", f"{path}/{one['id']}", same)).status == 200
            syncs = await house.ask("GET", f"/headwater{path}/{one['id']}/syncs")
            assert syncs.data["reports"] == []
            assert (await house.ask("DELETE", f"{path}/{one['id']}")).data == {"status": "SUCCESS"}
            for method in ("PATCH", "DELETE"):
                assert (await house.ask(method, f"{path}/{one['id']}", {})).status == 404
            trail = await house.ask("GET", "/audit-events")
            types = [each["type"] for each in trail.data["events"]]
            assert sorted(types) == [
                "Profiles Sync Warehouse Created",
                "Profiles Sync Warehouse Deleted",
                "Profiles Sync Warehouse Updated",
                "Profiles Sync Warehouse Updated",
            ]

    asyncio.run(scenario())


def test_a_schema_that_is_a_sources_or_no_name_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        house, space_id = with_space(tmp_path)
        async with running(house):
            await house.source("prod-people")
            path = f"/spaces/{space_id}/profiles-warehouses"

            async def create(**fields: Any) -> Any:
                return await house.ask("POST", path, {"metadataId": "duckdb", "settings": {}, **fields})

            taken = await create()
            assert (taken.status, taken.errors[0]["field"]) == (422, "schemaName")
            assert "prod-people" in taken.errors[0]["message"]
            assert (await create(schemaName="Not Such")).errors[0]["message"].endswith("such as not_such")
            assert (await create(metadataId="oracle")).status == 422
            assert (await create(schemaName="people", settings={"path": "../x"})).status == 422
            assert (await create(schemaName="people", settings={"path": "x.duckdb"})).status == 201
            again = await create(schemaName="people", settings={"path": "x.duckdb"})
            assert "loads people into people" in again.errors[0]["message"]
            assert (await create(schemaName="people", settings={"path": "y.duckdb"})).status == 201
            assert (await house.ask("POST", "/spaces/none/profiles-warehouses", {})).status in (404, 422)

    asyncio.run(scenario())


def test_tables_are_left_out_and_taken_up_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        house, space_id = with_space(tmp_path)
        async with running(house):
            source_id = await house.source("web")
            count = names.NameCount(source_id, "track", "Order Completed", 1, 1, 1)
            house.store.run(lambda connection: names.add(connection, [count]))
            path = f"/spaces/{space_id}/profiles-warehouses"
            made = await house.ask("POST", path, {"metadataId": "duckdb", "settings": {}})
            path = f"{path}/{made.data['profilesWarehouse']['id']}/selective-syncs"

            async def loaded() -> dict[str, bool]:
                listed = (await house.ask("GET", f"{path}?pagination[count]=100")).data
                return {item["collection"]: item["enabled"] for item in listed["items"]}

            async def update(*overrides: dict[str, Any], **fields: Any) -> Any:
                return await house.ask("PATCH", path, {"syncOverrides": list(overrides), **fields})

            assert set(await loaded()) >= {"id_graph_updates", "user_traits", "tracks", "order_completed"}
            assert all((await loaded()).values())
            off = {"collection": "user_identifier", "enabled": False}
            assert (await update(off, {"collection": "pages", "enabled": False})).data == {"status": "UPDATED"}
            assert (await update(off)).data == {"status": "UNCHANGED"}
            assert [table for table, on in (await loaded()).items() if not on] == ["user_identifiers", "pages"]
            assert (await update({"collection": "pages", "enabled": True})).data == {"status": "UPDATED"}
            [one] = house.store.run(workspaces.load).profiles_warehouses
            assert one.without_tables == ("user_identifiers",)
            assert list(one.resumed) == ["pages"]
            assert (await update(off | {"property": "value"})).errors[0]["field"] == "syncOverrides.0.property"
            assert (await update(off, enableEventTables=False)).errors[0]["field"] == "syncOverrides"
            assert (await update(enableEventTables=False)).data == {"status": "UPDATED"}
            assert not (await loaded())["order_completed"]
            trail = (await house.ask("GET", "/audit-events")).data["events"]
            assert [each["type"] for each in trail].count("Profiles Sync Warehouse Modified") == 3

    asyncio.run(scenario())
