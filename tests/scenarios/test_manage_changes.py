"""Destinations and warehouses over HTTP, secrets that stay inside, and a trail of every change."""

import asyncio
from pathlib import Path
from typing import Any

from manage_house import ManageHouse, running

from headwater.contracts.shape import bytes_of_store
from headwater.manage.operations import OPERATIONS

ON_AUDIENCES = {"Audiences", "Computed Traits", "Activations"}
"""What is changed there is in the trail too: test_manage_audiences.py."""

PARTS = {"destination", "labels"}
"""What is changed below these paths is in test_manage_subscriptions.py and test_manage_filters.py."""

WORDS = ("subscription", "oauth", "authorization")
"""So is what has these in its name, or in test_oauth_authorize.py."""

SECRET = "correct-horse-battery-staple"

Told = list[tuple[str, list[str]]]
"""Operations by name, with the lines that each leaves in the trail."""


def test_a_secret_never_comes_back_and_a_mask_keeps_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            destination = await house.webhook(source, sharedSecret=SECRET)
            path = f"/destinations/{destination}"
            settings = (await house.ask("GET", path)).data["destination"]["settings"]
            changed = await house.ask("PATCH", path, {"settings": {**settings, "method": "PUT"}})
            assert changed.data["destination"]["settings"]["sharedSecret"] == "••••"
            kept = (await _stored(house, destination)).settings["sharedSecret"]
            assert house.secrets.open(kept) == SECRET
            for shown in (path, "/destinations", f"/sources/{source}/connected-destinations", "/audit-events"):
                text = str((await house.ask("GET", shown)).body)
                assert SECRET not in text
                assert "sealed:" not in text
            assert SECRET.encode() not in bytes_of_store(house.store)

    asyncio.run(scenario())


async def _stored(house: ManageHouse, destination_id: str) -> Any:
    from headwater.store import workspace as workspaces

    return await house.store.read(lambda connection: workspaces.find_destination(connection, destination_id))


def test_settings_that_cannot_work_are_refused_and_change_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            path = f"/destinations/{await house.webhook(source)}"
            for settings, field in (
                ({"url": "not a url"}, "settings"),
                ({"typo": 1}, "settings.typo"),
                ({"method": "BREW"}, "settings.method"),
                ({"url": None}, "settings.url"),
            ):
                refused = await house.ask("PATCH", path, {"settings": settings})
                assert (refused.status, refused.errors[0]["field"]) == (422, field)
            assert (await house.ask("GET", path)).data["destination"]["settings"] == {"url": "http://hook.test/"}
            for body, status in (
                ({"sourceId": "none", "metadataId": "webhook", "settings": {"url": "http://a.test"}}, 404),
                ({"sourceId": source, "metadataId": "none", "settings": {}}, 422),
                ({"sourceId": source, "metadataId": "webhook"}, 422),
            ):
                assert (await house.ask("POST", "/destinations", body)).status == status

    asyncio.run(scenario())


def test_a_destination_pauses_resumes_and_goes_with_its_source(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            destination = await house.webhook(source)
            path = f"/headwater/destinations/{destination}"
            assert (await house.ask("POST", f"{path}/pause")).data["destination"]["paused"] is True
            assert (await house.ask("POST", f"{path}/resume")).data["destination"]["paused"] is False
            assert (await house.ask("POST", "/headwater/destinations/none/pause")).status == 404
            await house.ask("PATCH", f"/destinations/{destination}", {"name": None, "enabled": False})
            shown = (await house.ask("GET", f"/destinations/{destination}")).data["destination"]
            assert (shown["name"], shown["enabled"]) == ("Webhook", False)
            await house.ask("DELETE", f"/sources/{source}")
            assert (await house.ask("GET", f"/destinations/{destination}")).status == 404

    asyncio.run(scenario())


def test_a_destination_is_connected_to_a_source_by_its_id_or_its_slug(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            slug = (await house.ask("GET", f"/sources/{source}")).data["source"]["slug"]
            wanted = {"metadataId": "webhook", "settings": {"url": "https://example.com/"}}
            for name in (source, slug):
                made = await house.ask("POST", "/destinations", wanted | {"sourceId": name})
                assert made.data["destination"]["sourceId"] == source
            assert (await house.ask("POST", "/destinations", wanted | {"sourceId": "nobody"})).status == 404

    asyncio.run(scenario())


def test_a_warehouse_is_made_connected_tried_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            made = await house.ask("POST", "/warehouses", {"metadataId": "duckdb", "settings": {}, "name": "Lake"})
            assert made.status == 201
            path = f"/warehouses/{made.data['warehouse']['id']}"
            sources = f"{path}/connected-sources"
            assert [one["id"] for one in (await house.ask("GET", sources)).data["sources"]] == [source]
            await house.ask("DELETE", f"{sources}/{source}")
            assert (await house.ask("GET", sources)).data["sources"] == []
            assert (await house.ask("GET", f"/sources/{source}/connected-warehouses")).data["warehouses"] == []
            back = await house.ask("POST", f"{sources}/{source}")
            assert (back.status, back.data) == (201, {"status": "CONNECTED"})
            assert (await house.ask("POST", f"{sources}/none")).status == 404
            assert (await house.ask("GET", f"{path}/connection-state")).data["connectionState"] == "CONNECTED"
            assert (await house.ask("GET", f"{path}/syncs")).data["reports"] == []
            assert (await house.ask("DELETE", path)).data == {"status": "SUCCESS"}
            assert (await house.ask("GET", path)).status == 404

    asyncio.run(scenario())


def test_a_warehouse_that_cannot_be_reached_fails_with_the_reason_and_not_with_an_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            settings = {"host": "127.0.0.1", "port": 1, "database": "d", "username": "u", "password": SECRET}
            tried = await house.ask("POST", "/warehouses/validation", {"metadataId": "postgres", "settings": settings})
            assert tried.data["status"] == "FAILED"
            assert tried.data["reason"]
            assert SECRET not in str(tried.body)
            made = await house.ask("POST", "/warehouses", {"metadataId": "postgres", "settings": settings})
            assert made.data["warehouse"]["settings"]["password"] == "••••"

    asyncio.run(scenario())


def test_a_warehouse_cannot_name_a_file_of_the_machine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for path in (str(tmp_path / "secret.key"), "../store.sqlite"):
                body = {"metadataId": "duckdb", "settings": {"path": path}}
                for operation in ("/warehouses", "/warehouses/validation"):
                    refused = await house.ask("POST", operation, body)
                    assert (refused.status, "must be relative" in refused.errors[0]["message"]) == (422, True)
            made = await house.ask("POST", "/warehouses", {"metadataId": "duckdb", "settings": {}})
            warehouse = f"/warehouses/{made.data['warehouse']['id']}"
            refused = await house.ask("PATCH", warehouse, {"settings": {"path": "/etc/passwd"}})
            assert refused.status == 422
            assert (await house.ask("GET", warehouse)).data["warehouse"]["settings"] == {}

    asyncio.run(scenario())


def test_a_source_may_be_made_apart_from_all_warehouses_and_a_warehouse_from_all_sources(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.ask("POST", "/warehouses", {"metadataId": "duckdb", "settings": {}})
            body = {"slug": "apart", "metadataId": "python", "disconnectAllWarehouses": True}
            source = (await house.ask("POST", "/sources", body)).data["source"]["id"]
            assert (await house.ask("GET", f"/sources/{source}/connected-warehouses")).data["warehouses"] == []
            body = {"metadataId": "duckdb", "settings": {}, "disconnectAllSources": True}
            warehouse = (await house.ask("POST", "/warehouses", body)).data["warehouse"]["id"]
            assert (await house.ask("GET", f"/warehouses/{warehouse}/connected-sources")).data["sources"] == []

    asyncio.run(scenario())


def test_the_catalogue_names_what_can_be_made(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for folder, listed, one in (
                ("destinations", "destinationsCatalog", "destinationMetadata"),
                ("sources", "sourcesCatalog", "sourceMetadata"),
                ("warehouses", "warehousesCatalog", "warehouseMetadata"),
            ):
                found = (await house.ask("GET", f"/catalog/{folder}")).data[listed]
                assert found
                for entry in found:
                    shown = await house.ask("GET", f"/catalog/{folder}/{entry['id']}")
                    assert shown.data[one] == entry
                assert (await house.ask("GET", f"/catalog/{folder}/none")).status == 404

    asyncio.run(scenario())


def test_every_change_is_in_the_trail_with_who_made_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            done = await _change_everything(house)
            trail = (await house.ask("GET", "/audit-events")).data
            types = [event["type"] for event in reversed(trail["events"])]
            assert types == [type for _, expected in done for type in expected]
            elsewhere = {
                "redrive_deliveries",
                "preview_delivery",
                "create_session",
                "delete_session",
                "change_own_password",
                "unmerge_profiles",
                "delete_identifier",
                "remove_merge_block",
                "create_audience_in_destination",
            }
            elsewhere |= {one.name for one in OPERATIONS.values() if one.tag in ON_AUDIENCES}
            elsewhere |= {one.name for one in OPERATIONS.values() if one.tag == "Profiles Sync"}
            elsewhere |= {one.name for one in OPERATIONS.values() if "/replays" in one.path}
            elsewhere |= {one.name for one in OPERATIONS.values() if one.path.split("/")[1] in PARTS}
            elsewhere |= {one.name for one in OPERATIONS.values() if any(word in one.name for word in WORDS)}
            assert {name for name, _ in done} == {one.name for one in OPERATIONS.values() if one.changes} - elsewhere
            admin = (await house.ask("GET", "/headwater/tokens")).data["tokens"][0]["id"]
            assert {event["actor"] for event in trail["events"]} == {admin}
            some = (await house.ask("GET", "/audit-events?resourceType=TOKEN&pagination.count=1")).data
            assert (len(some["events"]), some["pagination"]["totalEntries"]) == (1, 4)
            none = await house.ask("GET", "/audit-events?endTime=2001-01-01T00:00:00Z")
            assert none.data["events"] == []
            assert (await house.ask("GET", "/audit-events?startTime=yesterday")).status == 422

    asyncio.run(scenario())


async def _change_everything(house: ManageHouse) -> Told:
    """Perform every operation that changes something; returns what the trail should say of each."""
    source = await house.source()
    return [
        ("create_source", ["Source Created"]),
        *await _change_source(house, source),
        *await _change_destination(house, source),
        *await _change_warehouse(house, source),
        *await _change_who_may(house),
        *await _change_space(house),
    ]


async def _change_source(house: ManageHouse, source: str) -> Told:
    one = f"/sources/{source}"
    await house.ask("PATCH", one, {"name": "N", "slug": "n", "enabled": False, "settings": {"a": 1}})
    await house.ask("PATCH", one, {"enabled": True})
    key = (await house.ask("POST", f"{one}/writekey")).data["source"]["writeKeys"][0]
    await house.ask("DELETE", f"{one}/writekey/{key}")
    await house.ask("POST", f"{one}/labels", {"labels": [{"key": "a", "value": "b"}]})
    await house.ask("PUT", f"{one}/labels", {"labels": []})
    return [
        ("update_source", ["Source Modified", "Source Disabled", "Source Settings Modified"]),
        ("update_source", ["Source Enabled"]),
        ("create_write_key_for_source", ["Source Modified"]),
        ("remove_write_key_from_source", ["Source Modified"]),
        ("add_labels_to_source", ["Source Modified"]),
        ("replace_labels_in_source", ["Source Modified"]),
    ]


async def _change_destination(house: ManageHouse, source: str) -> Told:
    destination = await house.webhook(source)
    await house.ask("PATCH", f"/destinations/{destination}", {"name": "Hook", "enabled": False})
    await house.ask("POST", f"/headwater/destinations/{destination}/pause")
    await house.ask("POST", f"/headwater/destinations/{destination}/resume")
    await house.ask("DELETE", f"/destinations/{destination}")
    return [
        ("create_destination", ["Integration Created"]),
        ("update_destination", ["Integration Modified", "Integration Disabled"]),
        ("pause_destination", ["Integration Modified"]),
        ("resume_destination", ["Integration Modified"]),
        ("delete_destination", ["Integration Deleted"]),
    ]


async def _change_warehouse(house: ManageHouse, source: str) -> Told:
    """In the end the source is gone too."""
    made = await house.ask("POST", "/warehouses", {"metadataId": "duckdb", "settings": {}})
    warehouse = f"/warehouses/{made.data['warehouse']['id']}"
    await house.ask("PATCH", warehouse, {"name": "W", "settings": {}, "enabled": False})
    await house.ask("POST", f"{warehouse}/connected-sources/{source}")
    await house.ask("DELETE", f"{warehouse}/connected-sources/{source}")
    await house.ask("DELETE", warehouse)
    await house.ask("DELETE", f"/sources/{source}")
    return [
        ("create_warehouse", ["Storage Destination Created"]),
        ("update_warehouse", ["Storage Destination Modified", "Storage Destination Disabled"]),
        ("add_connection_from_source_to_warehouse", ["Storage Destination Modified"]),
        ("remove_source_connection_from_warehouse", ["Storage Destination Modified"]),
        ("delete_warehouse", ["Storage Destination Deleted"]),
        ("delete_source", ["Source Deleted"]),
    ]


async def _change_who_may(house: ManageHouse) -> Told:
    token = (await house.ask("POST", "/headwater/tokens", {"name": "T", "scopes": ["*"]})).data["token"]["id"]
    await house.ask("DELETE", f"/headwater/tokens/{token}")
    body = {"email": "ada@acme.test", "name": "Ada", "password": "correct horse", "permissions": []}
    user = (await house.ask("POST", "/headwater/users", body)).data["user"]["id"]
    owner = {"permissions": [{"roleId": "workspace-owner"}]}
    await house.ask("POST", f"/users/{user}/permissions", owner)
    await house.ask("PUT", f"/users/{user}/permissions", owner)
    await house.ask("PUT", f"/headwater/users/{user}/password", {"password": "staple battery"})
    await house.ask("DELETE", f"/users?userIds={user}")
    return [
        ("create_token", ["Token Created"]),
        ("delete_token", ["Token Deleted"]),
        ("create_user", ["User Created"]),
        ("add_permissions_to_user", ["User Policy Updated"]),
        ("replace_permissions_for_user", ["User Policy Updated"]),
        ("set_password_of_user", ["User Password Changed"]),
        ("delete_users", ["User Removed"]),
    ]


async def _change_space(house: ManageHouse) -> Told:
    asked = {"slug": "eu", "name": "Europe", "sourceIds": []}
    space = f"/headwater/spaces/{(await house.ask('POST', '/headwater/spaces', asked)).data['space']['id']}"
    await house.ask("PATCH", space, {"name": "EU"})
    await house.ask("PATCH", f"{space}/identity-rules", {"alias": "record"})
    reader = (await house.ask("POST", f"{space}/tokens", {"name": "R"})).data["token"]["id"]
    await house.ask("DELETE", f"{space}/tokens/{reader}")
    asked = {"integrationId": "eu", "name": "F", "if": "all"}
    kept_out = (await house.ask("POST", "/filters", asked)).data["filter"]["id"]
    await house.ask("PATCH", f"/filters/{kept_out}", {"integrationId": "eu", "enabled": False})
    await house.ask("DELETE", f"/filters/{kept_out}")
    await house.ask("POST", f"{space}/csv-uploads", b"user_id\nu1\n")
    return [
        ("create_space", ["Space Created"]),
        ("update_space", ["Space Modified"]),
        ("update_identity_rules", ["Identity Rules Modified"]),
        ("create_space_token", ["Token Created"]),
        ("delete_space_token", ["Token Deleted"]),
        ("create_filter_for_space", ["Filter Created"]),
        ("update_filter_by_id", ["Filter Updated"]),
        ("delete_filter_by_id", ["Filter Deleted"]),
        ("create_csv_upload", ["Profiles Uploaded"]),
        *await _change_sql_traits(house, space),
    ]


async def _change_sql_traits(house: ManageHouse, space: str) -> Told:
    asked = {"name": "S", "key": "user_id", "sql": "select 'u' as user_id, 1 as n"}
    found = f"{space}/sql-traits/{(await house.ask('POST', f'{space}/sql-traits', asked)).data['sqlTrait']['id']}"
    await house.ask("PATCH", found, {"name": "T", "everyMinutes": 60})
    await house.ask("POST", f"{found}/runs")
    await house.ask("DELETE", found)
    return [
        ("create_sql_trait", ["SQL Trait Created"]),
        ("update_sql_trait", ["SQL Trait Modified"]),
        ("create_sql_trait_run", ["SQL Trait Run"]),
        ("delete_sql_trait", ["SQL Trait Deleted"]),
    ]
