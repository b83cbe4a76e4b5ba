"""What audiences and computed traits say of people, in a warehouse: as it is, and when it came to be."""

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from computing_house import AT, DAY, House

from headwater.spec.errors import Unavailable
from headwater.spec.settings import WarehouseSettings
from headwater.store import computations, profiles_warehouses
from headwater.store.schema import standings_of_profiles
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot
from headwater.warehouse.profiles import keeper
from headwater.warehouse.profiles.keeper import ProfilesKeeper


class Synced(House):
    """A house of audiences with a profiles warehouse, which is synced when a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.warehouse_id = self.store.run(
            lambda one: (
                profiles_warehouses.create(
                    one, space_id=self.space_id, engine="duckdb", name="W", schema_name="people"
                ).id
            )
        )
        self.store.run(lambda one: profiles_warehouses.update(one, self.warehouse_id, created_at=AT - DAY))

    async def sync(self) -> None:
        """A process that is new, as after any start."""
        one = ProfilesKeeper(
            self.log,
            self.store,
            await Snapshot.take(self.store),
            Secrets.from_file(self.folder / "secret.key"),
            self.warehouse_id,
            settings=WarehouseSettings(),
            folder=self.folder,
        )
        await one.sync(asyncio.Event())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        path = self.folder / "warehouse" / f"{self.warehouse_id}.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def traits(self, identifier: str) -> dict[str, str]:
        """What `user_traits` says of the owner of an identifier."""
        owner = self.owner(identifier)
        return dict(self.rows(f"SELECT name, value FROM people.user_traits WHERE canonical_segment_id = '{owner}'"))

    def progress(self) -> profiles_warehouses.Progress:
        return self.store.run(lambda one: profiles_warehouses.progress(one, self.warehouse_id), write=False)


@pytest.fixture
def house(tmp_path: Path) -> Synced:
    return Synced(tmp_path)


def person(user_id: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user_id, "traits": traits}


def test_values_are_rows_and_turn_when_time_alone_changes_them(house: Synced) -> None:
    async def story() -> None:
        lately = house.define("lately", "event('Paid').within(7 days).count() >= 1", told=False)
        house.define("paid", "event('Paid').within(90 days).count()", kind="trait", told=False)
        await house.work(person("u", plan="pro"), {"userId": "u", "event": "Paid"}, person("v"))
        await house.fold()
        await house.sync()
        assert house.traits("user_id:u") == {"plan": "pro", "lately": "true", "paid": "1"}
        assert house.traits("user_id:v") == {}
        owner = house.owner("user_id:u")
        log = (
            "SELECT segment_id, lately, epoch_ms(timestamp), triggering_event_type, triggering_event_id "
            "FROM people.profile_traits_updates WHERE lately IS NOT NULL ORDER BY seq"
        )
        entered = (owner, True, AT, "computation", lately.id)
        assert house.rows(log) == [entered]
        house.now += 8 * DAY
        assert await house.work() == [], "nobody is told"
        await house.sync()
        assert house.traits("user_id:u") == {"plan": "pro", "lately": "false", "paid": "1"}
        assert house.rows(log)[:1] == [entered]
        [left] = house.rows(log)[1:]
        assert (left[:2], left[3:]) == ((owner, False), ("computation", lately.id))
        everything = house.rows("FROM people.profile_traits_updates ORDER BY ALL")
        traits = house.rows("FROM people.user_traits ORDER BY ALL")
        await house.sync()
        assert house.rows("FROM people.profile_traits_updates ORDER BY ALL") == everything
        assert house.rows("FROM people.user_traits ORDER BY ALL") == traits

    asyncio.run(story())


def test_an_audience_that_is_new_brings_its_members_without_an_event(house: Synced) -> None:
    async def story() -> None:
        await house.work(person("u", plan="pro"), person("v", plan="free"))
        await house.sync()
        assert house.progress().worked_at > 0
        pros = house.define("pros", "trait('plan') = 'pro'", told=False)
        await house.fold()
        await house.sync()
        assert house.traits("user_id:u") == {"plan": "pro", "pros": "true"}
        assert house.traits("user_id:v") == {"plan": "free"}
        house.store.run(lambda one: computations.delete(one, pros.id))
        await house.work(person("u", pros="by hand"))
        await house.sync()
        assert house.traits("user_id:u") == {"plan": "pro", "pros": "true"}, "it stays until it is written later"
        house.now += DAY
        await house.work(person("u", pros="by hand"))
        await house.sync()
        assert house.traits("user_id:u") == {"plan": "pro", "pros": "by hand"}

    asyncio.run(story())


def test_a_value_that_turns_while_a_sync_fails_comes_with_the_next_one(
    house: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the sync stands it is the minute that it is, and what is written in it later must not be passed over."""

    async def story() -> None:
        house.define("buyers", "event('Order').within(7 days).count() >= 1", told=False)
        await house.sync()
        await house.work({"event": "Order", "userId": "u"}, {"event": "Order", "userId": "v"})
        first = min(("u", "v"), key=lambda user: house.owner(f"user_id:{user}"))
        real, asked = ProfilesKeeper._people, 0

        async def fails(self: ProfilesKeeper, *arguments: Any, **more: Any) -> None:
            nonlocal asked
            asked += 1
            if asked == 2:
                raise Unavailable("The warehouse is away.")
            await real(self, *arguments, **more)

        minute = house.store.run(lambda one: one.execute(sa.select(standings_of_profiles.c.written_at)).scalar())
        with monkeypatch.context() as patched:
            patched.setattr(keeper, "_SCAN", 1)
            patched.setattr(ProfilesKeeper, "_people", fails)
            with pytest.raises(Unavailable):
                await house.sync()
        assert house.traits(f"user_id:{first}") == {"buyers": "true"}
        house.now += 7 * DAY + 10
        await house.work()
        house.store.run(lambda one: one.execute(standings_of_profiles.update().values(written_at=minute)))
        monkeypatch.setattr(keeper, "now_ms", lambda: minute + DAY)
        await house.sync()
        assert house.traits(f"user_id:{first}") == {"buyers": "false"}

    asyncio.run(story())


def test_values_from_before_moments_were_kept_are_brought_in(house: Synced) -> None:
    async def story() -> None:
        house.define("pros", "trait('plan') = 'pro'", told=False)
        await house.work(*(person(f"u{number}", plan="pro") for number in range(5)))
        await house.sync()
        with duckdb.connect(str(house.folder / "warehouse" / f"{house.warehouse_id}.duckdb")) as connection:
            connection.execute("DELETE FROM people.user_traits WHERE name = 'pros'")
        house.store.run(lambda one: one.execute(standings_of_profiles.update().values(written_at=0)))
        await house.sync()
        count = "SELECT count(*) FROM people.user_traits WHERE name = 'pros'"
        assert house.rows(count) == [(0,)], "these are not new"
        new = profiles_warehouses.Progress(scanned=True)
        house.store.run(lambda one: profiles_warehouses.set_progress(one, house.warehouse_id, new))
        await house.sync()
        assert house.rows(count) == [(5,)]

    asyncio.run(story())
