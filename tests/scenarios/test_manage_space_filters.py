"""Filters of spaces over HTTP: made, listed, changed and removed; what is no query is refused with the place."""

import asyncio
from pathlib import Path

from manage_house import ManageHouse, running

from headwater.store import workspace as workspaces


def test_filters_of_a_space_are_made_listed_changed_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space = (await house.ask("POST", "/headwater/spaces", {"slug": "people", "name": "People"})).data["space"][
                "id"
            ]
            await house.ask("POST", "/headwater/spaces", {"slug": "other", "name": "Other"})
            body = {"integrationId": "people", "name": "Staff", "if": "contains(traits.email, '@acme.test')"}
            made = (await house.ask("POST", "/filters", body)).data["filter"]
            assert (made["workspaceId"], made["integrationId"]) == (house.store.run(workspaces.load).id, space)
            assert (made["if"], made["enabled"], made["drop"], made["description"]) == (body["if"], True, True, "")
            assert made["createdAt"] == made["updatedAt"]
            path = f"/filters/{made['id']}"
            assert (await house.ask("GET", path)).data == {"filter": made}

            changes = {"integrationId": space, "if": "type = 'page'", "enabled": False, "description": "No pages"}
            changed = (await house.ask("PATCH", path, changes)).data["filter"]
            assert changed == made | changes | {"updatedAt": changed["updatedAt"]}
            (held,) = house.store.run(workspaces.load).spaces[0].filters
            assert (held.condition, held.enabled, held.name) == ("type = 'page'", False, "Staff")

            assert (await house.ask("PATCH", path, {"integrationId": "other", "name": "X"})).status == 404
            assert (await house.ask("PATCH", path, {"name": "X"})).status == 422
            renamed = await house.ask("PATCH", "/headwater/spaces/people", {"name": "Everybody"})
            assert renamed.status == 200
            assert len(house.store.run(workspaces.load).spaces[0].filters) == 1
            assert (await house.ask("DELETE", path)).data == {"deleted": True}
            assert (await house.ask("DELETE", path)).status == 404
            assert (await house.ask("GET", path)).status == 404

    asyncio.run(scenario())


def test_a_space_has_at_most_ten_filters_and_each_is_a_query(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.ask("POST", "/headwater/spaces", {"slug": "people", "name": "People"})
            refused = await house.ask("POST", "/filters", {"integrationId": "people", "name": "F", "if": "type = 'a"})
            assert (refused.status, refused.errors[0]["field"]) == (422, "if")
            assert refused.errors[0]["message"] == (
                '"if" is not a query. At character 8: this text has no end; a closing \' is expected.'
            )
            body = {"integrationId": "people", "name": "F", "if": "all", "enabled": False}
            ids = [(await house.ask("POST", "/filters", body)).data["filter"]["id"] for _ in range(10)]
            eleventh = await house.ask("POST", "/filters", body)
            assert (eleventh.status, eleventh.errors[0]["field"]) == (422, "integrationId")
            long = await house.ask("PATCH", f"/filters/{ids[0]}", {"integrationId": "people", "if": "a" * 5_121})
            assert (long.status, "longer than 5,120 bytes" in long.errors[0]["message"]) == (422, True)

            page = (await house.ask("GET", "/filters?integrationId=people")).data
            assert [one["id"] for one in page["filters"]] == ids
            assert page["pagination"] == {"current": 0, "totalEntries": 10}
            asked = "/filters?integrationId=people&pagination[count]=4&pagination[cursor]="
            page = (await house.ask("GET", f"{asked}4")).data
            assert ([one["id"] for one in page["filters"]], page["pagination"]["next"]) == (ids[4:8], 8)
            assert "next" not in (await house.ask("GET", f"{asked}8")).data["pagination"]
            assert (await house.ask("GET", "/filters?integrationId=people&pagination[count]=11")).status == 422
            assert (await house.ask("GET", "/filters?integrationId=none")).status == 404
            assert (await house.ask("GET", "/filters")).status == 422
            reader = house.token("reader", "spaces:read")
            assert (await house.ask("GET", "/filters?integrationId=people", token=reader)).status == 200
            assert (await house.ask("DELETE", f"/filters/{ids[0]}", token=reader)).status in (401, 403)

    asyncio.run(scenario())
