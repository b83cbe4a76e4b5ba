"""Audiences and computed traits while events come: a store, a log in memory, a pipeline and a fold in one process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from computing_house import DAY, House, moves, traits_told

from headwater.spec.computation import Connection, default_calls
from headwater.store import computations


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def test_who_did_enough_enters_and_leaves_when_the_window_has_passed(house: House) -> None:
    async def story() -> None:
        audience = house.define("busy", "event('Order').within(7 days).count() >= 2")
        assert await house.work({"event": "Order", "userId": "u1"}) == []
        said = await house.work({"event": "Order", "userId": "u1"})
        assert moves(said) == [("u1", "busy", True)]
        assert house.values("user_id:u1") == {"busy": True}
        assert house.run(audience).size == 1
        house.now += 7 * DAY
        assert await house.work() == []
        house.now += 1
        assert moves(await house.work()) == [("u1", "busy", False)]
        assert house.values("user_id:u1") == {"busy": False}
        assert (house.run(audience).size, house.run(audience).phase) == (0, "LIVE")

    asyncio.run(story())


def test_traits_follow_events_and_audiences_follow_traits_in_one_pass(house: House) -> None:
    async def story() -> None:
        house.define("big", "trait('spent') >= 100 AND trait('plan') = 'pro'")
        house.define("spent", "event('Order').sum(property('total'))", kind="trait")
        house.define("vip", "trait('big') = 'true'")
        said = await house.work(
            {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}},
            {"event": "Order", "userId": "u1", "properties": {"total": "60.5"}},
        )
        assert traits_told(said, "spent") == [("u1", 60.5)]
        said = await house.work({"event": "Order", "userId": "u1", "properties": {"total": 40}})
        assert (moves(said), traits_told(said, "spent")) == (
            [("u1", "big", True), ("u1", "vip", True)],
            [("u1", 100.5)],
        )
        assert [each["event"] for each in said if each["type"] == "track"] == [
            "Trait Computed",
            "Audience Entered",
            "Audience Entered",
        ]
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "free"}})
        assert moves(said) == [("u1", "big", False), ("u1", "vip", False)]
        assert house.values("user_id:u1") == {"spent": 100.5, "big": False, "vip": False}

    asyncio.run(story())


def test_who_enters_leaves_and_enters_again_within_one_chunk_is_told_each_time(house: House) -> None:
    async def story() -> None:
        house.define("pro", "trait('plan') = 'pro'")
        said = await house.work(
            *({"type": "identify", "userId": "u1", "traits": {"plan": plan}} for plan in ("pro", "free", "pro", "pro"))
        )
        assert moves(said) == [("u1", "pro", True), ("u1", "pro", False), ("u1", "pro", True)]
        assert len({each["messageId"] for each in said}) == len(said) == 6

    asyncio.run(story())


def test_who_is_anonymous_is_told_once_known(house: House) -> None:
    async def story() -> None:
        house.define("lookers", "event('Page Viewed').count() >= 1")
        house.define("anyone", "event('Page Viewed').count() >= 1", known_by=("user_id", "anonymous_id"))
        said = await house.work({"type": "page", "anonymousId": "a1", "event": None})
        assert moves(said) == [("a1", "anyone", True)]
        said = await house.work({"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {"email": "e@x"}})
        assert sorted(moves(said)) == [
            ("u1", "anyone", True),
            ("u1", "lookers", True),
            (house.owner("user_id:u1"), "anyone", True),
            (house.owner("user_id:u1"), "lookers", True),
        ]
        assert moves(await house.work({"type": "page", "userId": "u1", "event": None})) == []
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"email": "other@x"}})
        assert [each["traits"]["email"] for each in said if each["type"] == "identify"] == ["other@x"] * 2

    asyncio.run(story())


def test_a_merge_counts_both_sides_and_tells_those_who_have_not_heard(house: House) -> None:
    async def story() -> None:
        three = house.define("three", "event('Order').count() >= 3", known_by=("user_id", "anonymous_id"))
        house.define("few", "event('Order').count() <= 2 AND event('Order').count() >= 1", known_by=("anonymous_id",))
        said = await house.work(
            {"event": "Order", "anonymousId": "a1"}, {"event": "Order", "userId": "u1", "anonymousId": "a2"}
        )
        assert sorted(moves(said)) == [("a1", "few", True), ("a2", "few", True), ("u1", "few", True)]
        said = await house.work({"event": "Order", "userId": "u1", "anonymousId": "a1"})
        assert sorted(moves(said)) == sorted(
            (who, key, value) for who in ("a1", "a2", "u1") for key, value in (("few", False), ("three", True))
        )
        assert (house.run(three).size, house.values("anonymous_id:a2")) == (1, {"few": False, "three": True})
        assert moves(await house.work({"event": "Other", "anonymousId": "a2"})) == []

    asyncio.run(story())


def test_a_definition_that_changes_begins_anew_and_tells_only_what_changed(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1", history=False)
        assert len(moves(await house.work(*({"event": "Order", "userId": f"u{each}"} for each in range(3))))) == 3
        await house.work({"type": "identify", "userId": "u0", "traits": {"plan": "pro"}})
        house.store.run(lambda one: computations.update(one, audience.id, query="trait('plan') = 'pro'"))
        assert sorted(moves(await house.work())) == [("u1", "buyers", False), ("u2", "buyers", False)]
        run = house.run(audience)
        assert (run.phase, run.version, run.size) == ("LIVE", 2, 1)
        assert house.values("user_id:u0") == {"buyers": True}

    asyncio.run(story())


def test_a_trait_audience_asks_everybody_when_it_is_made(house: House) -> None:
    async def story() -> None:
        await house.work(
            *({"type": "identify", "userId": f"u{each}", "traits": {"age": each}} for each in range(30)),
        )
        audience = house.define("old", "trait('age') >= 20")
        never = house.define("never", "NOT event('Order').count() >= 1")
        said = moves(await house.work())
        assert {who for who, key, _ in said if key == "old"} == {f"u{each}" for each in range(20, 30)}
        assert {who for who, key, _ in said if key == "never"} == {f"u{each}" for each in range(30)}
        assert (house.run(audience).size, house.run(never).size) == (10, 30)
        assert len(said) == 40

    asyncio.run(story())


def test_a_connection_made_later_hears_of_all_members(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1", told=False)
        assert await house.work(*({"event": "Order", "userId": f"u{each}"} for each in range(5))) == []
        connection = Connection(id="con_2", destination_id="late", calls=default_calls("audience", "USERS"))
        house.store.run(lambda one: computations.update(one, audience.id, connections=(connection,)))
        said = await house.work()
        assert sorted(moves(said)) == [(f"u{each}", "buyers", True) for each in range(5)]
        assert all(each["integrations"]["late"] is True and each["integrations"]["All"] is False for each in said)
        again = msgspec.structs.replace(connection, resync=1)
        house.store.run(lambda one: computations.update(one, audience.id, connections=(again,)))
        assert len(moves(await house.work())) == 5
        assert await house.work() == []

    asyncio.run(story())


def test_accounts_are_asked_of_their_people(house: House) -> None:
    async def story() -> None:
        house.define("active", "ANY event('Login').count() >= 1", level="ACCOUNTS")
        house.define("all_active", "ALL event('Login').count() >= 1", level="ACCOUNTS")
        house.define("logins", "event('Login').count()", level="ACCOUNTS", kind="trait")
        said = await house.work(
            {"type": "group", "userId": "u1", "groupId": "g"},
            {"type": "group", "userId": "u2", "groupId": "g"},
            {"event": "Login", "userId": "u1"},
        )
        house.now += 1
        said += await house.work()
        assert house.values("group_id:g") == {"active": True, "logins": 1}
        house.now += 1
        said += await house.work({"event": "Login", "userId": "u2"})
        house.now += 1
        said += await house.work()
        assert house.values("group_id:g") == {"active": True, "all_active": True, "logins": 2}
        groups = [each for each in said if each["type"] == "group"]
        assert {each["groupId"] for each in groups} == {"g"}
        assert {who for who, key, _ in moves(said) if key == "active"} == {"u1", "u2"}

    asyncio.run(story())


def test_people_who_are_parted_again_each_leave_what_only_the_whole_was_in(house: House) -> None:
    async def story() -> None:
        house.define("two", "event('Order').count() >= 2", known_by=("user_id", "anonymous_id"))
        house.define("one", "event('Order').count() >= 1", known_by=("user_id", "anonymous_id"))
        await house.work({"event": "Order", "anonymousId": "a1"}, {"event": "Order", "userId": "u1"})
        said = await house.work({"event": "Other", "userId": "u1", "anonymousId": "a1"})
        assert sorted(moves(said)) == [("a1", "two", True), ("u1", "two", True)]
        house.part("user_id:u1", "anonymous_id:a1")
        house.now += 1
        assert sorted(moves(await house.work())) == [("a1", "two", False), ("u1", "two", False)]
        for who in ("user_id:u1", "anonymous_id:a1"):
            assert house.values(who) == {"one": True, "two": False}

    asyncio.run(story())


def test_people_whose_events_lie_in_several_partitions_have_one_standing(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, partitions=2)
        house.define("three", "event('Order').count() >= 3 AND trait('plan') = 'pro'")
        said = await house.work({"event": "Order", "userId": "u1"}, partition=1)
        said += await house.work({"event": "Order", "userId": "u1"}, partition=0)
        said += await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}}, partition=1)
        assert moves(said) == []
        house.now += 1
        said = await house.work({"event": "Order", "userId": "u1"}, partition=1)
        house.now += 1
        said += await house.work()
        assert moves(said) == [("u1", "three", True)]
        house.store.close()

    asyncio.run(story())


def test_people_are_in_what_refers_to_an_audience_of_one_of_their_accounts(house: House) -> None:
    """Whoever moves: the account, the person into it, or the account below another one."""

    async def story() -> None:
        house.define("active", "ANY event('Login').within(9 days).count() >= 1", level="ACCOUNTS")
        house.define("buyer", "trait('active') = true AND event('Order').count() >= 1")
        house.define("is_active", "trait('active')", kind="trait")

        async def later(*bodies: dict[str, Any]) -> list[tuple[str, str, bool]]:
            said = await house.work(*bodies)
            for _ in range(2):
                house.now += 1
                said += await house.work()
            return sorted(each for each in moves(said) if each[1] == "buyer")

        def group(user: str, id: str, **traits: Any) -> dict[str, Any]:
            return {"type": "group", "userId": user, "groupId": id, "traits": traits}

        orders = [{"event": "Order", "userId": f"u{number}"} for number in range(1, 4)]
        assert await later(group("u1", "g"), group("u3", "below"), *orders) == []
        assert await later({"event": "Login", "userId": "u1"}) == [("u1", "buyer", True)]
        assert house.values("user_id:u1") == {"buyer": True, "is_active": True}
        assert await later(group("u2", "g")) == [("u2", "buyer", True)]
        assert await later(group("u3", "below", parent_group_id="g")) == [("u3", "buyer", True)]
        assert await later({"event": "Other", "userId": "u3"}, group("u4", "other")) == []
        assert house.values("user_id:u4") == {}
        house.now += 9 * DAY
        assert await later() == [(f"u{number}", "buyer", False) for number in range(1, 4)]
        assert house.values("user_id:u1") == {"buyer": False}

    asyncio.run(story())


def test_what_refers_to_an_audience_of_accounts_is_the_same_later_and_over_partitions(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, partitions=2)
        house.define("big", "trait('seats') > 9", level="ACCOUNTS")
        for partition in range(2):
            group = {"type": "group", "userId": f"u{partition}", "groupId": "g", "traits": {"seats": 20}}
            await house.work(group, {"event": "Order", "userId": f"u{partition}"}, partition=partition)
        house.define("buyer", "trait('big') = 'true' AND event('Other').count() >= 1")
        known = house.define("known", "trait('big') = true")
        said: list[dict[str, Any]] = []
        for partition in range(2):
            said += await house.work({"event": "Other", "userId": f"u{partition}"}, partition=partition)
            house.now += 1
            said += await house.work()
        expected = [(f"u{number}", key, True) for number in range(2) for key in ("buyer", "known")]
        assert sorted(moves(said)) == sorted(expected)
        assert house.run(known).size == 2
        house.now += 1
        assert await house.work() == []
        house.store.close()

    asyncio.run(story())
