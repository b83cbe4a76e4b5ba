"""Audiences of accounts while accounts, their people and their connections move: who hears of it, and how often."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from computing_house import DAY, House, moves

from headwater.profiles.computing import passes, rounds
from headwater.profiles.loop import Folding
from headwater.spec.computation import Connection, default_calls
from headwater.spec.settings import ProfilesSettings
from headwater.store import computations, standing
from headwater.store.snapshot import Snapshot

ACTIVE = "ANY event('Login').within(9 days).count() >= 1"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def late(level: Any = "ACCOUNTS") -> tuple[Connection, ...]:
    return (Connection(id="con_late", destination_id="late", calls=default_calls("audience", level)),)


def join(user: str, *groups: str, **traits: Any) -> dict[str, Any]:
    """A group call; of several groups it says that they are one."""
    others = [{"id": one, "type": "group_id", "collection": "accounts", "encoding": "none"} for one in groups[1:]]
    return {
        "type": "group",
        "userId": user,
        "groupId": groups[0],
        "traits": traits,
        "context": {"externalIds": others} if others else {},
    }


async def later(house: House, *bodies: dict[str, Any], partition: int = 0) -> list[tuple[str, str, bool]]:
    """Who was told what by these and within two moments."""
    said = await house.work(*bodies, partition=partition)
    for _ in range(2):
        house.now += 100
        said += await house.work()
    return sorted(moves(said))


def test_an_account_is_told_of_once_where_a_connection_is_made_while_it_is_worked_out(house: House) -> None:
    async def story() -> None:
        for each in range(3):
            await house.work(join(f"u{each}", f"g{each}"), {"event": "Login", "userId": f"u{each}"})
        audience = house.define("none", "ALL NOT event('Order').count() >= 1", level="ACCOUNTS", told=False)
        await house.fold(dies="before it asked anybody")
        assert house.run(audience).phase != "LIVE"
        house.store.run(lambda one: computations.update(one, audience.id, connections=late()))
        assert await later(house) == [(f"u{each}", "none", True) for each in range(3)]
        assert house.run(audience).size == 3

    asyncio.run(story())


class Slow:
    """A past that is empty, and is counted once it may be."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def reaches(self, until: Any) -> bool:
        return True

    async def count(self, *_task: Any, **_more: Any) -> None:
        await self.may_end.wait()

    async def counted(self, job: str, after: str) -> Any:
        for page in ([],) * 0:
            yield page

    async def forget(self, job: str) -> None:
        pass


def test_a_connection_made_while_the_past_is_counted_hears_of_who_came_meanwhile(house: House) -> None:
    async def story() -> None:
        past, snapshot = Slow(), await Snapshot.take(house.store)
        settings = ProfilesSettings(write_every_seconds=0.2)
        folding = Folding(house.log, house.store, settings, 0, snapshot=snapshot, past=past, clock=lambda: house.now)
        await folding.open()

        async def fold(*bodies: dict[str, Any], steps: int = 40) -> None:
            await house.collect(*bodies)
            await house.process()
            await snapshot.refresh()
            for _ in range(steps):
                await folding.step(0.0)
                await asyncio.sleep(0.01)

        audience = house.define("buyers", "event('Order').count() >= 1", told=False)
        await fold()
        house.store.run(lambda one: computations.update(one, audience.id, connections=late("USERS")))
        await fold({"event": "Order", "userId": "u1"})
        assert house.run(audience).phase == "BACKFILLING"
        past.may_end.set()
        await fold(steps=100)
        assert house.run(audience).phase == "LIVE"
        assert moves(await house.said()) == [("u1", "buyers", True)]

    asyncio.run(story())


def test_who_enters_while_a_connection_learns_of_all_members_is_told_to_it_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "PAGE", 1)

    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1", told=False)
        await later(house, *({"event": "Order", "userId": f"u{each}"} for each in range(6)))
        house.store.run(lambda one: computations.update(one, audience.id, connections=late("USERS")))
        snapshot = await Snapshot.take(house.store)
        folding = Folding(house.log, house.store, ProfilesSettings(), 0, snapshot=snapshot, clock=lambda: house.now)
        await folding.open()
        for each in range(6, 12):
            await house.collect({"event": "Order", "userId": f"u{each}"})
            await house.process()
            await folding.step(0.0)
        for _ in range(20):
            await folding.step(0.0)
        await folding.write()
        assert house.run(audience).told == {"con_late": 0}
        assert sorted(moves(await house.said())) == sorted((f"u{each}", "buyers", True) for each in range(12))

    asyncio.run(story())


@pytest.mark.parametrize("known", ["first", "second"])
def test_the_people_of_accounts_that_become_one_hear_what_the_whole_is_in(house: House, known: str) -> None:
    async def story() -> None:
        house.define("active", ACTIVE, level="ACCOUNTS")
        inside, outside = ("u1", "u2") if known == "first" else ("u2", "u1")
        for user, group in (("u1", "g1"), ("u2", "g2")):
            await later(house, join(user, group))
        assert await later(house, {"event": "Login", "userId": inside}) == [(inside, "active", True)]
        told = await later(house, join("u1", "g1", "g2"))
        assert house.owner("group_id:g1") == house.owner("group_id:g2")
        assert (outside, "active", True) in told
        assert all(value for _, _, value in told)

    asyncio.run(story())


def test_the_people_of_accounts_that_become_one_hear_that_the_whole_is_out(house: House) -> None:
    async def story() -> None:
        house.define("active", ACTIVE, level="ACCOUNTS")
        for user, group in (("u1", "g1"), ("u2", "g2")):
            await later(house, join(user, group), {"event": "Login", "userId": user})
        house.now += 9 * DAY
        told = await later(house, join("u1", "g1", "g2"))
        assert told == [("u1", "active", False), ("u2", "active", False)]
        assert await later(house) == []

    asyncio.run(story())


def test_an_account_that_lost_an_account_below_it_is_asked_again(house: House) -> None:
    async def story() -> None:
        audience = house.define("active", ACTIVE, level="ACCOUNTS")
        await later(house, join("u1", "above"), join("u2", "other"))
        await later(house, join("u3", "below", parent_group_id="above"), {"event": "Login", "userId": "u3"})
        assert house.values("group_id:above") == {"active": True}
        await later(house, join("u3", "below", parent_group_id="other"))
        assert house.values("group_id:above") == {"active": False}
        assert house.values("group_id:other") == {"active": True}
        await later(house, join("u3", "below", parent_group_id=None))
        assert house.values("group_id:other") == {"active": False}
        assert house.run(audience).size == 1

    asyncio.run(story())


def test_accounts_above_those_that_become_one_and_are_parted_are_asked_again(house: House) -> None:
    async def story() -> None:
        house.define("active", ACTIVE, level="ACCOUNTS")
        await later(house, join("u1", "g1", parent_group_id="above1"), {"event": "Login", "userId": "u1"})
        await later(house, join("u2", "g2", parent_group_id="above2"))
        assert house.values("group_id:above1") == {"active": True}
        await later(house, join("u3", "g1", "g2"))
        assert (house.values("group_id:above1"), house.values("group_id:above2")) == (
            {"active": False},
            {"active": True},
        )
        house.part("group_id:g1", "group_id:g2")
        await later(house)
        assert (house.values("group_id:above1"), house.values("group_id:above2")) == (
            {"active": True},
            {"active": False},
        )

    asyncio.run(story())


def test_people_stay_in_what_names_an_audience_of_accounts_that_is_disabled(house: House) -> None:
    """As they do where it names an audience of people, whose last value stays."""

    async def story() -> None:
        big = house.define("big", "trait('seats') > 9", level="ACCOUNTS")
        buyer = house.define("buyer", "trait('big') = true AND event('Order').count() >= 1")
        orders = [{"event": "Order", "userId": user} for user in ("u1", "u2")]
        told = await later(house, join("u1", "g", seats=20), join("u2", "g", seats=20), *orders)
        assert [each for each in told if each[1] == "buyer"] == [("u1", "buyer", True), ("u2", "buyer", True)]
        house.store.run(lambda one: computations.update(one, big.id, enabled=False))
        assert await later(house, orders[0]) == []
        assert house.values("user_id:u1") == house.values("user_id:u2") == {"buyer": True}
        house.store.run(lambda one: computations.update(one, big.id, enabled=True))
        told = await later(house, join("u1", "g", seats=2))
        assert [each for each in told if each[1] == "buyer"] == [("u1", "buyer", False), ("u2", "buyer", False)]
        assert house.run(buyer).size == 0

    asyncio.run(story())


def test_who_becomes_another_in_a_partition_that_works_nothing_out_has_accounts_asked(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, partitions=2)
        house.define("active", ACTIVE, level="ACCOUNTS")
        await later(house, join("u1", "g"), partition=1)
        assert await later(house, {"event": "Login", "anonymousId": "a1"}, partition=1) == []
        become = {"type": "identify", "userId": "u1", "anonymousId": "a1"}
        assert await later(house, become, partition=1) == [("u1", "active", True)]
        told = await later(house, {"type": "identify", "userId": "u1", "traits": {"email": "e@x"}}, partition=1)
        assert told == [(house.owner("user_id:u1"), "active", True)], "a new address of somebody in it"
        house.store.close()

    asyncio.run(story())


def test_a_partition_that_works_nothing_out_has_people_looked_at_for_what_matters_alone(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, partitions=2)
        house.define("buyers", "event('Order').count() >= 2")
        await house.fold()
        snapshot = await Snapshot.take(house.store)
        settings = ProfilesSettings(write_every_seconds=0.0)
        folding = Folding(house.log, house.store, settings, 1, snapshot=snapshot, clock=lambda: house.now)
        await folding.open()

        async def wanted(event: str) -> dict[str, int]:
            await house.collect({"event": event, "userId": "u1"}, partition=1)
            await house.process()
            await folding.step(0.0)
            found = house.store.run(lambda one: standing.due(one, standing.ANYWHERE, house.now * 2, 9))
            house.store.run(lambda one: standing.looked_at(one, found))
            return found

        assert await wanted("Other") != {}, "nobody has asked of them yet"
        assert await wanted("Other") == {}
        assert await wanted("Order") != {}
        house.store.close()

    asyncio.run(story())


def test_the_people_of_an_account_are_looked_at_again_only_where_its_values_can_be_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not each time that an account which is in nothing is read from the store."""

    async def story() -> None:
        house.define("active", ACTIVE, level="ACCOUNTS")
        house.define("buyer", "trait('active') = true")
        await later(house, join("u1", "g"), join("u2", "g"))
        looked: list[str] = []
        real = standing.make_due

        def make_due(connection: Any, partition: int, ids: Any, at: int) -> None:
            looked.extend(id for id in ids if partition == standing.ANYWHERE)
            real(connection, partition, ids, at)

        monkeypatch.setattr(standing, "make_due", make_due)
        await later(house, {"event": "Login", "userId": "u3"}, {"event": "Other", "userId": "u1"})
        await later(house, {"type": "group", "userId": "u1", "groupId": "g", "traits": {"seats": 2}})
        assert looked == []

    asyncio.run(story())


def test_accounts_that_take_long_leave_the_others_for_later_and_none_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "LONGEST_SECONDS", 0.0)
    monkeypatch.setattr(passes, "ENOUGH", 1)

    async def story() -> None:
        numbers = range(4)
        audience = house.define("active", ACTIVE, level="ACCOUNTS")
        logins = [{"event": "Login", "userId": f"u{each}"} for each in numbers]
        await house.collect(*(join(f"u{each}", f"g{each}") for each in numbers), *logins)
        await house.process()
        snapshot = await Snapshot.take(house.store)
        settings = ProfilesSettings(accounts_every_seconds=0.0)
        folding = Folding(house.log, house.store, settings, 0, snapshot=snapshot, clock=lambda: house.now)
        await folding.open()
        sizes: list[int] = []
        for _ in range(12):
            await folding.step(0.0)
            await folding.write()
            sizes.append(house.run(audience).size)
        assert {*sizes} == {*range(5)}, "one at a time"
        assert sorted(moves(await house.said())) == [(f"u{each}", "active", True) for each in numbers]
        house.define("none", "ALL NOT event('Order').count() >= 1", level="ACCOUNTS")
        assert await later(house) == [(f"u{each}", "none", True) for each in numbers]
        both = (*audience.connections, *late())
        house.store.run(lambda one: computations.update(one, audience.id, connections=both))
        assert await later(house) == [(f"u{each}", "active", True) for each in numbers]

    asyncio.run(story())
