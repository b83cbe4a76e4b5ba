"""What a destination does with which events: proposed when it is connected, made, changed and removed."""

import asyncio
import time
from pathlib import Path
from typing import Any

from crm_house import CrmDesk, with_crm

from headwater.spec.outcome import Count
from headwater.store import ledger
from headwater.store import subscriptions as kept
from headwater.store import workspace as workspaces

MODE = "__segment_internal_sync_mode"
NEW: dict[str, Any] = {"name": "New", "actionId": "crm.tell", "trigger": 'type = "track"', "enabled": False}


def held(crm: CrmDesk, destination: str) -> Any:
    return crm.house.store.run(lambda connection: workspaces.find_destination(connection, destination))


def test_a_destination_is_connected_with_the_subscriptions_that_it_proposes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            found = await crm.subscriptions(destination)
            assert list(found) == ["People", "Deeds"]
            people = found["People"]
            assert (people["actionId"], people["actionSlug"], people["enabled"]) == (
                "crm.upsertPerson",
                "upsertPerson",
                True,
            )
            assert people["settings"] == {"email": {"@path": "$.traits.email"}, MODE: "upsert"}
            assert (people["trigger"], people["version"], people["problems"]) == ('type = "identify"', 1, [])
            one = await crm.ask("GET", f"/destinations/{destination}/subscriptions/{people['id']}")
            assert one.data["subscription"] == people
            page = await crm.ask("GET", f"/destinations/{destination}/subscriptions?pagination[count]=1")
            assert (len(page.data["subscriptions"]), page.data["pagination"]["totalEntries"]) == (1, 2)
            assert await crm.subscriptions(await crm.connect("webhook")) == {}

    asyncio.run(scenario())


def test_a_subscription_is_made_changed_and_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            path = f"/destinations/{destination}/subscriptions"
            made = (await crm.ask("POST", path, NEW)).data["destinationSubscription"]
            assert (made["settings"], made["problems"]) == ({"deed": {"@path": "$.event"}}, [])
            one = f"{path}/{made['id']}"

            changes: dict[str, Any] = {"name": "Orders", "trigger": 'event = "Order"', "settings": {"worth": 3}}
            changed = (await crm.ask("PATCH", one, {"input": changes})).data["subscription"]
            assert {key: changed[key] for key in changes} == changes
            assert (changed["version"], changed["enabled"]) == (2, False)
            assert changed["problems"] == ["Deed (deed) is required, and nothing is mapped to it."]
            on = (await crm.ask("PATCH", one, {"input": {"enabled": True}})).data["subscription"]
            assert (on["version"], on["enabled"]) == (2, True)

            assert (await crm.ask("DELETE", one)).data == {"status": "SUCCESS"}
            assert [(await crm.ask(method, one)).status for method in ("GET", "DELETE")] == [404, 404]
            types = [one["type"] for one in (await crm.ask("GET", "/audit-events")).data["events"]]
            assert types[:5] == [*["Integration Modified"] * 4, "Integration Created"]

    asyncio.run(scenario())


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"actionId": "nothing"}, ["actionId"]),
    ({"actionId": "tell", "trigger": 'type = "track'}, ["trigger"]),
    ({"trigger": "length(userId) = 1"}, ["trigger"]),
    (
        {"trigger": "", "settings": {"deed": {"@path": 1}, "worth": {"a": {"@path": "$.x", "b": 1}}}},
        ["trigger", "settings.deed.@path", "settings.worth.a"],
    ),
    ({"name": ""}, ["name"]),
    ({"enabled": None}, ["enabled"]),
    ({"modelId": "m"}, ["modelId"]),
]


def test_what_cannot_be_used_is_refused_with_every_place(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            path = f"/destinations/{await crm.connect()}/subscriptions"
            people = (await crm.ask("GET", path)).data["subscriptions"][0]["id"]
            for given, fields in REFUSED:
                refused = await crm.ask("POST", path, NEW | given)
                assert (refused.status, [one["field"] for one in refused.errors]) == (422, fields)
                if "trigger" in given:
                    again = await crm.ask("PATCH", f"{path}/{people}", {"input": given})
                    assert (again.status, again.errors[0]["field"]) == (422, "input.trigger")
                assert (await crm.ask("PATCH", f"{path}/{people}", given)).errors[0]["field"] == "input"
            (error,) = (await crm.ask("POST", path, NEW | {"trigger": 'type = "track" and'})).errors
            assert error["message"].startswith('"trigger" cannot be used. At character 19: ')
            assert error["data"] == {"position": 18}

    asyncio.run(scenario())


def test_what_the_action_will_not_like_is_told_and_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            path = f"/destinations/{await crm.connect()}/subscriptions"
            mapping = {"email": "", "rank": "lead", "nickname": "x", "enable_batching": True, MODE: "mirror"}
            body = NEW | {"actionId": "upsertPerson", "settings": mapping}
            made = (await crm.ask("POST", path, body)).data["destinationSubscription"]
            assert made["settings"] == mapping
            assert made["problems"] == [
                "E-mail (email) is required, and nothing is mapped to it.",
                "Rank (rank) must be one of gold, silver.",
                "The action has no field 'nickname'; what is mapped to it is left out.",
                f"The action needs a sync mode ({MODE}): add, upsert.",
            ]
            proposed = (await crm.ask("POST", path, NEW | {"actionId": "upsertPerson"})).data["destinationSubscription"]
            assert proposed["settings"][MODE] == "upsert"
            assert proposed["problems"] == []

    asyncio.run(scenario())


def test_a_secret_in_a_mapping_is_masked_and_stays_when_it_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            path = f"/destinations/{destination}/subscriptions"
            body = NEW | {"actionId": "upsertPerson", "settings": {"email": "a@b.test", "pin": "1234"}}
            made = (await crm.ask("POST", path, body)).data["destinationSubscription"]
            assert made["settings"]["pin"] == "••••"
            changes = {"settings": {**made["settings"], "email": "c@d.test"}}
            await crm.ask("PATCH", f"{path}/{made['id']}", {"input": changes})
            mapping = held(crm, destination).subscriptions[-1].mapping
            assert (mapping["email"], crm.house.secrets.open(mapping["pin"])) == ("c@d.test", "1234")
            assert mapping["pin"].startswith("sealed:")
            event = {"type": "identify", "userId": "u"}
            body = {"event": event, "subscription": {"id": made["id"], "trigger": 'type = "identify"'}}
            shown = (await crm.ask("POST", f"/headwater/destinations/{destination}/preview", body)).data
            (one,) = shown["subscriptions"]
            assert one["payload"] == {"email": "c@d.test", "pin": "••••"}
            assert one["requests"][1]["body"] == {"email": "c@d.test", "pin": "[redacted]"}
            new = NEW | {"actionId": "upsertPerson", "settings": made["settings"]}
            assert (await crm.ask("POST", path, new)).status == 422

    asyncio.run(scenario())


def test_a_destination_has_at_most_fifty_subscriptions(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()

            def fill(connection: Any) -> None:
                for number in range(48):
                    one: dict[str, Any] = {"name": f"S{number}", "action": "tell", "trigger": 'type = "page"'}
                    kept.create(connection, destination, **one, mapping={}, enabled=False)

            crm.house.store.run(fill)
            refused = await crm.ask("POST", f"/destinations/{destination}/subscriptions", NEW)
            assert (refused.status, refused.errors[0]["field"]) == (422, "destinationId")

    asyncio.run(scenario())


def test_destinations_of_one_kind_are_told_apart_by_their_names_and_are_at_most_twenty_five(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            first = await crm.connect()
            second = await crm.connect()
            names = [held(crm, one).name for one in (first, second)]
            assert names == ["CRM", "CRM 2"]
            body = {"sourceId": crm.source, "metadataId": "crm", "settings": {}, "name": "CRM"}
            assert (await crm.ask("POST", "/destinations", body | {"settings": {"address": "http://a"}})).status == 409
            assert (await crm.ask("PATCH", f"/destinations/{first}", {"name": "CRM 2"})).status == 409
            assert (await crm.ask("PATCH", f"/destinations/{first}", {"name": "CRM"})).status == 200
            await crm.connect("webhook", name="CRM")

            def fill(connection: Any) -> None:
                for number in range(23):
                    workspaces.create_destination(
                        connection, source_id=crm.source, definition="crm", name=f"C{number}", settings={}
                    )

            crm.house.store.run(fill)
            refused = await crm.ask("POST", "/destinations", body | {"name": "One more"})
            assert (refused.status, refused.errors[0]["field"]) == (422, "sourceId")

    asyncio.run(scenario())


def test_a_setting_that_is_only_for_reading_is_left_as_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            path = f"/destinations/{await crm.connect()}"
            assert (await crm.ask("PATCH", path, {"settings": {"account": "7"}})).status == 400
            moved = {"account": "7", "address": "http://b.test", "apiKey": "again"}
            mixed = await crm.ask("PATCH", path, {"settings": moved})
            assert mixed.data["destination"]["settings"] == {"address": "http://b.test", "apiKey": "••••"}

    asyncio.run(scenario())


def test_the_catalogue_describes_actions_with_their_fields_and_presets(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            shown = (await crm.ask("GET", "/catalog/destinations/crm")).data["destinationMetadata"]
            person, deed = shown["actions"]
            assert (person["id"], person["defaultTrigger"], person["platform"]) == (
                "crm.upsertPerson",
                'type = "identify"',
                "CLOUD",
            )
            email, _, rank, pin, address = person["fields"]
            assert (email["id"], email["sortOrder"], email["type"]) == ("crm.upsertPerson.email", 0, "STRING")
            assert (email["required"], email["defaultValue"]) == (True, {"@path": "$.traits.email"})
            assert rank["choices"] == [{"value": "gold", "label": "Gold"}, {"value": "silver", "label": "Silver"}]
            assert (pin["type"], pin["choices"]) == ("PASSWORD", None)
            assert address["properties"][0]["id"] == "crm.upsertPerson.address.city"
            assert (person["hooks"], deed["hooks"]) == (["onMappingSave"], [])
            assert [one["type"] for one in shown["presets"]] == ["automatic", "automatic", "specificEvent"]
            assert shown["presets"][2]["actionId"] == "crm.tell"
            assert shown["authentication"] == "custom"

    asyncio.run(scenario())


def test_labels_are_made_given_and_removed_when_nobody_has_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            label = {"key": "environment", "value": "pro d/1", "description": "Where"}
            made = await crm.ask("POST", "/labels", {"label": label})
            assert (made.status, made.data["label"]) == (201, label)
            assert (await crm.ask("POST", "/labels", {"label": label})).status == 409
            refused = await crm.ask("POST", "/labels", {"label": {"key": "1st", "value": ""}})
            assert [one["field"] for one in refused.errors] == ["label.key", "label.value"]
            path = f"/sources/{crm.source}/labels"
            await crm.ask("POST", path, {"labels": [{"key": "environment", "value": "pro d/1"}]})
            await crm.ask("POST", path, {"labels": [{"key": "region", "value": "eu"}]})
            listed = (await crm.ask("GET", "/labels")).data["labels"]
            assert listed == [label, {"key": "region", "value": "eu"}]
            one = "/labels/environment/pro%20d%2F1"
            assert (await crm.ask("DELETE", one)).status == 409
            given = await crm.ask("POST", path, {"labels": [{"key": "environment", "value": "dev"}]})
            assert [each["value"] for each in given.data["labels"]] == ["dev", "eu"]
            assert (await crm.ask("DELETE", one)).data == {"status": "SUCCESS"}
            assert (await crm.ask("DELETE", one)).status == 404
            types = {one["type"] for one in (await crm.ask("GET", "/audit-events")).data["events"]}
            assert {"Label Created", "Label Deleted"} <= types

    asyncio.run(scenario())


def test_the_events_of_a_destination_are_summed_up_by_step_and_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            one = await crm.connect()
            minute = time.time_ns() // 60_000_000_000 - 5
            fates = [("matched", "", 9), ("delivered", "", 6), ("failed_delivery", "BAD_REQUEST", 2)]
            counts = [Count(crm.source, one, minute, step, reason, events) for step, reason, events in fates]
            counts += [Count(crm.source, one, minute, "failed_delivery", "EXPIRED", 1, subscription_id="s")]
            crm.house.store.run(lambda connection: ledger.add(connection, counts))
            path = f"/destinations/{one}/delivery-metrics?sourceId=web"
            shown = (await crm.ask("GET", path)).data["deliveryMetricsSummary"]
            assert (shown["sourceId"], shown["destinationMetadataId"]) == (crm.source, "crm")
            sums = {metric["metricName"]: metric["total"] for metric in shown["metrics"]}
            assert sums == {
                "matched": 9,
                "filtered_at_destination": 0,
                "delivered": 6,
                "failed_delivery": 3,
                "pending": 0,
            }
            assert shown["metrics"][3]["breakdown"] == [
                {"metricName": "BAD_REQUEST", "value": 2},
                {"metricName": "EXPIRED", "value": 1},
            ]
            for wrong, field in (
                ("&startTime=2020-01-01T00:00:00Z&endTime=2020-01-01T01:00:00Z", "startTime"),
                ("&startTime=2020-01-01T00:00:00Z&endTime=2020-01-09T00:00:00Z&granularity=hour", "granularity"),
                ("&endTime=2020-01-01T00:00:00Z&startTime=2020-01-01T00:00:00Z&granularity=DAY", "startTime"),
            ):
                assert (await crm.ask("GET", path + wrong)).errors[0]["field"] == field
            assert (await crm.ask("GET", "/destinations/none/delivery-metrics?sourceId=web")).status == 404

    asyncio.run(scenario())
