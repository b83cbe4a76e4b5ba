"""The Profile API over HTTP, as other systems speak to it (profiles-governance 2)."""

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from manage_house import running
from profiles_house import ProfilesHouse

from headwater.eventlog import Chunk
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.standing import Held, Standing, encode
from headwater.spec.computation import Computation
from headwater.spec.timestamps import format_moment
from headwater.store import components, computations, standing
from headwater.warehouse.archive import Archive
from headwater.warehouse.files import LocalFiles

CASES = sorted((Path(__file__).parents[1] / "cases" / "profiles" / "api").glob("*.yaml"))


def differs(expected: Any, found: Any, where: str = "$") -> str:
    """Where an answer is not as expected: objects may hold more, lists must be as long, `*` is anything."""
    if expected == "*":
        return ""
    if isinstance(expected, dict) and isinstance(found, dict):
        if where == "$.traits" and expected.keys() != found.keys():
            return f"{where}: {sorted(expected)} is {sorted(found)}"
        missing = [f"{where}.{key} is missing" for key in expected if key not in found]
        each = (differs(expected[key], found[key], f"{where}.{key}") for key in expected if key in found)
        return next((one for one in [*missing, *each] if one), "")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        each = (
            differs(one, other, f"{where}[{n}]") for n, (one, other) in enumerate(zip(expected, found, strict=True))
        )
        return next((one for one in each if one), "")
    return "" if expected == found and type(expected) is type(found) else f"{where}: {expected!r} is {found!r}"


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_profiles_are_read_as_segment_has_them(file: Path, tmp_path: Path) -> None:
    case = yaml.safe_load(file.read_text())

    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell(*case["events"])
            await house.fold()
            wrong: list[str] = []
            for one in case["asks"]:
                answer = await house.read(one["ask"])
                assert answer.headers["request-id"]
                if answer.status != one.get("status", 200):
                    wrong.append(f"{one['ask']}: {answer.status} {answer.body}")
                elif difference := differs(one["body"], answer.body):
                    wrong.append(f"{one['ask']}: {difference}")
            assert wrong == []

    asyncio.run(scenario())


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_only_a_token_of_the_space_reads_its_profiles(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}})
            path = "users/profiles/user_id:u1/traits"
            made = await house.ask("POST", f"/headwater/spaces/{house.space.slug}/tokens", {"name": "CRM"})
            token = made.data["text"]
            assert (await house.read(path, authorization=basic(f"{token}:"))).status == 200
            slug = f"/v1/namespaces/{house.space.slug}/collections/{path}"
            assert (await house.read(slug, authorization=basic(token))).status == 200
            other = (await house.ask("POST", "/headwater/spaces", {"slug": "dev", "name": "Dev"})).data["space"]["id"]
            stranger = house.make_token(other)
            admin = house.token("Admin 2", "*")
            for refused in ("", f"Bearer {token}", basic(f":{token}"), "Basic ?", basic(f"{stranger}:"), basic(admin)):
                answer = await house.read(path, authorization=refused)
                assert (answer.status, answer.body["error"]["code"]) == (401, "authentication_error"), refused
                assert answer.headers["request-id"]
            elsewhere = f"/v1/spaces/{other}/collections/{path}"
            assert (await house.read(elsewhere, authorization=basic(f"{token}:"))).status == 401
            assert (await house.read(elsewhere, authorization=basic(f"{stranger}:"))).status == 404
            assert (await house.ask("GET", "/spaces", token=token)).status == 401
            assert (await house.read(path, method="POST")).status == 405
            listed = (await house.ask("GET", f"/headwater/spaces/{house.space.id}/tokens")).data["tokens"]
            assert [one["name"] for one in listed] == ["Reader", "CRM"]
            gone = await house.ask("DELETE", f"/headwater/spaces/{house.space.id}/tokens/{listed[1]['id']}")
            assert gone.status == 200
            assert (await house.read(path, authorization=basic(f"{token}:"))).status == 401
            again = await house.ask("DELETE", f"/headwater/spaces/{other}/tokens/{listed[0]['id']}")
            assert again.status == 404
            weak = house.token("Weak", "spaces:write")
            asked = await house.ask("POST", f"/headwater/spaces/{other}/tokens", {"name": "No"}, token=weak)
            assert asked.status == 401

    asyncio.run(scenario())


def test_a_space_that_asks_too_often_is_told_to_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            path = "users/profiles/user_id:u1/traits"
            answers = [await house.read(path) for _ in range(3)]
            assert [int(one.headers["X-RateLimit-Limit"]) for one in answers] == [100] * 3
            answers = await asyncio.gather(*(house.read(path) for _ in range(300)))
            refused = [one for one in answers if one.status == 429]
            assert {one.status for one in answers} == {404, 429}
            assert refused[0].body["error"]["code"] == "rate_limit_error"
            assert int(refused[0].headers["Retry-After"]) >= 1

    asyncio.run(scenario())


def test_pages_show_each_trait_once_though_traits_change_meanwhile(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            traits = {f"t{number:02}": number for number in range(25)}
            await house.tell({"type": "identify", "userId": "u1", "traits": traits})
            await house.fold()
            pages: list[dict[str, Any]] = []
            following = ""
            while True:
                answer = await house.read(f"users/profiles/user_id:u1/traits?next={following}")
                pages.append(answer.body["traits"])
                following = answer.body["cursor"]["next"]
                if not answer.body["cursor"]["has_more"]:
                    break
                await house.tell({"type": "identify", "userId": "u1", "traits": {"t00": -1, following: None}})
                await house.fold()
            assert [len(page) for page in pages] == [10, 10, 3]
            assert len({name for page in pages for name in page}) == 23

    asyncio.run(scenario())


def test_pages_of_identifiers_and_links_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path, partitions=2)) as house:
            assert isinstance(house, ProfilesHouse)
            for number in range(21):
                body = {"type": "group", "userId": f"u{number}", "groupId": "g", "traits": {f"t{number % 2}": number}}
                await house.tell(body, partition=number % 2)
            for number in range(5):
                await house.tell({"userId": "u0", "anonymousId": f"a{number}", "event": "E"}, partition=number % 2)
            await house.fold()
            linked = await house.read("accounts/profiles/group_id:g/links")
            assert len(linked.body["data"]) == 20
            assert (await house.read("accounts/profiles/group_id:g/traits")).body["traits"] == {"t0": 20, "t1": 19}
            seen: list[str] = []
            following = ""
            while following or not seen:
                path = f"users/profiles/user_id:u0/external_ids?limit=4&next={following}"
                answer = (await house.read(path)).body
                seen += [one["id"] for one in answer["data"]]
                following = answer["cursor"]["next"]
            assert sorted(seen) == ["a0", "a1", "a2", "a3", "a4", "u0"]
            assert answer["cursor"]["url"].startswith(f"/v1/spaces/{house.space.id}/collections/users/profiles/use_")

    asyncio.run(scenario())


async def names(house: ProfilesHouse, query: str = "", who: str = "users/profiles/user_id:u1") -> list[str]:
    return [one["event"] for one in (await house.read(f"{who}/events{query}")).body["data"]]


def test_the_history_of_a_profile_is_read_by_time_and_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path, partitions=2)) as house:
            assert isinstance(house, ProfilesHouse)
            house.start = time.time_ns() // 1_000_000 - 3_600_000
            assert (await house.read("users/profiles/user_id:u1/events")).status == 404
            await house.tell({"anonymousId": "a1", "event": "Looked"}, partition=1)
            await house.tell(
                {"userId": "u1", "event": "Bought", "properties": {"n": 1}, "source": "app"},
                {"type": "identify", "userId": "u1", "traits": {"x": 1}},
                {"type": "page", "userId": "u1", "anonymousId": "a1", "name": "Home", "properties": {"url": "/"}},
                {"type": "screen", "userId": "u1", "name": "Start"},
                {"userId": "u1", "event": "Old", "at": -15 * 86_400},
                {"userId": "u1", "event": "Late", "at": 0, "context": {"groupId": "g1"}},
                {"userId": "u2", "event": "Other"},
            )
            await house.fold()
            assert await names(house) == ["Screen Viewed", "Page Viewed", "Bought", "Late", "Looked"]
            assert await names(house, who="users/profiles/anonymous_id:a1") == await names(house)
            assert await names(house, who="accounts/profiles/group_id:g1") == ["Late"]
            assert await names(house, "?sort=asc&include=Bought,Looked,Old") == ["Looked", "Bought"]
            assert await names(house, "?include=Bought&exclude=Bought") == []
            assert await names(house, "?exclude=Bought,Late,Looked") == ["Screen Viewed", "Page Viewed"]
            start, end = format_moment(house.start + 1_000), format_moment(house.start + 3_000)
            assert await names(house, f"?start={start}&end={end}") == ["Page Viewed", "Bought"]
            assert await names(house, f"?start={end}&end={start}") == []
            for wrong in ("start=x", "end=", "sort=up", "limit=101", "next=x", "next=MTox", "next=%F0"):
                answer = await house.read(f"users/profiles/user_id:u1/events?{wrong}")
                assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_request_error"), wrong
            page = (await house.read("users/profiles/user_id:u1/events?include=Page%20Viewed")).body["data"][0]
            assert (page["type"], page["properties"]) == ("track", {"url": "/", "name": "Home", "page_name": "Home"})
            bought = (await house.read("users/profiles/user_id:u1/events?include=Bought")).body["data"][0]
            assert bought["related"]["users"].startswith("use_")
            assert (bought["source_id"], bought["message_id"], bought["properties"]) == ("app", "m1", {"n": 1})
            assert bought["external_ids"] == [
                {"collection": "users", "type": "user_id", "id": "u1", "encoding": "none"}
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_of_events_go_on_where_the_page_before_ended(sort: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path, partitions=2)) as house:
            assert isinstance(house, ProfilesHouse)
            house.start = time.time_ns() // 1_000_000 - 3_600_000
            for number in range(25):
                body = {"userId": "u1", "event": f"E{number // 3}", "at": number // 3}
                await house.tell(body, partition=number % 2)
            await house.fold()
            seen: list[str] = []
            following = ""
            while following or not seen:
                path = f"users/profiles/user_id:u1/events?limit=4&sort={sort}&next={following}"
                answer = (await house.read(path)).body
                seen += [one["message_id"] for one in answer["data"]]
                following = answer["cursor"]["next"]
                assert answer["cursor"]["has_more"] == bool(following)
                await house.tell({"userId": "u1", "event": "New", "at": -10 if sort == "asc" else 100})
                await house.fold()
            assert len(seen) == 25
            assert sorted(seen) == sorted(f"m{number}" for number in range(25))

    asyncio.run(scenario())


def test_events_that_the_log_forgot_are_read_from_the_archive(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            house.start = time.time_ns() // 1_000_000 - 3_600_000
            await house.tell(*({"userId": "u1", "event": f"E{number}"} for number in range(6)))
            await house.fold()
            chunk = await house.log.read(PROCESSED, 0, 0)
            archive = Archive(LocalFiles(tmp_path / "archive"))
            archive.write(0, Chunk(chunk.first, chunk.records[:4]))
            archive.write(0, Chunk(chunk.positions[5], chunk.records[5:]))
            await house.log.trim(time.time_ns() // 1_000_000 + 60_000)
            assert (await house.log.bounds(PROCESSED, 0))[0] > chunk.positions[4], "Kafka keeps the newest"
            await house.tell({"userId": "u1", "event": "E6"})
            await house.fold()
            assert await names(house) == ["E6", "E5", "E3", "E2", "E1", "E0"], "E4 is nowhere any more"

    asyncio.run(scenario())


def test_what_is_worked_out_is_among_the_traits_and_stays_when_it_is_removed(tmp_path: Path) -> None:
    def held(key: str, value: Any, changes: int = 1) -> Held:
        return Held(key, value, house.start + 500, changes)

    async def scenario() -> None:
        made: dict[str, str] = {}
        for name, kind in (("Buyers", "audience"), ("Lost", "audience"), ("Never", "audience"), ("Orders", "trait")):
            plain = Computation(
                id="", space_id=house.space.id, kind=kind, key=name.lower(), name=name, query="trait('x')"
            )
            made[name] = house.store.run(lambda connection, one=plain: computations.create(connection, one)).id
        source = house.store.run(lambda connection: computations.engage_source(connection, house.space.id)).id
        await house.tell({"type": "identify", "userId": "u1", "traits": {"plan": "pro", "gone": 1, "orders": "x"}})
        await house.fold()
        values = {
            made["Buyers"]: held("buyers", True),
            made["Lost"]: held("lost", False, 2),
            made["Never"]: held("never", False, 0),
            made["Orders"]: held("orders", 3),
            "aud_removed": held("gone", True),
        }

        def write(connection: Any) -> None:
            profile = components.canonical(connection, house.space.id, "user_id:u1")
            assert profile is not None
            standing.write_standings(connection, {profile: encode(Standing(values=values))})

        house.store.run(write)
        async with running(house):
            path = "users/profiles/user_id:u1/traits"
            assert (await house.read(path)).body["traits"] == {
                "buyers": True,
                "gone": True,
                "lost": False,
                "orders": 3,
                "plan": "pro",
            }
            assert (await house.read(f"{path}?class=audience")).body["traits"] == {"buyers": True, "lost": False}
            told = (await house.read(f"{path}?class=computed_trait&verbose=true")).body["traits"]["orders"]
            assert told == {"value": 3, "source_id": source, "updated_at": format_moment(house.start + 500)}
            answer = await house.ask("GET", f"/headwater/spaces/{house.space.id}/profiles/user_id:u1")
            shown = {one["key"]: (one["name"], one["kind"], one["value"]) for one in answer.data["memberships"]}
            assert shown == {
                "buyers": ("Buyers", "audience", True),
                "lost": ("Lost", "audience", False),
                "orders": ("Orders", "trait", 3),
                "gone": ("gone", "removed", True),
            }

    house = ProfilesHouse(tmp_path)
    asyncio.run(scenario())
