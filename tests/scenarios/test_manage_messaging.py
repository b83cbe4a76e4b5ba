"""What people want to be sent, over HTTP: kept by channel and address, and told as it was kept."""

import asyncio
from pathlib import Path

from manage_house import ManageHouse, running

from headwater.store import audit

PATH = "/spaces/people/messaging-subscriptions"


def test_what_people_want_to_be_sent_is_kept_by_channel_and_address(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.ask("POST", "/headwater/spaces", {"slug": "people", "name": "People"})
            await house.ask("POST", "/headwater/spaces", {"slug": "other", "name": "Other"})
            news, ads = {"name": "News", "status": "SUBSCRIBED"}, {"name": "Ads", "status": "UNSUBSCRIBED"}
            told = [
                {"key": "ann@x.test", "type": "EMAIL", "status": "SUBSCRIBED", "groups": [news, ads]},
                {"key": "+49301", "type": "SMS", "status": "UNSUBSCRIBED"},
                {"key": "+49302", "type": "WHATSAPP"},
            ]
            kept = (await house.ask("PUT", PATH, {"subscriptions": told})).data
            [mail, text] = kept["successes"]
            assert text == told[1]
            assert [(one["name"], one["status"]) for one in mail["groups"]] == [
                ("Ads", "UNSUBSCRIBED"),
                ("News", "SUBSCRIBED"),
            ]
            assert [(one["key"], one["type"], one["errors"][0]["code"]) for one in kept["failures"]] == [
                ("+49302", "WHATSAPP", "invalid")
            ]

            later = {"key": "ann@x.test", "type": "EMAIL", "groups": [{"name": "News", "status": "UNSUBSCRIBED"}]}
            [mail] = (await house.ask("PUT", PATH, {"subscriptions": [later]})).data["successes"]
            assert mail["status"] == "SUBSCRIBED", "what is absent stays"
            asked = [{"key": "+49301", "type": "WHATSAPP"}, {"key": "ann@x.test", "type": "EMAIL"}]
            found = (await house.ask("POST", f"{PATH}/batch", {"subscriptions": asked})).data
            [shown] = found["successes"]
            assert (shown["key"], shown["type"], shown["status"]) == ("ann@x.test", "EMAIL", "SUBSCRIBED")
            assert {one["name"]: one["status"] for one in shown["groups"]} == {
                "Ads": "UNSUBSCRIBED",
                "News": "UNSUBSCRIBED",
            }
            assert [one["id"] for one in shown["groups"]] == [one["id"] for one in mail["groups"]]
            assert shown["updatedAt"] == max(one["updatedAt"] for one in shown["groups"])
            assert [(one["key"], one["type"]) for one in found["failures"]] == [("+49301", "WHATSAPP")]
            assert found["errors"] == []
            elsewhere = await house.ask("POST", f"{PATH.replace('people', 'other')}/batch", {"subscriptions": asked})
            assert elsewhere.data["successes"] == []
            types = [one.type for one in house.store.run(audit.entries, write=False)[0]]
            assert types.count("Messaging Subscriptions Modified") == 2

    asyncio.run(scenario())


def test_who_may_not_change_people_changes_nothing_and_what_is_no_channel_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.ask("POST", "/headwater/spaces", {"slug": "people", "name": "People"})
            body = {"subscriptions": [{"key": "a", "type": "EMAIL", "status": "SUBSCRIBED"}]}
            assert (await house.ask("PUT", PATH, body, token=house.token("spaces", "spaces:write"))).status == 401
            assert (await house.ask("PUT", PATH.replace("people", "none"), body)).status == 404
            long = "\N{SNOWMAN}" * 500
            whole = [{"key": long, "type": "EMAIL", "groups": [{"name": long[:100], "status": "SUBSCRIBED"}]}]
            assert (await house.ask("PUT", PATH, {"subscriptions": whole})).data["successes"][0]["key"] == long
            for wrong in ({"type": "FAX"}, {"status": "MAYBE"}, {"key": ""}, {"key": "a\0"}, {"key": long + "a"}):
                one = body["subscriptions"][0] | wrong
                assert (await house.ask("PUT", PATH, {"subscriptions": [one]})).status == 422
            reader = house.token("reader", "profiles:read")
            asked = {"subscriptions": [{"key": "a", "type": "EMAIL"}]}
            found = await house.ask("POST", f"{PATH}/batch", asked, token=reader)
            assert (found.status, found.data["successes"]) == (200, [])

    asyncio.run(scenario())
