"""The warehouse role over a real store: events in the log become an archive and tables, exactly once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from warehouse_house import House, event

from headwater.contracts.shape import HouseLog
from headwater.eventlog import Append, Chunk, Commit
from headwater.eventlog.streams import PROCESSED, Stream
from headwater.spec.errors import Unavailable
from headwater.spec.settings import WarehouseSettings
from headwater.store import workspace as workspaces
from headwater.warehouse.engines.duckdb import DuckDBSession
from headwater.warehouse.loop import group_of


def archived(house: House) -> list[str]:
    found = duckdb.sql(
        f"SELECT message_id FROM read_parquet('{house.folder}/archive/*/*/*.parquet', hive_partitioning = false)"
    )
    return sorted(row[0] for row in found.fetchall())


def archive_files(house: House) -> list[Path]:
    return [*house.folder.glob("archive/*/*/*.parquet")]


def test_events_reach_the_archive_and_a_warehouse_and_the_load_is_remembered(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        main = house.add_warehouse()
        await house.publish(event("m1"), event("m2"), event("i1", type="identify", event=None, traits={"plan": "pro"}))
        await house.work(house.caught_up("archive", group_of(main)))
        assert archived(house) == ["i1", "m1", "m2"]
        assert house.rows(main, "SELECT id, price FROM my_site.order_completed ORDER BY id") == [("m1", 5), ("m2", 5)]
        assert house.rows(main, "SELECT id, plan FROM my_site.users") == [("u1", "pro")]
        [load] = house.loads(main)
        assert (load.state, load.rows, load.first, load.last, load.notices) == ("success", 6, 0, 3, ())

    asyncio.run(story())


def test_a_value_that_does_not_fit_makes_the_load_partial_and_stays_in_the_overflow(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        main = house.add_warehouse()
        await house.publish(event("m1"))
        await house.work(house.caught_up(group_of(main)))
        await house.publish(event("m2", properties={"price": "five"}))
        await house.work(house.caught_up(group_of(main)))
        found = house.rows(main, "SELECT id, price, _overflow FROM my_site.order_completed ORDER BY id")
        assert found == [("m1", 5, None), ("m2", None, '{"price":"five"}')]
        newest = house.loads(main)[0]
        assert newest.state == "partial"
        assert newest.notices == ("my_site.order_completed.price: 1 value did not fit; see _overflow.",)

    asyncio.run(story())


def test_a_warehouse_takes_only_its_sources_and_only_events_that_allow_it(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        main, other = house.add_warehouse(), house.add_source("other")
        house.store.run(lambda connection: workspaces.connect_warehouse(connection, main, other, connected=False))
        await house.publish(event("m1"))
        await house.publish(event("m2"), without=(main,))
        await house.publish(event("m3"), source_id=other)
        await house.work(house.caught_up("archive", group_of(main)))
        assert house.rows(main, "SELECT id FROM my_site.tracks") == [("m1",)]
        assert house.rows(main, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'other'") == [(0,)]
        assert archived(house) == ["m1", "m2", "m3"]

    asyncio.run(story())


class ForgetfulLog(HouseLog):
    """A log whose commits fail for a while: what was done is asked for again."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        self._fail(position)
        await super().commit(group, stream, partition, position)

    async def transact(self, partition: int, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        self._fail(max((one.position for one in commits), default=0))
        return await super().transact(partition, appends, commits)

    def _fail(self, position: int) -> None:
        if position and self.failures:
            self.failures -= 1
            raise Unavailable("The log does not answer.", retry_after=0.01)


def test_work_that_was_done_but_not_committed_is_not_done_twice(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, ForgetfulLog(3))
        main = house.add_warehouse()
        await house.publish(*(event(f"m{number}") for number in range(5)))
        await house.work(house.caught_up("archive", group_of(main)))
        assert archived(house) == [f"m{number}" for number in range(5)]
        assert house.rows(main, "SELECT count(*), count(DISTINCT id) FROM my_site.tracks") == [(5, 5)]

    asyncio.run(story())


def test_a_range_whose_archive_was_interrupted_is_written_again_as_it_was(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, ForgetfulLog(1))
        await house.publish(*(event(f"m{number}") for number in range(3)))

        async def failed() -> bool:
            return not house.log.failures  # type: ignore[attr-defined]

        await house.work(failed)
        await house.publish(event("m3"), source_id=house.add_source("late"))
        await house.work(house.caught_up("archive"))
        assert archived(house) == ["m0", "m1", "m2", "m3"]

    asyncio.run(story())


class BusyLog(HouseLog):
    """A log that an event more is in whenever somebody has read it. `told` are the groups whose lag was asked for,
    which is how a round ends.
    """

    house: House
    reads = 0

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    async def lag(self, group: str, stream: Stream, partition: int) -> int:
        self.told.add(group)
        return await super().lag(group, stream, partition)

    async def read(self, stream: Stream, partition: int, position: int, **how: Any) -> Chunk:
        chunk = await super().read(stream, partition, position, **how)
        self.reads += 1
        await self.house.publish(event(f"more-{self.reads}"))
        return chunk


def test_what_comes_during_a_round_waits_for_the_next_so_that_loads_and_files_are_not_tiny(tmp_path: Path) -> None:
    async def story() -> None:
        log = BusyLog()
        settings = WarehouseSettings(load_every_seconds=3_600, archive_every_seconds=3_600)
        house = log.house = House(tmp_path, log, settings)
        main = house.add_warehouse()
        await house.publish(event("m1"))

        async def both_have_ended_a_round() -> bool:
            return log.told >= {"archive", group_of(main)} and bool(house.loads(main)) and bool(archive_files(house))

        await house.work(both_have_ended_a_round)
        assert len(house.loads(main)) == 1
        assert len(archive_files(house)) == 1

    asyncio.run(story())


def test_a_load_asks_which_tables_there_are_once_for_all_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []
    columns = DuckDBSession.columns

    def counted(session: DuckDBSession, schemas: Sequence[str]) -> Any:
        asked.append(set(schemas))
        return columns(session, schemas)

    monkeypatch.setattr(DuckDBSession, "columns", counted)

    async def story() -> None:
        house = House(tmp_path)
        main, others = house.add_warehouse(), [house.add_source(f"other-{number}") for number in range(3)]
        await house.publish(event("m0"))
        for number, source_id in enumerate(others, 1):
            await house.publish(event(f"m{number}"), source_id=source_id)
        await house.work(house.caught_up(group_of(main)))
        assert asked == [{"my_site", "other_0", "other_1", "other_2"}]

    asyncio.run(story())


def test_a_dead_warehouse_says_why_and_delays_only_itself(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        main = house.add_warehouse()
        dead = house.add_warehouse("postgres", "Dead", host="127.0.0.1", port=1, database="d", username="u")
        await house.publish(event("m1"))

        async def tried() -> bool:
            return bool(house.loads(dead)) and await house.caught_up("archive", group_of(main))()

        await house.work(tried)
        assert house.rows(main, "SELECT count(*) FROM my_site.tracks") == [(1,)]
        load = house.loads(dead)[0]
        assert load.state == "failure"
        assert load.notices[0].startswith("PostgreSQL does not answer: connection failed")
        assert await house.log.lag(group_of(dead), PROCESSED, 0) == 1

    asyncio.run(story())


def test_a_warehouse_whose_settings_are_mended_loads_everything_since_its_cursor(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        blocked = tmp_path / "no-folder"
        blocked.write_text("a file where a folder should be")
        main = house.add_warehouse(path=str(blocked / "w.duckdb"))
        await house.publish(event("m1"))

        async def tried() -> bool:
            return bool(house.loads(main))

        await house.work(tried)
        await house.publish(event("m2"))
        house.store.run(lambda connection: workspaces.update_warehouse(connection, main, settings={}))
        await house.work(house.caught_up(group_of(main)))
        assert house.rows(main, "SELECT id FROM my_site.tracks ORDER BY id") == [("m1",), ("m2",)]

    asyncio.run(story())


def test_a_load_waits_while_another_process_reads_the_file(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        main = house.add_warehouse()
        await house.publish(event("m1"))
        await house.work(house.caught_up(group_of(main)))
        reader = await asyncio.create_subprocess_exec(
            *("python3", "-c", _HOLD, str(tmp_path / "warehouse" / f"{main}.duckdb")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PATH": _path_of_python()},
        )
        assert reader.stdout is not None
        assert await reader.stdout.readline() == b"held\n"
        await house.publish(event("m2"))

        async def begun() -> bool:
            if any(load.state == "running" for load in house.loads(main)) and reader.stdin is not None:
                reader.stdin.close()
            return await house.caught_up(group_of(main))()

        await house.work(begun)
        await reader.wait()
        assert house.rows(main, "SELECT count(*) FROM my_site.tracks") == [(2,)]

    asyncio.run(story())


_HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("held", flush=True)
sys.stdin.read()
"""


def _path_of_python() -> str:
    import sys

    return str(Path(sys.executable).parent)


def test_an_idle_role_has_imported_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import sys, headwater.warehouse.loop; print([m for m in ('pyarrow', 'duckdb', 'dlt') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("partitions", [3])
def test_every_partition_is_loaded_and_archived(tmp_path: Path, partitions: int) -> None:
    async def story() -> None:
        house = House(tmp_path, HouseLog(partitions=partitions))
        main = house.add_warehouse()
        for partition in range(partitions):
            await house.publish(event(f"m{partition}"), partition=partition)
        await house.work(house.caught_up("archive", group_of(main)))
        expected: list[Any] = [f"m{partition}" for partition in range(partitions)]
        assert archived(house) == expected
        assert house.rows(main, "SELECT count(*) FROM my_site.tracks") == [(partitions,)]

    asyncio.run(story())


class FullLog(HouseLog):
    """A log that is away the first time that it is to forget a group."""

    def __init__(self) -> None:
        super().__init__(partitions=1)
        self.asked = 0

    async def forget(self, group: str, stream: Stream, partition: int) -> None:
        self.asked += 1
        if self.asked == 1:
            raise Unavailable("The log is away.")
        await super().forget(group, stream, partition)


def test_a_deleted_warehouse_is_forgotten_even_if_the_log_was_away_meanwhile(tmp_path: Path) -> None:
    async def story() -> None:
        log = FullLog()
        house = House(tmp_path, log)
        gone = house.add_warehouse()
        await house.publish(event("m1"))
        loaded = house.caught_up(group_of(gone))
        deleted = False

        async def forgotten() -> bool:
            nonlocal deleted
            if not deleted and await loaded():
                house.store.run(lambda connection: workspaces.delete_warehouse(connection, gone))
                deleted = True
            return log.asked > 1 and group_of(gone) not in await log.groups(PROCESSED, 0)

        await house.work(forgotten)

    asyncio.run(story())
