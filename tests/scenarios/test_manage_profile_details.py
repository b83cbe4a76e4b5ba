"""What the operations tell of one profile: traits and their past, events, and what undoing a merge would part."""

import asyncio
import time
from pathlib import Path
from urllib.parse import quote

from manage_house import running
from profiles_house import ProfilesHouse


def test_a_profile_is_found_by_a_trait_and_shown_with_its_past(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            path = f"/headwater/spaces/{house.space.slug}/profiles"
            traits = {"firstName": "Ann", "last_name": "Lee", "email": "ann@example.com", "plan": "Free", "old": 1}
            await house.tell(
                {"type": "identify", "userId": "u1", "traits": traits},
                {"type": "identify", "userId": "u1", "traits": {"plan": "pro", "old": None, "long": "x" * 3_000}},
                {"event": "Bought", "userId": "u1", "properties": {"price": 3}},
                {"type": "page", "name": "Home", "userId": "u1", "anonymousId": "a1"},
                {"event": "Bought", "userId": "u2"},
            )
            await house.fold()
            first = (await house.ask("GET", f"{path}?count=1")).data
            assert (first["profiles"][0]["identifiers"], first["profiles"][0]["events"]) == (["user_id:u2"], 1)
            second = (await house.ask("GET", f"{path}?count=1&before={first['next']}")).data
            one = second["profiles"][0]
            assert (one["name"], one["email"], one["events"], second["next"]) == ("Ann Lee", "ann@example.com", 4, "")
            found = (await house.ask("GET", f"{path}?search=PRO&traits=true")).data
            assert ([each["id"] for each in found["profiles"]], found["searched"]) == ([one["id"]], 2)
            assert (await house.ask("GET", f"{path}?search=PRO")).data["profiles"] == []

            shown = (await house.ask("GET", f"{path}/user_id:u1/traits")).data
            by_name = {each["name"]: each for each in shown["traits"]}
            assert shown["total"] == 6
            assert [value["value"] for value in by_name["plan"]["before"]] == ["Free"]
            assert (by_name["plan"]["current"]["messageId"], by_name["old"]["removed"]) == ("m1", True)
            long = by_name["long"]["current"]
            assert (long["cut"], len(long["value"]), long["bytes"]) == (True, 2_000, 3_002)
            page = (await house.ask("GET", f"{path}/user_id:u1/traits?search=la&offset=1&count=1")).data
            assert ([each["name"] for each in page["traits"]], page["total"]) == (["plan"], 2)

            counts = (await house.ask("GET", f"{path}/{one['id']}/event-counts")).data
            assert counts == {"events": 4, "names": {"Bought": 1, "Page Viewed": 1}, "sources": {"web": 4}}
            assert (await house.ask("GET", f"{path}/user_id:none/traits")).status == 404

    asyncio.run(scenario())


def test_the_events_of_a_profile_are_read_page_by_page_and_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ProfilesHouse(tmp_path)
        house.start = time.time_ns() // 1_000_000 - 60_000
        async with running(house):
            path = f"/headwater/spaces/{house.space.slug}/profiles/user_id:u1/events"
            sent = [{"event": f"E{number % 2}", "userId": "u1", "properties": {"n": number}} for number in range(3)]
            await house.tell(*sent)
            await house.fold()
            first = (await house.ask("GET", f"{path}?count=2")).data
            assert [one["properties"]["n"] for one in first["events"]] == [2, 1]
            rest = (await house.ask("GET", f"{path}?count=2&next={quote(first['next'])}")).data
            assert ([one["messageId"] for one in rest["events"]], rest["next"], rest["days"]) == (["m0"], "", 14)
            assert len((await house.ask("GET", f"{path}?name=E1")).data["events"]) == 1
            assert (await house.ask("GET", f"{path}?next=nonsense")).status == 400

    asyncio.run(scenario())


def test_what_an_undone_merge_would_part_is_told_before_it_is_done(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            path = f"/headwater/spaces/{house.space.slug}"
            await house.tell(
                {"event": "Seen", "anonymousId": "a1"},
                {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}},
                {"event": "Seen", "userId": "u1", "anonymousId": "a1"},
            )
            await house.fold()
            whole = (await house.ask("GET", f"{path}/profiles/user_id:u1")).data
            merge = whole["merges"][0]
            assert (whole["events"], merge["keptApart"]) == (3, False)
            told = (await house.ask("POST", f"{path}/unmerge/preview", {"mergeId": merge["id"]})).data
            sides = [(one["identifiers"], one["traits"], one["profile"]["events"]) for one in told["sides"]]
            assert sides == [(["anonymous_id:a1"], [], 2), (["user_id:u1"], ["plan"], 1)]
            assert (await house.ask("GET", f"{path}/profiles/user_id:u1")).data == whole
            assert (await house.ask("GET", f"{path}/merge-blocks")).data == {"merges": [], "total": 0}
            done = (await house.ask("POST", f"{path}/unmerge", {"mergeId": merge["id"]})).data
            assert {one["id"] for one in done["profiles"]} == {one["profile"]["id"] for one in told["sides"]}
            assert (await house.ask("GET", f"{path}/profiles/user_id:u1")).data["merges"][0]["keptApart"]
            blocks = (await house.ask("GET", f"{path}/merge-blocks")).data
            assert ([one["id"] for one in blocks["merges"]], blocks["total"]) == ([merge["id"]], 1)
            assert (await house.ask("POST", f"{path}/unmerge/preview", {"mergeId": merge["id"]})).status == 400
            await house.ask("DELETE", f"{path}/merge-blocks/{merge['id']}")
            assert (await house.ask("GET", f"{path}/merge-blocks")).data["total"] == 0
            assert not (await house.ask("GET", f"{path}/profiles/user_id:u1")).data["merges"][0]["keptApart"]

    asyncio.run(scenario())
