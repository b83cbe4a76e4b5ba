"""Audiences and computed traits over HTTP: made, changed, refused and removed as Segment's API does it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from manage_desk import ManageDesk, at_desk
from manage_house import ADMIN, Answer, ManageHouse

from headwater.manage.operations import OPERATIONS
from headwater.profiles.computing.preview import Asked, Preview
from headwater.profiles.computing.previewing import Member
from headwater.profiles.computing.standing import Held, Standing, encode
from headwater.spec.computation import Phase, Run
from headwater.spec.errors import SenderError
from headwater.store import computations as kept
from headwater.store import standing
from headwater.store import workspace as workspaces

LOGINS = "event('Login').count()"
BUYERS = "event('Order Completed').count() >= 1"
HOUR = 3_600_000


class Foreseen:
    """Previews that are over at once: everybody is Ann, and a query about `nobody` fails."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []

    async def start(self, asked: Asked) -> str:
        self._asked.append(asked)
        return f"prv_{len(self._asked)}"

    def get(self, id: str) -> Preview:
        if not id.startswith("prv_"):
            raise SenderError("There is no such preview.", status=404)
        asked = self._asked[int(id.removeprefix("prv_")) - 1]
        if "nobody" in asked.query:
            return Preview(id=id, asked=asked, status="FAILED", failure="Nobody can tell.")
        ann = Member("use_1", True, "Ann", "ann@a.test", "u1", ("user_id:u1",), {"plan": "pro"})
        return Preview(id=id, asked=asked, status="COMPLETED", done=9, total=9, count=7, sample=(ann,))

    async def close(self) -> None:
        self._asked.clear()


class Space:
    """A house with a space, and what one asks of its audiences."""

    def __init__(self, house: ManageHouse, desk: ManageDesk) -> None:
        self.house = house
        self.desk = desk
        made = house.store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
        self.id = made.id

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.desk.ask(method, f"/spaces/{self.id}/{path}", body, **more)

    async def own(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.desk.ask(method, f"/headwater/spaces/{self.id}/{path}", body, **more)

    async def create(self, name: str, query: str = BUYERS, **more: Any) -> Answer:
        body = {"name": name, "definition": {"query": query}, "audienceType": "USERS", **more}
        return await self.ask("POST", "audiences", body)

    async def audience(self, name: str, query: str = BUYERS, **more: Any) -> dict[str, Any]:
        return (await self.create(name, query, **more)).data["audience"]

    async def trait(self, name: str, query: str = "event('Order Completed').count()", **more: Any) -> Answer:
        body = {"name": name, "definition": {"query": query, "type": "USERS"}, **more}
        return await self.ask("POST", "computed-traits", body)

    def run(self, id: str, phase: Phase, **more: Any) -> None:
        run = Run(computation_id=id, version=1, phase=phase, **more)
        self.house.store.run(lambda connection: kept.write_runs(connection, [run]))

    def source(self) -> str:
        return self.house.store.run(lambda connection: kept.engage_source(connection, self.id)).id

    async def web(self, slug: str) -> str:
        body = {"slug": slug, "metadataId": "javascript"}
        return (await self.desk.ask("POST", "/sources", body)).data["source"]["id"]

    async def webhook(self, source_id: str) -> str:
        body = {"sourceId": source_id, "metadataId": "webhook", "settings": {"url": "http://hook.test/"}}
        return (await self.desk.ask("POST", "/destinations", body)).data["destination"]["id"]

    async def trail(self) -> list[str]:
        return [one["type"] for one in (await self.desk.ask("GET", "/audit-events")).data["events"]]


def in_space(tmp_path: Path, scenario: Callable[[Space], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        house = ManageHouse(tmp_path)
        async with at_desk(house, previews=Foreseen()) as desk:
            await scenario(Space(house, desk))

    asyncio.run(all_of_it())


def test_an_audience_is_made_shown_changed_and_removed(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        made = await space.audience("Big Buyers!", description="who buys")
        assert made["id"].startswith("aud_")
        assert (made["key"], made["status"], made["enabled"]) == ("big_buyers", "Preparing", True)
        assert made["options"] == {
            "filterByExternalIds": ["user_id", "email", "android.idfa", "ios.idfa"],
            "includeHistoricalData": True,
        }
        assert made["computeCadence"] == {"type": "REALTIME"}
        path = f"audiences/{made['id']}"
        space.run(made["id"], "LIVE", size=7)
        shown = (await space.ask("GET", f"{path}?include=schedules")).data["audience"]
        assert shown["size"] == {"count": 7, "type": "USERS"}
        assert (shown["status"], shown["schedules"]) == ("Live", [])
        changed = (await space.ask("PATCH", path, {"name": "Shoppers"})).data["audience"]
        assert (changed["name"], changed["key"], changed["version"]) == ("Shoppers", "big_buyers", 1)
        other = {"definition": {"query": "trait('vip') = true"}, "options": {"backfillEventDataDays": 30}}
        changed = (await space.ask("PATCH", path, other)).data["audience"]
        assert (changed["version"], changed["status"]) == (2, "Preparing")
        assert changed["options"]["backfillEventDataDays"] == 30
        refused = await space.ask("DELETE", path)
        assert refused.status == 409
        assert "disable it" in refused.errors[0]["message"]
        disabled = (await space.ask("PATCH", path, {"enabled": False})).data["audience"]
        assert disabled["status"] == "Disabled"
        assert (await space.ask("DELETE", path)).data == {"status": "SUCCESS"}
        assert (await space.ask("GET", path)).status == 404
        assert (await space.ask("DELETE", path)).status == 404
        assert (await space.create("Big Buyers")).status == 200, "the key is free again"
        trail = await space.trail()
        assert trail.count("Audience Modified") == 3
        assert {"Audience Created", "Audience Deleted"} <= set(trail)

    in_space(tmp_path, scenario)


def test_an_audience_that_cannot_be_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        await space.audience("Buyers")
        await space.trait("Orders")
        for body, status, field in (
            ({"definition": {"query": "event('A').count() >="}}, 422, "definition.query"),
            ({"definition": {"query": "event('A').count()"}}, 422, "definition.query"),
            ({"definition": {"query": "entity('cars').count() >= 1"}}, 422, "definition.query"),
            ({"definition": {"query": " OR ".join(["trait('a') = 1"] * 51)}}, 422, "definition.query"),
            ({"definition": {"query": "trait('new_one') = true"}}, 422, "definition.query"),
            ({"definition": {"query": BUYERS, "targetEntity": "cars"}}, 422, "definition.targetEntity"),
            ({"audienceType": "LINKED"}, 422, "audienceType"),
            ({"audienceType": "PETS"}, 422, "audienceType"),
            ({"name": "Buyers"}, 409, None),
            ({"name": "orders"}, 409, None),
            ({"name": "!!"}, 422, "name"),
            ({"options": {"filterByExternalIds": ["shoe_size"]}}, 422, "options.filterByExternalIds"),
            ({"options": {"filterByExternalIds": ["group_id"]}}, 422, "options.filterByExternalIds"),
            ({"options": {"filterByExternalIds": []}}, 422, "options.filterByExternalIds"),
            (
                {"options": {"includeHistoricalData": False, "backfillEventDataDays": 7}},
                422,
                "options.backfillEventDataDays",
            ),
            ({"options": {"backfillEventDataDays": 0}}, 422, "options.backfillEventDataDays"),
        ):
            whole = {"name": "New One", "definition": {"query": BUYERS}, "audienceType": "USERS", **body}
            refused = await space.ask("POST", "audiences", whole)
            assert (refused.status, refused.errors[0].get("field")) == (status, field), body
        wrong = await space.create("Wrong", "event('A').count() >=")
        assert "a value is expected" in wrong.errors[0]["message"]
        assert wrong.errors[0]["message"].endswith("^")
        assert wrong.errors[0]["data"]["position"] == 21
        unknown = await space.audience("Odd", "trait('nobody_has_it') = 1", options={"filterByExternalIds": ["email"]})
        assert unknown["options"]["filterByExternalIds"] == ["email"]

    in_space(tmp_path, scenario)


def test_a_definition_that_refers_to_itself_is_refused_over_audiences_and_traits_alike(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        first = await space.audience("A", "trait('b') = true")
        await space.audience("B", "trait('c') >= 2")
        refused = await space.trait("C", "trait('a')")
        assert refused.status == 422
        assert "would create a cycle: a refers to b refers to c refers to a" in refused.errors[0]["message"]
        assert (await space.trait("C")).status == 200
        refused = await space.ask("PATCH", f"audiences/{first['id']}", {"definition": {"query": "trait('a') = true"}})
        assert "would create a cycle" in refused.errors[0]["message"]
        found = await space.ask("GET", f"audiences/{first['id']}/audience-references")
        assert found.data["audiences"] == []
        await space.audience("D", "trait('a') = true AND trait('x') = 1")
        await space.audience("E", "NOT trait('a') = true")
        path = f"audiences/{first['id']}/audience-references?sort.field=NAME&sort.direction=DESC"
        assert [one["key"] for one in (await space.ask("GET", path)).data["audiences"]] == ["e", "d"]

    in_space(tmp_path, scenario)


@pytest.mark.parametrize("phase", ["PREPARING", "BACKFILLING", "COMPUTING"])
def test_what_is_processed_is_locked_and_can_only_be_switched_off(tmp_path: Path, phase: Phase) -> None:
    async def scenario(space: Space) -> None:
        made = await space.audience("Buyers")
        path = f"audiences/{made['id']}"
        space.run(made["id"], phase, done=3, total=9)
        refused = await space.ask("PATCH", path, {"name": "X"})
        assert (refused.status, "locked while it is processed" in refused.errors[0]["message"]) == (409, True)
        assert (await space.ask("PATCH", path, {"name": "Buyers"})).status == 200, "nothing is changed"
        progress = (await space.own("GET", f"computations/{made['id']}/progress")).data
        assert (progress["phase"], progress["done"], progress["total"]) == (phase, 3, 9)
        assert (await space.ask("PATCH", path, {"enabled": False})).status == 200
        assert (await space.ask("PATCH", path, {"name": "X"})).status == 200

    in_space(tmp_path, scenario)


def test_audiences_are_searched_and_paged(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        for number in range(3):
            await space.audience(f"Number {number}", f"trait('t{number}') = 1")
        for search, found in (
            ("NAME&search[query]=BER 1", ["number_1"]),
            ("KEY&search[query]=umber", []),
            ("KEY&search[query]=number_2", ["number_2"]),
            ("DEFINITION&search[query]=t0", ["number_0"]),
        ):
            path = f"audiences?search[type]={search}".replace(" ", "%20")
            assert [one["key"] for one in (await space.ask("GET", path)).data["audiences"]] == found, search
        page = (await space.ask("GET", "audiences?pagination.count=2")).data
        assert (len(page["audiences"]), page["pagination"]["totalEntries"]) == (2, 3)
        long = f"audiences?search[type]=NAME&search[query]={'x' * 256}"
        assert (await space.ask("GET", long)).status == 422

    in_space(tmp_path, scenario)


def test_a_computed_trait_is_made_changed_and_removed(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        answer = await space.trait("Order Count", options={"includeAnonymousUsers": True, "backfillDurationDays": 90})
        made = answer.data["computedTrait"]
        assert made["id"].startswith("tra_")
        assert made["definition"] == {"query": "event('Order Completed').count()", "type": "USERS"}
        assert made["options"] == {
            "includeHistoricalData": True,
            "includeAnonymousUsers": True,
            "backfillDurationDays": 90,
        }
        path = f"computed-traits/{made['id']}"
        listed = (await space.ask("GET", "computed-traits")).data["computedTraits"]
        assert [one["key"] for one in listed] == ["order_count"]
        other = {"definition": {"query": "event('Refund').count()", "type": "users"}}
        assert (await space.ask("PATCH", path, other)).data["computedTrait"]["version"] == 2
        for body in (
            {"definition": {"query": "event('Refund').count()", "type": "ACCOUNTS"}},
            {"definition": {"query": "event('Refund').count() >= 1", "type": "USERS"}},
            {"definition": {"query": "literal(1)", "type": "USERS"}},
        ):
            assert (await space.ask("PATCH", path, body)).status == 422, body
        history = {"includeHistoricalData": False, "backfillDurationDays": 90}
        assert (await space.trait("Other", options=history)).status == 422
        assert (await space.ask("GET", f"audiences/{made['id']}")).status == 404
        assert (await space.ask("DELETE", path)).status == 409
        await space.ask("PATCH", path, {"enabled": False})
        assert (await space.ask("DELETE", path)).data == {"status": "SUCCESS"}
        assert "Computed Trait Deleted" in await space.trail()

    in_space(tmp_path, scenario)


def test_schedules_and_forced_runs_are_of_linked_audiences(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        path = f"audiences/{(await space.audience('Buyers'))['id']}"
        assert (await space.ask("GET", f"{path}/schedules")).data == {"audienceSchedules": []}
        body = {"strategy": "PERIODIC", "config": {"interval": "6h"}}
        refused = await space.ask("POST", f"{path}/schedules", body)
        assert (refused.status, "as events come" in refused.errors[0]["message"]) == (400, True)
        assert (await space.ask("POST", f"{path}/runs")).status == 400
        assert (await space.ask("GET", f"{path}/schedules/x")).status == 404
        assert (await space.ask("PATCH", f"{path}/schedules/x", body)).status == 404
        assert (await space.ask("DELETE", f"{path}/schedules/x")).status == 404

    in_space(tmp_path, scenario)


def test_a_destination_is_connected_told_otherwise_and_disconnected(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        made = await space.audience("Buyers")
        path = f"audiences/{made['id']}/destination-connections"
        website = await space.webhook(await space.web("web"))
        refused = await space.ask("POST", path, {"destination": {"id": website, "type": "destination"}})
        assert (refused.status, "Engage (People)" in refused.errors[0]["message"]) == (422, True)
        hook = await space.webhook(space.source())
        wanted = {"destination": {"id": hook, "type": "destination"}}
        for sync in (
            [{"externalId": "shoe_size", "strategy": "last"}],
            [{"externalId": "email", "strategy": "some"}],
            [{"externalId": "email", "strategy": "last"}] * 2,
            [{"externalId": name, "strategy": "all"} for name in ("email", "user_id", "ios.id", "ios.idfa")],
            [
                {"externalId": name, "strategy": "last"}
                for name in ("email", "user_id", "ios.id", "ios.idfa", "android.id", "android.idfa")
            ],
        ):
            assert (await space.ask("POST", path, {**wanted, "idSyncConfiguration": sync})).status == 422, sync
        for settings in ({"sendTrack": False, "sendIdentify": False}, {"enteredName": ""}, {"traits": [1]}):
            assert (await space.ask("POST", path, {**wanted, "connectionSettings": settings})).status == 422, settings
        settings = {"enteredName": "Began to buy", "listId": "7", "traits": ["plan"]}
        added = (await space.ask("POST", path, {**wanted, "connectionSettings": settings})).data
        assert added["connection"]["id"].startswith("con_")
        assert added["connectionSettings"] == settings
        assert (await space.ask("POST", path, wanted)).status == 409
        (shown,) = (await space.ask("GET", path)).data["connections"]
        assert (shown["destinationId"], shown["metadata"]["slug"], shown["upToDate"]) == (hook, "webhook", False)
        listed = (await space.ask("GET", f"audiences/{made['id']}/activations")).data["activations"]
        assert [one["activationName"] for one in listed] == [
            "Audience Membership Changed",
            "Began to buy",
            "Audience Exited",
        ]
        body = {"idSyncConfiguration": [{"externalId": "email", "strategy": "all", "mapTo": "mail"}], "enabled": False}
        changed = (await space.ask("PATCH", f"{path}/{hook}", body)).data
        assert changed["idSyncConfiguration"] == body["idSyncConfiguration"]
        assert changed["connectionSettings"] == settings
        only = {"connectionSettings": {"sendTrack": False}}
        assert (await space.ask("PATCH", f"{path}/{added['connection']['id']}", only)).status == 200
        listed = (await space.ask("GET", f"audiences/{made['id']}/activations")).data["activations"]
        assert [one["activationType"] for one in listed] == ["Audience Membership Changed"]
        gone = await space.desk.ask("DELETE", f"/destinations/{hook}")
        assert (gone.status, '"Buyers"' in gone.errors[0]["message"]) == (409, True)
        assert (await space.ask("DELETE", f"{path}/{hook}")).data == {"status": "SUCCESS"}
        assert (await space.ask("DELETE", f"{path}/{hook}")).status == 404
        assert (await space.desk.ask("DELETE", f"/destinations/{hook}")).status == 200

    in_space(tmp_path, scenario)


def test_an_activation_tells_of_accounts_as_its_connection_says(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        audience = (await space.audience("Big", "trait('seats') > 9", audienceType="ACCOUNTS"))["id"]
        hook = await space.webhook(space.source())
        path = f"audiences/{audience}/destination-connections"
        wanted = {"destination": {"id": hook}, "connectionSettings": {"accountsAs": "identify"}}
        added = (await space.ask("POST", path, wanted)).data
        assert added["connectionSettings"] == {"accountsAs": "identify"}

        def types() -> list[str]:
            (one,) = space.house.store.run(workspaces.load).computations
            return [call.type for call in one.connections[0].calls]

        assert types() == ["identify", "track", "track"]
        for kind in ("Audience Membership Changed", "Audience Entered"):
            body = {"activationType": kind, "activationName": "It", "performResync": False}
            await space.ask("POST", f"{path}/{added['connection']['id']}/activations", body)
        assert types() == ["identify", "track"]
        await space.ask("PATCH", f"{path}/{hook}", {"connectionSettings": {}})
        assert types() == ["group", "track"]

    in_space(tmp_path, scenario)


def test_activations_take_the_place_of_the_default_calls(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        audience = (await space.audience("Buyers"))["id"]
        hook = await space.webhook(space.source())
        path = f"audiences/{audience}/destination-connections"
        connection = (await space.ask("POST", path, {"destination": {"id": hook}})).data["connection"]["id"]
        here = f"{path}/{connection}/activations"
        body: dict[str, Any] = {
            "activationType": "Audience Entered",
            "activationName": "Joined",
            "performResync": True,
            "personalization": {"profile": {"properties": ["plan"], "mapping": {"plan": "tier"}}},
            "destinationMapping": {"actionId": "webhook.send", "settings": {}},
        }
        for wrong, status in (
            ({"activationType": "Entity Added"}, 400),
            ({"activationType": "All Events"}, 400),
            ({"activationType": "Audience Loved"}, 422),
            ({"personalization": {"entities": [{"properties": ["a"], "relationshipSlug": "b"}]}}, 422),
            ({"personalization": {"profile": {"mapping": {"a": "b"}}}}, 422),
            ({"destinationMapping": {"actionId": "fly"}}, 422),
        ):
            assert (await space.ask("POST", here, {**body, **wrong})).status == status, wrong
        first = (await space.ask("POST", here, body)).data["activation"]
        assert (first["activationType"], first["performResync"]) == ("Audience Entered", True)
        assert first["personalization"]["profile"] == {"properties": ["plan"], "mapping": {"plan": "tier"}}
        changed = {**body, "activationType": "Audience Membership Changed", "performResync": False}
        second = (await space.ask("POST", here, changed)).data["activation"]
        own = f"audiences/{audience}/activations"
        listed = (await space.ask("GET", own)).data["activations"]
        assert [one["id"] for one in listed] == [first["id"], second["id"]]
        (shown,) = (await space.ask("GET", path)).data["connections"]
        assert shown["resync"] == 1
        patched = await space.ask("PATCH", f"{own}/{first['id']}", {"enabled": False, "displayName": "J"})
        assert (patched.data["activation"]["enabled"], patched.data["activation"]["displayName"]) == (False, "J")
        assert (await space.ask("DELETE", f"{path}/{hook}")).status == 409
        for one in (first, second):
            assert (await space.ask("DELETE", f"{own}/{one['id']}")).data == {"status": "SUCCESS"}
        assert (await space.ask("GET", f"{own}/{first['id']}")).status == 404
        assert (await space.ask("DELETE", f"{path}/{hook}")).status == 200
        supported = (await space.ask("GET", "audienceType/USERS/supported-destinations?slug=webhook")).data
        assert list(supported["destinations"]) == ["webhook"]
        assert (await space.ask("GET", "audienceType/LINKED/supported-destinations")).status == 422

    in_space(tmp_path, scenario)


def test_a_trait_tells_destinations_and_warehouses_too_and_its_source_is_the_houses_own(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        house, desk = space.house, space.desk
        trait = (await space.trait("Orders")).data["computedTrait"]["id"]
        body = {"metadataId": "duckdb", "settings": {}, "enabled": True, "disconnectAllSources": True}
        warehouse = (await desk.ask("POST", "/warehouses", body)).data["warehouse"]["id"]
        path = f"computed-traits/{trait}/destination-connections"
        hook = await space.webhook(space.source())
        for target in ({"id": hook, "type": "destination"}, {"id": warehouse, "type": "warehouse"}):
            assert (await space.own("POST", path, {"destination": target})).status == 200
        assert [one["type"] for one in (await space.own("GET", path)).data["connections"]] == [
            "destination",
            "warehouse",
        ]
        found = house.store.run(workspaces.load)
        assert next(one for one in found.warehouses if one.id == warehouse).takes(space.source())
        assert (await desk.ask("DELETE", f"/warehouses/{warehouse}")).status == 409
        resync = (await space.own("POST", f"computations/{trait}/resync", {})).data["connectionIds"]
        assert len(resync) == 2
        assert {one["resync"] for one in (await space.own("GET", path)).data["connections"]} == {1}
        source = f"/sources/{space.source()}"
        shown = (await desk.ask("GET", source)).data["source"]
        assert (shown["writeKeys"], shown["metadata"]["slug"]) == ([], "engage")
        for method, place, sent in (
            ("DELETE", source, None),
            ("POST", f"{source}/writekey", None),
            ("PATCH", source, {"enabled": False}),
            ("PATCH", source, {"settings": {"spaceId": "other"}}),
        ):
            assert (await desk.ask(method, place, sent)).status == 409, (method, place)
        taken = await desk.ask("PATCH", f"/headwater/spaces/{space.id}", {"sourceIds": [space.source()]})
        assert taken.status == 422, "no space takes what is said of one"
        made = {"slug": "mine", "metadataId": "engage", "enabled": True}
        assert (await desk.ask("POST", "/sources", made)).status == 422
        assert (await space.own("PATCH", f"{path}/{warehouse}", {"enabled": False})).status == 200
        assert (await space.own("DELETE", f"{path}/{warehouse}")).status == 200
        await space.ask("PATCH", f"computed-traits/{trait}", {"enabled": False})
        await space.ask("DELETE", f"computed-traits/{trait}")
        assert (await desk.ask("DELETE", source)).status == 200, "nothing needs it any more"

    in_space(tmp_path, scenario)


def test_a_query_is_checked_without_ever_failing(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        await space.audience("Buyers", "trait('later') = true")
        await space.trait("Orders")
        text = "event('A').count()>=1 and trait('buyers')=true AND trait('orders')>1 AND trait('plan')='x'"
        good = (await space.own("POST", "check-query", {"query": text})).data
        assert good == {
            "ok": True,
            "canonical": "event('A').count() >= 1 AND trait('buyers') = true AND trait('orders') > 1 "
            "AND trait('plan') = 'x'",
            "events": ["A"],
            "traits": ["plan"],
            "audiences": ["buyers"],
            "computedTraits": ["orders"],
            "error": None,
        }
        for body, expected in (
            ({"query": ""}, ""),
            ({"query": "event('A"}, ""),
            ({"query": "\0" * 50}, ""),
            ({"query": "(" * 20_000}, ""),
            ({"query": "event('A').count()", "kind": "audience"}, "a comparison is expected"),
            ({"query": "trait('buyers') = true", "key": "later"}, "would create a cycle"),
            ({"query": "ANY trait('x') = 1", "level": "USERS"}, "ANY asks the users of an account"),
        ):
            answer = await space.own("POST", "check-query", body)
            assert answer.data["ok"] is False, body
            assert expected in answer.data["error"]["expected"]
            assert answer.data["error"]["message"]

    in_space(tmp_path, scenario)


def test_people_may_be_asked_of_an_audience_of_accounts_and_not_of_a_trait_of_theirs(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        await space.trait("Logins", "event('Login').count()", definition={"type": "ACCOUNTS", "query": LOGINS})
        await space.audience("Active", "ANY event('Login').count() >= 1", audienceType="ACCOUNTS")
        bad, good = "event('A').count() >= 1 AND trait('logins') > 3", "trait('active') = true"
        checked = (await space.own("POST", "check-query", {"query": bad})).data
        assert (checked["ok"], checked["error"]["position"]) == (False, bad.index("trait('logins')"))
        assert "trait of accounts" in checked["error"]["message"]
        for query in (good, f"ANY {good} AND trait('logins') > 3"):
            body = {"query": query, "level": "USERS" if query == good else "ACCOUNTS"}
            assert (await space.own("POST", "check-query", body)).data["ok"], query
        audience = await space.audience("Fine", good)
        definition = {"query": bad}
        for method, path, body in (
            ("POST", "audiences", {"name": "Bad", "audienceType": "USERS", "definition": definition}),
            ("POST", "audiences/previews", {"audienceType": "USERS", "definition": definition}),
            ("PATCH", f"audiences/{audience['id']}", {"definition": definition}),
            ("POST", "computed-traits", {"name": "Bad", "definition": {"type": "USERS", "query": "trait('logins')"}}),
        ):
            answer = await space.ask(method, path, body)
            assert (answer.status, "trait of accounts" in str(answer.body)) == (422, True), path

    in_space(tmp_path, scenario)


def test_who_moved_who_is_in_and_how_many_they_were_can_be_seen(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        audience = (await space.audience("Buyers"))["id"]
        trait = (await space.trait("Gift", "event('Order').last(property('gift'))")).data["computedTrait"]["id"]
        now = workspaces.now()

        def fill(connection: Any) -> None:
            moves = [standing.Move(audience, f"p{number}", number != 2, now + number) for number in range(4)]
            standing.record_moves(connection, moves, now - 2 * HOUR, {audience: 3})
            rows = {
                f"p{number}": encode(Standing(values={audience: Held("buyers", number != 2, now)}))
                for number in range(4)
            }
            given = {trait: Held("gift", value=False, at=now), audience: Held("buyers", value=False, at=now)}
            rows["p4"] = encode(Standing(values=given))
            standing.write_standings(connection, rows)

        space.house.store.run(fill)
        page = (await space.own("GET", f"audiences/{audience}/moves?count=3")).data
        assert [(one["profileId"], one["entered"]) for one in page["moves"]] == [
            ("p3", True),
            ("p2", False),
            ("p1", True),
        ]
        rest = (await space.own("GET", f"audiences/{audience}/moves?before={page['next']}")).data
        assert ([one["profileId"] for one in rest["moves"]], rest["next"]) == (["p0"], 0)
        left = (await space.own("GET", f"audiences/{audience}/moves?entered=false")).data["moves"]
        assert [one["profileId"] for one in left] == ["p2"]
        first = (await space.own("GET", f"computations/{audience}/members?count=2")).data
        assert ([one["profileId"] for one in first["members"]], first["next"]) == (["p0", "p1"], "p1")
        more = (await space.own("GET", f"computations/{audience}/members?after=p1")).data
        assert ([one["profileId"] for one in more["members"]], more["next"]) == (["p3"], "")
        found = (await space.own("GET", f"computations/{trait}/members")).data["members"]
        assert [(one["profileId"], one["value"]) for one in found] == [("p4", False)]
        points = (await space.own("GET", f"computations/{audience}/series?hours=5")).data["points"]
        assert [(one["size"], one["entered"]) for one in points] == [(3, 3), (3, 0), (3, 0)]
        reader = space.house.token("Reader", "audiences:read")
        assert (await space.own("GET", f"audiences/{audience}/moves", token=reader)).status == 401
        assert (await space.own("GET", f"computations/{audience}/series", token=reader)).status == 200

    in_space(tmp_path, scenario)


def test_an_audience_is_copied_within_its_space_and_into_another(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        other = space.house.store.run(
            lambda connection: workspaces.create_space(connection, slug="pets", name="Pets")
        ).id
        audience = await space.audience("Buyers", options={"filterByExternalIds": ["email"]})
        path = f"audiences/{audience['id']}/clone"
        copy = (await space.own("POST", path, {})).data["audience"]
        assert (copy["key"], copy["enabled"], copy["spaceId"]) == ("buyers_copy", False, space.id)
        assert copy["definition"] == audience["definition"]
        assert copy["options"] == audience["options"]
        assert (await space.own("POST", path, {})).status == 409
        there = (await space.own("POST", path, {"name": "Buyers", "into": "pets"})).data["audience"]
        assert (there["key"], there["spaceId"]) == ("buyers", other)
        assert ADMIN not in str(there)

    in_space(tmp_path, scenario)


def test_a_definition_is_previewed_before_it_is_saved(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        body: dict[str, Any] = {"definition": {"query": "trait('plan') = 'pro'"}, "audienceType": "USERS"}
        options = {"filterByExternalIds": ["email"], "backfillEventDataDays": 30}
        made = (await space.ask("POST", "audiences/previews", {**body, "options": options})).data["audiencePreview"]
        shown = (await space.ask("GET", f"audiences/previews/{made['id']}")).data["audiencePreview"]
        assert (shown["status"], shown["size"]) == ("COMPLETED", {"count": 7, "type": "USERS"})
        assert shown["options"] == {**options, "includeHistoricalData": True}
        assert (shown["results"][0]["id"], shown["results"][0]["because"]) == ("use_1", {"plan": "pro"})
        body["definition"] = {"query": "trait('nobody') = 1"}
        made = (await space.ask("POST", "audiences/previews", body)).data["audiencePreview"]
        shown = (await space.ask("GET", f"audiences/previews/{made['id']}")).data["audiencePreview"]
        assert (shown["status"], shown["failureReason"]) == ("FAILED", "Nobody can tell.")
        assert "results" not in shown
        for wrong in (
            {"definition": {"query": "trait("}},
            {"definition": {"query": "event('A').count()"}},
            {"audienceType": "LINKED"},
            {"options": {"filterByExternalIds": ["shoe_size"]}},
        ):
            assert (await space.ask("POST", "audiences/previews", {**body, **wrong})).status == 422, wrong
        trait = {**body, "definition": {"query": "event('A').count()"}, "kind": "trait"}
        assert (await space.ask("POST", "audiences/previews", trait)).status == 200
        assert (await space.ask("GET", "audiences/previews/other")).status == 404
        space.house.store.run(lambda connection: workspaces.create_space(connection, slug="pets", name="Pets"))
        assert (await space.desk.ask("GET", f"/spaces/pets/audiences/previews/{made['id']}")).status == 404
        reader = space.house.token("Reader", "audiences:write")
        assert (await space.ask("GET", f"audiences/previews/{made['id']}", token=reader)).status == 401

    in_space(tmp_path, scenario)


def test_every_change_is_in_the_trail(tmp_path: Path) -> None:
    async def scenario(space: Space) -> None:
        hook = {"destination": {"id": await space.webhook(space.source()), "type": "destination"}}
        done: list[tuple[str, str]] = []

        async def does(name: str, told: str, method: str, path: str, body: Any = None) -> Any:
            operation = OPERATIONS[name]
            own = operation.path.startswith("/headwater")
            answer = await (space.own if own else space.ask)(method, path, body)
            assert operation.method == method
            done.append((name, told))
            return answer.data

        audience = {"name": "A", "definition": {"query": BUYERS}, "audienceType": "USERS"}
        trait = {"name": "T", "definition": {"query": "event('A').count()", "type": "USERS"}}
        a = (await does("create_audience", "Audience Created", "POST", "audiences", audience))["audience"]["id"]
        preview = {one: audience[one] for one in ("definition", "audienceType")}
        await does("create_audience_preview", "Audience Preview Created", "POST", "audiences/previews", preview)
        made = await does("create_computed_trait", "Computed Trait Created", "POST", "computed-traits", trait)
        t = made["computedTrait"]["id"]
        for noun, id, path, word in (
            ("audience", a, f"audiences/{a}", "Audience"),
            ("computed_trait", t, f"computed-traits/{t}", "Computed Trait"),
        ):
            here = f"{path}/destination-connections"
            there = f"{here}/{hook['destination']['id']}"
            modified = f"{word} Modified"
            await does(f"add_destination_to_{noun}", modified, "POST", here, hook)
            await does(f"update_destination_for_{noun}", modified, "PATCH", there, {"enabled": False})
            await does("resync_audience", modified, "POST", f"computations/{id}/resync", {})
            if noun == "audience":
                body = {"activationType": "Audience Entered", "activationName": "In", "performResync": False}
                added = await does("add_activation_to_audience", modified, "POST", f"{there}/activations", body)
                one = f"{path}/activations/{added['activation']['id']}"
                await does("update_activation_for_audience", modified, "PATCH", one, {"enabled": False})
                await does("remove_activation_from_audience", modified, "DELETE", one)
                await does("clone_audience", "Audience Created", "POST", f"{path}/clone", {})
            await does(f"remove_destination_from_{noun}", modified, "DELETE", there)
            await does(f"update_{noun}_for_space", modified, "PATCH", path, {"enabled": False})
            await does(f"remove_{noun}_from_space", f"{word} Deleted", "DELETE", path)
        trail = [type for type in await space.trail() if not type.startswith("Integration")]
        assert trail[::-1] == [told for _, told in done]
        tags = {"Audiences", "Computed Traits", "Activations"}
        assert {name for name, _ in done} == {
            one.name for one in OPERATIONS.values() if one.changes and one.tag in tags
        }

    in_space(tmp_path, scenario)
