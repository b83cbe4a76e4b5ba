"""Many who ask the Profile API at the same moment: each is admitted by its own token and reads what is so now."""

import asyncio
import base64
from pathlib import Path
from typing import Any

from manage_house import Answer, running
from profiles_house import ProfilesHouse

from headwater.store import components, lookups, space_tokens


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(f"{text}:".encode()).decode()


def refusals(answers: list[Answer]) -> set[tuple[int, str]]:
    return {(one.status, one.body["error"]["code"]) for one in answers}


def test_each_of_those_who_ask_at_once_is_admitted_by_its_own_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell(*({"type": "identify", "userId": f"u{n}", "traits": {"n": n}} for n in range(5)))
            await house.fold()
            other = (await house.ask("POST", "/headwater/spaces", {"slug": "dev", "name": "Dev"})).data["space"]["id"]
            stranger = house.make_token(other)
            asks: list[Any] = []
            for n in range(5):
                path = f"users/profiles/user_id:u{n}/traits"
                asks += [
                    house.read(path),
                    house.read(path, authorization=basic(stranger)),
                    house.read(path, authorization=basic("hw_nobody")),
                    house.read(f"/v1/spaces/{other}/collections/{path}", authorization=basic(stranger)),
                    house.read(f"accounts/profiles/user_id:u{n}/traits"),
                ]
            answers = await asyncio.gather(*asks)
            own, strangers, nobodies, elsewhere, accounts = (answers[kind::5] for kind in range(5))
            assert [one.body["traits"] for one in own] == [{"n": n} for n in range(5)]
            assert refusals(strangers) == refusals(nobodies) == {(401, "authentication_error")}
            assert refusals(elsewhere) == refusals(accounts) == {(404, "not_found")}
            assert not any("X-RateLimit-Limit" in one.headers for one in (*strangers, *nobodies))

    asyncio.run(scenario())


def test_a_token_that_was_taken_back_opens_nothing_from_then_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}})
            await house.fold()
            text, token = house.store.run(
                lambda connection: space_tokens.create(connection, house.space.id, "CRM", 1, deletes=False)
            )

            async def ask() -> list[int]:
                one = house.read("users/profiles/user_id:u1/traits", authorization=basic(text))
                two = house.read("users/profiles/user_id:u1/metadata", authorization=basic(text))
                return [answer.status for answer in await asyncio.gather(one, two)]

            assert await ask() == [200, 200]
            house.store.run(lambda connection: space_tokens.delete(connection, house.space.id, token.id))
            assert await ask() == [401, 401]

    asyncio.run(scenario())


def test_what_was_folded_and_whom_a_merge_made_one_is_read_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path, partitions=2)) as house:
            assert isinstance(house, ProfilesHouse)
            names = ("user_id:u1", "anonymous_id:a1", "user_id:u2")

            async def traits() -> list[Any]:
                answers = await asyncio.gather(*(house.read(f"users/profiles/{name}/traits") for name in names))
                return [one.body.get("traits") for one in answers]

            await house.tell({"type": "identify", "anonymousId": "a1", "traits": {"plan": "free"}})
            await house.tell({"type": "identify", "userId": "u1", "traits": {"city": "Bonn"}}, partition=1)
            assert await traits() == [{}, {}, None]
            await house.fold()
            assert await traits() == [{"city": "Bonn"}, {"plan": "free"}, None]
            await house.tell({"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {"plan": "pro"}})
            await house.fold()
            assert await traits() == [{"city": "Bonn", "plan": "pro"}] * 2 + [None]

            def find(connection: Any) -> tuple[str | None, set[str]]:
                found = lookups.look_up(connection, house.space.id, [*names, "use_none", "user_id:\0"])
                return components.canonical(connection, house.space.id, names[1]), {one.id for one in found.values()}

            canonical, ids = house.store.run(find)
            assert ids == {canonical}
            by_id = await house.read(f"users/profiles/{canonical}/traits")
            assert by_id.body["traits"] == {"city": "Bonn", "plan": "pro"}

    asyncio.run(scenario())
