"""Two configurations on the same events: what is equal, what differs and where; nothing is sent."""

import asyncio
from pathlib import Path
from typing import Any

from crm_house import CrmDesk, with_crm

EVENTS: list[dict[str, Any]] = [
    {"type": "identify", "userId": "u1", "traits": {"email": "ada@acme.test"}},
    {"type": "track", "event": "Order", "userId": "u1", "messageId": "m2"},
    {"type": "page", "userId": "u1"},
]


async def compared(crm: CrmDesk, destination: str, **body: Any) -> dict[str, Any]:
    return (await crm.ask("POST", f"/headwater/destinations/{destination}/compare", body)).data


def test_two_destinations_are_compared_on_events(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            first = await crm.connect()
            second = await crm.connect(apiKey="another")
            same = await compared(crm, first, otherId=second, events=EVENTS)
            assert (same["events"], same["counts"]) == (3, {"equal": 2, "neither": 1})
            assert [one["first"] for one in same["compared"]] == [2, 1, 0]
            assert same["compared"][2]["firstReason"] == "NO_MATCHING_MAPPING"

            deeds = (await crm.subscriptions(second))["Deeds"]
            changes = {"settings": {"deed": "order", "worth": 3}}
            await crm.ask("PATCH", f"/destinations/{second}/subscriptions/{deeds['id']}", {"input": changes})
            other = await compared(crm, first, otherId=second, events=EVENTS[1:2])
            (one,) = other["compared"]
            assert (one["messageId"], one["type"], one["name"], one["result"]) == ("m2", "track", "Order", "differs")
            assert [(each["where"], each["path"], each["first"], each["second"]) for each in one["differences"]] == [
                ("body", "deed", "Order", "order"),
                ("body", "worth", None, 3),
            ]
            less = await compared(crm, first, otherId=second, events=EVENTS[1:2], ignore=["deed", "worth"])
            assert less["counts"] == {"equal": 1}

    asyncio.run(scenario())


def test_a_destination_is_compared_with_how_it_would_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            first = await crm.connect()
            only = {"if": "type = 'identify'", "actions": [{"type": "DROP"}]}
            found = await compared(crm, first, draft={"filters": [only]}, events=EVENTS)
            assert [one["result"] for one in found["compared"]] == ["onlyFirst", "equal", "neither"]
            assert found["compared"][0]["secondReason"] == "FILTERED_BY_RULES"
            pages = {"actionId": "tell", "trigger": 'type = "page"', "settings": {"deed": "page"}}
            found = await compared(crm, first, draft={"subscriptions": [pages]}, events=EVENTS)
            assert found["counts"] == {"onlyFirst": 2, "onlySecond": 1}
            hook = {"metadataId": "webhook", "settings": {"url": "http://hook.test/"}}
            found = await compared(crm, first, draft=hook, events=EVENTS[:1])
            assert found["compared"][0]["differences"][0]["where"] == "method"
            assert len((await crm.ask("GET", "/destinations")).data["destinations"]) == 1

            wrong: list[tuple[dict[str, Any], str]] = [
                ({}, "draft"),
                ({"draft": {"metadataId": "none"}}, "draft.metadataId"),
                ({"draft": {"filters": [{"if": "(", "actions": []}]}}, "draft.filters[0].if"),
                (
                    {"draft": {"subscriptions": [{"actionId": "tell", "trigger": "("}]}},
                    "draft.subscriptions[0].trigger",
                ),
                ({"draft": {"settings": {"address": "nowhere", "apiKey": "k"}}}, "draft.settings"),
            ]
            for body, field in wrong:
                refused = await crm.ask("POST", f"/headwater/destinations/{first}/compare", body | {"events": EVENTS})
                assert (refused.status, refused.errors[0]["field"]) == (422, field)

    asyncio.run(scenario())


def test_the_newest_events_of_the_source_are_taken_unless_others_are_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with with_crm(tmp_path) as crm:
            first = await crm.connect()
            await crm.house.process(crm.source, "m1", "m2", "m3")
            await crm.house.process("another", "m4")
            found = await compared(crm, first, draft={}, count=2)
            assert [one["messageId"] for one in found["compared"]] == ["m3", "m2"]
            assert found["counts"] == {"equal": 2}
            writer = crm.house.token("writer", "destinations:write")
            path = f"/headwater/destinations/{first}/compare"
            assert (await crm.ask("POST", path, {"draft": {}}, token=writer)).status == 401
            assert (await crm.ask("POST", path, {"draft": {}, "events": EVENTS}, token=writer)).status == 200

    asyncio.run(scenario())
