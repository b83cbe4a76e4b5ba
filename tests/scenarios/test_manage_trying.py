"""Trying subscriptions on an event: which match and why not, what is mapped, sent and answered; nothing is counted."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from crm_house import CrmDesk, with_crm

from headwater.contracts.doubles import Answer, Recorder
from headwater.manage.trials import Trials
from headwater.store import ledger

IDENTIFY: dict[str, Any] = {"type": "identify", "userId": "u1", "traits": {"email": "ada@acme.test", "name": "Ada"}}


async def tried(crm: CrmDesk, destination: str, event: Any = IDENTIFY, **more: Any) -> dict[str, Any]:
    body = {"event": event, **more} if event is not None else more
    return (await crm.ask("POST", f"/headwater/destinations/{destination}/preview", body)).data


def failed(shown: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["step"], step["reason"]) for step in shown["steps"] if not step["passed"]]


def test_each_subscription_says_whether_it_matches_what_it_maps_and_what_would_be_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            shown = await tried(crm, destination)
            assert failed(shown) == []
            people, deeds = shown["subscriptions"]
            assert (people["matched"], deeds["matched"]) == (True, False)
            assert deeds["why"] == 'this does not hold: type = "track"'
            assert (people["payload"], people["problems"]) == ({"email": "ada@acme.test"}, [])
            assert [(one["method"], one["url"]) for one in people["requests"]] == [
                ("GET", "http://crm.test/people/ada@acme.test"),
                ("PUT", "http://crm.test/people"),
            ]
            assert people["requests"][1]["body"] == {"email": "ada@acme.test"}
            assert shown["requests"] == people["requests"]
            assert (shown["sent"], people["response"]) == (False, None)
            assert "sesame" not in msgspec.json.encode(shown).decode()

            bare = {"type": "identify", "userId": "u1"}
            (lacking, _) = (await tried(crm, destination, bare))["subscriptions"]
            assert (lacking["reason"], lacking["requests"]) == ("MESSAGE_REJECTED", [])
            assert lacking["problems"]
            assert failed(await tried(crm, destination, {"type": "page", "userId": "u"})) == [
                ("subscriptions", "NO_MATCHING_MAPPING")
            ]

    asyncio.run(scenario())


def test_a_subscription_is_tried_before_it_is_saved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            (people, _) = (await crm.subscriptions(destination)).values()
            draft = {"id": people["id"], "settings": {"email": "x@y.test", "name": {"@path": "$.traits.name"}}}
            (one,) = (await tried(crm, destination, subscription=draft))["subscriptions"]
            assert (one["id"], one["payload"]) == (people["id"], {"email": "x@y.test", "name": "Ada"})
            new = {"actionId": "crm.tell", "trigger": 'type = "page" or type = "screen"'}
            (one,) = (await tried(crm, destination, subscription=new))["subscriptions"]
            assert one["why"] == 'none of these holds: type = "page", type = "screen"'
            assert (one["matched"], one["requests"]) == (False, [])
            for draft, field in (
                ({"actionId": "tell"}, "trigger"),
                ({"actionId": "sing"}, "actionId"),
                ({"id": people["id"], "settings": {"email": {"@path": 1}}}, "settings.email.@path"),
            ):
                path = f"/headwater/destinations/{destination}/preview"
                refused = await crm.ask("POST", path, {"event": IDENTIFY, "subscription": draft})
                assert (refused.status, refused.errors[0]["field"]) == (422, f"subscription.{field}")
            assert (await crm.subscriptions(destination))["People"] == people

    asyncio.run(scenario())


def test_filters_tell_one_by_one_what_they_do_and_keep_an_event_from_being_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm, Recorder() as recorder:
            destination = await crm.connect(address=recorder.url(""))
            for title, actions in (
                ("No names", [{"type": "DROP_PROPERTIES", "fields": {"traits": ["name"]}}]),
                ("Nobody", [{"type": "DROP"}]),
            ):
                body = {"sourceId": "web", "title": title, "if": "all", "actions": actions, "enabled": True}
                await crm.ask("POST", f"/destination/{destination}/filters", body)
            shown = await tried(crm, destination, send=True)
            filters = [one for one in shown["steps"] if one["step"] == "filter"]
            assert [(one["name"], one["passed"], one["meaning"]) for one in filters] == [
                ("No names", True, "It changes the event."),
                ("Nobody", False, "A destination filter dropped the event."),
            ]
            assert (shown["sent"], recorder.requests) == (False, [])

            (_, nobody) = (await crm.ask("GET", f"/destination/{destination}/filters")).data["filters"]
            await crm.ask("PATCH", f"/destination/{destination}/filters/{nobody['id']}", {"enabled": False})
            shown = await tried(crm, destination)
            assert (shown["event"]["traits"], shown["filteredEvent"]["traits"]) == (
                IDENTIFY["traits"],
                {"email": "ada@acme.test"},
            )
            shown = await tried(crm, destination, ignoreFilters=True)
            assert shown["filteredEvent"] == shown["event"]

    asyncio.run(scenario())


def test_what_is_really_sent_shows_the_answers_and_counts_nowhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm, Recorder() as recorder:
            recorder.script("/people", Answer(status=400, body=b'{"no":"sesame"}'))
            destination = await crm.connect(address=recorder.url(""))
            found = await crm.subscriptions(destination)
            path = f"/destinations/{destination}/subscriptions"
            body = {"name": "Off", "actionId": "tell", "trigger": 'type = "identify"', "enabled": False}
            await crm.ask("POST", path, body | {"settings": {"deed": "x"}})
            shown = await tried(crm, destination, send=True)
            people, _, off = shown["subscriptions"]
            assert people["id"] == found["People"]["id"]
            assert (people["response"]["step"], people["response"]["reason"]) == ("failed_delivery", "BAD_REQUEST")
            assert (off["matched"], off["response"], len(off["requests"])) == (True, None, 1)
            assert (shown["sent"], shown["response"]) == (True, people["response"])
            assert "sesame" not in msgspec.json.encode(shown).decode()
            assert [one.path for one in recorder.requests] == ["/people/ada@acme.test", "/people"]
            assert crm.house.store.run(ledger.standing) == []
            assert (await crm.ask("GET", "/audit-events")).data["events"][0]["type"] == "Integration Tested"

    asyncio.run(scenario())


def test_a_recorded_event_is_tried_as_it_was_published(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            destination = await crm.connect()
            await crm.house.process(crm.source, "m1")
            shown = await tried(crm, destination, None, messageId="m1")
            assert shown["event"] == {"type": "track", "event": "E", "messageId": "m1", "userId": "u"}
            assert [one["matched"] for one in shown["subscriptions"]] == [False, True]
            assert shown["requests"][0]["body"] == {"deed": "E"}
            path = f"/headwater/destinations/{destination}/preview"
            assert (await crm.ask("POST", path, {"messageId": "m2"})).status == 404
            assert (await crm.ask("POST", path, {})).errors[0]["field"] == "event"
            writer = crm.house.token("writer", "destinations:write")
            assert (await crm.ask("POST", path, {"messageId": "m1"}, token=writer)).status == 401
            assert (await crm.ask("POST", path, {"event": IDENTIFY}, token=writer)).status == 200

    asyncio.run(scenario())


def test_a_destination_with_connections_of_its_own_is_tried_by_opening_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            one = await crm.connect("queue", password="open up")
            path = f"/headwater/destinations/{one}"
            assert (await crm.ask("POST", f"{path}/authentication")).data == {
                "tested": True,
                "accepted": False,
                "message": "The password [redacted] is not accepted.",
            }
            await crm.ask("PATCH", f"/destinations/{one}", {"settings": {"password": "sesame"}})
            assert (await crm.ask("POST", f"{path}/authentication")).data["accepted"] is True
            shown = await tried(crm, one)
            assert (failed(shown), shown["requests"]) == ([], [])
            assert shown["steps"][-1]["meaning"].startswith("It is sent over a connection of its own")
            sent = await tried(crm, one, send=True)
            assert (sent["sent"], sent["response"]["step"]) == (True, "delivered")

    asyncio.run(scenario())


def test_what_trials_opened_is_kept_for_the_next_one_and_closed_in_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            trials = Trials(crm.house.settings, crm.house.store, crm.house.secrets)
            async with trials.ports() as first, trials.ports() as beside:
                assert beside is first
            async with trials.ports() as next:
                assert next is first
            await trials.close()
            async with trials.ports() as anew:
                assert anew is not first
            await trials.close()

    asyncio.run(scenario())
