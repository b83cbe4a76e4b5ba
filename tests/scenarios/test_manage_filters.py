"""Filters of destinations: made, changed, tried on an event and removed; what cannot be read is refused."""

import asyncio
from pathlib import Path
from typing import Any

from crm_house import with_crm

BODY: dict[str, Any] = {
    "sourceId": "web",
    "title": "No tests",
    "if": "event = 'Test'",
    "actions": [{"type": "DROP"}],
    "enabled": False,
}


def test_a_filter_is_made_changed_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            path = f"/destination/{destination}/filters"
            made = (await crm.ask("POST", path, BODY)).data["filter"]
            assert (made["sourceId"], made["destinationId"]) == (crm.source, destination)
            assert {key: made[key] for key in ("title", "if", "actions", "enabled")} == {
                key: BODY[key] for key in ("title", "if", "actions", "enabled")
            }
            one = f"{path}/{made['id']}"
            assert (await crm.ask("GET", one)).data["filter"] == made

            only = {"type": "whitelist_fields", "fields": {"properties": ["price"]}}
            changes = {"if": "all", "actions": [only, {"type": "sample", "percent": 0.5, "path": "userId"}]}
            changed = (await crm.ask("PATCH", one, changes | {"description": "Prices"})).data["filter"]
            assert [each["type"] for each in changed["actions"]] == ["ALLOW_PROPERTIES", "SAMPLE"]
            assert changed["actions"][1] == {"type": "SAMPLE", "percent": 0.5, "path": "userId"}
            cleared = (await crm.ask("PATCH", one, {"description": None, "enabled": True})).data["filter"]
            assert (cleared["description"], cleared["enabled"], cleared["if"]) == ("", True, "all")

            assert (await crm.ask("DELETE", one)).data == {"status": "SUCCESS"}
            assert [(await crm.ask(method, one)).status for method in ("GET", "DELETE")] == [404, 404]
            assert (await crm.ask("PATCH", one, {"title": "T"})).status == 404
            assert (await crm.ask("GET", f"/destinations/{destination}/filters")).status == 404
            types = [each["type"] for each in (await crm.ask("GET", "/audit-events")).data["events"]]
            assert [each.removeprefix("Destination Filter ") for each in types[:5]] == [
                "Deleted",
                "Enabled",
                "Modified",
                "Modified",
                "Created",
            ]

    asyncio.run(scenario())


def test_a_destination_has_at_most_ten_filters_and_each_can_be_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            path = f"/destination/{await crm.connect()}/filters"
            wrong: list[tuple[dict[str, Any], list[str]]] = [
                ({"if": "event = 'a", "actions": []}, ["if", "actions"]),
                ({"if": "x = '" + "a" * 5_200 + "'"}, ["if"]),
                ({"actions": [{"type": "SAMPLE"}]}, ["actions"]),
                ({"actions": [{"type": "hide"}]}, ["actions"]),
                ({"title": "t" * 65}, ["title"]),
                ({"enabled": "yes"}, ["enabled"]),
            ]
            for given, fields in wrong:
                refused = await crm.ask("POST", path, BODY | given)
                assert (refused.status, [one["field"] for one in refused.errors]) == (422, fields)
            assert (await crm.ask("POST", path, BODY | {"sourceId": "none"})).status == 404
            await crm.ask("POST", "/sources", {"slug": "other", "metadataId": "python"})
            assert (await crm.ask("POST", path, BODY | {"sourceId": "other"})).errors[0]["field"] == "sourceId"
            ids = [(await crm.ask("POST", path, BODY)).data["filter"]["id"] for _ in range(10)]
            eleventh = await crm.ask("POST", path, BODY)
            assert (eleventh.status, eleventh.errors[0]["field"]) == (422, "destinationId")
            page = (await crm.ask("GET", f"{path}?pagination[count]=4")).data
            assert ([one["id"] for one in page["filters"]], page["pagination"]["totalEntries"]) == (ids[:4], 10)
            assert (await crm.ask("PATCH", f"{path}/{ids[0]}", {"if": "("})).errors[0]["field"] == "if"
            reader = crm.house.token("reader", "destinations:read")
            assert (await crm.ask("GET", path, token=reader)).status == 200
            assert (await crm.ask("DELETE", f"{path}/{ids[0]}", token=reader)).status == 401

    asyncio.run(scenario())


def test_a_filter_is_tried_on_an_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            event = {"type": "track", "userId": "u", "properties": {"price": 3, "card": "4111"}}
            for condition, action, left in (
                ("type = 'track'", {"type": "drop_event"}, None),
                ("type = 'page'", {"type": "DROP"}, event),
                (
                    "all",
                    {"type": "DROP_PROPERTIES", "fields": {"": ["userId"], "properties": ["card"]}},
                    {"type": "track", "properties": {"price": 3}},
                ),
                ("all", {"type": "SAMPLE", "percent": 0}, None),
            ):
                body = {"filter": {"if": condition, "actions": [action]}, "payload": event}
                answer = await crm.ask("POST", "/destination/filters/preview", body)
                assert answer.data == {"inputPayload": event, "result": left}
            refused = await crm.ask(
                "POST", "/destination/filters/preview", {"filter": {"if": "(", "actions": []}, "payload": event}
            )
            assert [one["field"] for one in refused.errors] == ["filter.if", "filter.actions"]
            assert (await crm.ask("GET", "/audit-events")).data["pagination"]["totalEntries"] == 1

    asyncio.run(scenario())
