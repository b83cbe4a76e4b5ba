"""The loop of SQL traits: what ends a run, what is kept of it, and when the next one is."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from warehouse_house import SETTINGS, House, event

from headwater.contracts.shape import HouseLog
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED
from headwater.spec.errors import Unavailable
from headwater.spec.sql_trait import SqlTrait
from headwater.store import sql_traits
from headwater.store import workspace as workspaces

PEOPLE = "select user_id, count(*) as events from events group by all"


class TraitHouse(House):
    """A house with a space, in which SQL traits are run by the role."""

    def __init__(self, folder: Path, log: Any = None, **settings: Any) -> None:
        super().__init__(folder, log, msgspec.structs.replace(SETTINGS, **settings))
        self.space = self.store.run(lambda one: workspaces.create_space(one, slug="people", name="People"))

    def make(self, sql: str) -> SqlTrait:
        wanted = SqlTrait(id="", space_id=self.space.id, name="T", sql=sql, key="user_id")
        return self.store.run(lambda connection: sql_traits.create(connection, wanted))

    def now(self, trait: SqlTrait) -> SqlTrait:
        return self.store.run(lambda connection: sql_traits.find(connection, trait.id), write=False)

    async def run_all(self, *traits: SqlTrait) -> list[SqlTrait]:
        async def ran() -> bool:
            return all(self.now(trait).last_run is not None for trait in traits)

        await self.work(ran)
        return [self.now(trait) for trait in traits]

    async def told(self) -> list[Record]:
        return (await self.log.read(COLLECTED, 0, 0)).records


def test_what_fails_is_kept_with_the_reason_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        house = TraitHouse(tmp_path, sql_trait_rows=2)
        await house.publish(event("m1"), event("m2", userId="u2"))
        wrong = [house.make("select nothing from events"), house.make("select range as user_id, 1 as n from range(3)")]
        told = house.make(PEOPLE)
        *failed, good = await house.run_all(*wrong, told)
        errors = [trait.last_run.error for trait in failed if trait.last_run]
        assert '"nothing" not found' in errors[0]
        assert "more than 2 rows" in errors[1]
        for trait in (*failed, good):
            assert trait.last_run is not None
            assert trait.due_at == trait.last_run.started_at + 720 * 60_000
        assert good.last_run is not None
        assert (good.last_run.rows, good.last_run.changed, good.last_run.error) == (2, 2, "")
        [record] = await house.told()
        assert sorted(one["userId"] for one in msgspec.json.decode(record.value)["batch"]) == ["u1", "u2"]

    asyncio.run(story())


class FullLog(HouseLog):
    """A log that takes no requests."""

    async def append(self, stream: Any, partition: int, records: Any) -> int:
        if stream is COLLECTED:
            raise Unavailable("The disk is full.")
        return await super().append(stream, partition, records)


def test_what_could_not_be_told_is_tried_again_in_a_minute(tmp_path: Path) -> None:
    async def story() -> None:
        house = TraitHouse(tmp_path, FullLog(partitions=1))
        [trait] = await house.run_all(house.make("select 'u1' as user_id, 1 as n"))
        assert trait.last_run is not None
        assert (trait.last_run.error, trait.last_run.changed) == ("The disk is full.", 0)
        assert trait.due_at == trait.last_run.started_at + 60_000

    asyncio.run(story())


class ChangedMeanwhile(HouseLog):
    """A log in which somebody deletes the SQL trait as soon as the first calls were told."""

    def __init__(self, house: list[TraitHouse], trait: list[SqlTrait]) -> None:
        super().__init__(partitions=1)
        self._house, self._trait = house, trait

    async def append(self, stream: Any, partition: int, records: Any) -> int:
        first = await super().append(stream, partition, records)
        if stream is COLLECTED:
            self._house[0].store.run(lambda connection: sql_traits.delete(connection, self._trait[0].id))
        return first


def test_nothing_more_is_told_of_what_is_deleted_and_its_file_goes(tmp_path: Path) -> None:
    async def story() -> None:
        houses, traits = list[TraitHouse](), list[SqlTrait]()
        house = TraitHouse(tmp_path, ChangedMeanwhile(houses, traits))
        houses.append(house)
        traits.append(house.make("select range as user_id, 1 as n from range(5000)"))
        file = tmp_path / "sql_traits" / f"{traits[0].id}.sqlite"
        seen = [False]

        async def gone() -> bool:
            seen[0] |= file.exists()
            return seen[0] and not file.exists()

        await house.work(gone)
        told = [len(msgspec.json.decode(record.value)["batch"]) for record in await house.told()]
        assert sum(told) == 2000

    asyncio.run(story())


def test_another_host_knows_what_was_told(tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'shared'}"

    async def story() -> None:
        house = TraitHouse(tmp_path / "one", archive_url=url)
        await house.publish(event("m1"), event("m2", userId="u2"))
        trait = house.make("select user_id, 1 as n from events where user_id <> (select max(message_id) from events)")
        [ran] = await house.run_all(trait)
        assert ran.last_run is not None
        assert ran.last_run.changed == 2
        assert (tmp_path / "shared" / "sql_traits" / f"{trait.id}.sqlite").exists()
        await house.publish(event("u2", userId="u3"))
        house.folder = tmp_path / "two"
        house.folder.mkdir()
        house.store.run(lambda connection: sql_traits.update(connection, trait.id, enabled=True, due_at=0))
        await house.work(lambda: again(house, ran))
        ran = house.now(trait)
        assert ran.last_run is not None
        assert (ran.last_run.changed, ran.last_run.vanished) == (1, 1)

    async def again(house: TraitHouse, before: SqlTrait) -> bool:
        return house.now(before).last_run != before.last_run

    asyncio.run(story())
