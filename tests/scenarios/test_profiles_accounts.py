"""Companies above and below one another, from group calls to what they come to together (profiles-governance 1.9)."""

import asyncio
from pathlib import Path
from typing import Any

from manage_house import running
from profiles_house import ProfilesHouse

from headwater.spec.timestamps import format_moment
from headwater.store import accounts


def group(user: str, id: str, parent: Any = ..., **more: Any) -> dict[str, Any]:
    traits = {"name": id.title()} if parent is ... else {"name": id.title(), "parent_group_id": parent}
    return {"type": "group", "userId": user, "groupId": id, "traits": traits, **more}


def test_companies_are_put_below_one_another_and_added_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell(
                group("ann", "berlin", "acme"),
                group("bob", "paris", "acme"),
                group("ann", "paris"),
                group("cid", "north", "berlin"),
                group("ann", "acme", "north"),
                {"userId": "dan", "event": "Ordered", "context": {"groupId": "north"}},
                group("eve", "other"),
            )
            await house.fold()

            async def asked(name: str) -> Any:
                path = f"/headwater/spaces/{house.space.id}/profiles/{name}/hierarchy"
                return await house.ask("GET", path)

            acme = (await asked("group_id%3Aacme")).data
            assert (acme["ancestors"], [one["name"] for one in acme["children"]]) == ([], ["Berlin", "Paris"])
            assert acme["rollUp"] == {
                "accounts": 4,
                "users": 3,
                "events": 6,
                "firstSeenAt": format_moment(house.start),
                "lastSeenAt": format_moment(house.start + 5_000),
                "cut": False,
            }
            north = (await asked("group_id%3Anorth")).data
            assert [one["name"] for one in north["ancestors"]] == ["Berlin", "Acme"]
            assert (north["rollUp"]["users"], north["rollUp"]["events"]) == (1, 2), "context.groupId links nobody"
            violations = (await house.ask("GET", f"/headwater/spaces/{house.space.id}/violations")).data["violations"]
            assert [(one["kind"], one["identifier"]) for one in violations] == [
                ("parent_above_itself", "group_id:north")
            ]

            links = (await house.read("users/profiles/user_id:dan/links")).body["data"]
            assert links == []
            dan, cid = [
                (await house.ask("GET", f"/headwater/spaces/{house.space.id}/profiles/user_id%3A{name}")).data["id"]
                for name in ("dan", "cid")
            ]
            companies = house.store.run(lambda connection: accounts.accounts_of(connection, [dan, cid]))
            assert companies == {cid: [north["id"], *(one["id"] for one in north["ancestors"])]}

            await house.tell(group("ann", "berlin", None), group("ann", "berlin", "acme", at=-60))
            await house.fold()
            assert [one["name"] for one in (await asked("group_id%3Aacme")).data["children"]] == ["Paris"]
            assert (await asked("user_id%3Aann")).status == 422
            assert (await asked("group_id%3Anone")).status == 404

    asyncio.run(scenario())
