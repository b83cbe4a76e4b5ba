"""People and their events in a warehouse: who they are, who they were, and nothing twice whatever is done again."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import psycopg
import pytest
from profiles_house import START, ProfilesHouse

from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.eventlog import Chunk
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.identity.unmerge import divide
from headwater.spec.settings import WarehouseSettings
from headwater.store import components, loads, profiles_warehouses
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot
from headwater.warehouse.loop import warehouse
from headwater.warehouse.profiles.keeper import ProfilesKeeper
from headwater.warehouse.profiles.names import group_of
from headwater.warehouse.query import query


class Synced:
    """A house and its profiles warehouse, which is synced when a test says so."""

    def __init__(self, folder: Path, *, partitions: int = 1) -> None:
        self.house = ProfilesHouse(folder, partitions=partitions)
        self.store = self.house.store
        self.web = self.store.run(lambda connection: workspaces.create_source(connection, slug="web", name="Web").id)
        self.id = ""

    def connect(self, engine: str = "duckdb", *, created_at: int = 0, **settings: Any) -> None:
        """Make the warehouse, `created_at` a moment of the clock by which events are received."""

        def create(connection: Any) -> str:
            return profiles_warehouses.create(
                connection,
                space_id=self.house.space.id,
                engine=engine,
                name="W",
                schema_name="people",
                settings=settings,
            ).id

        self.id = self.store.run(create)
        self.update(created_at=created_at)

    def update(self, **columns: Any) -> None:
        self.store.run(lambda connection: profiles_warehouses.update(connection, self.id, **columns))

    async def tell(self, *bodies: dict[str, Any]) -> None:
        await self.house.tell(*({"source": self.web, **body} for body in bodies))
        await self.house.fold()

    async def sync(self) -> None:
        snapshot = await Snapshot.take(self.store)
        keeper = ProfilesKeeper(
            self.house.log,
            self.store,
            snapshot,
            self.house.secrets,
            self.id,
            settings=WarehouseSettings(),
            folder=self.house.folder,
        )
        await keeper.sync(asyncio.Event())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        path = self.house.folder / "warehouse" / f"{self.id}.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        path = self.house.folder / "warehouse" / f"{self.id}.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
            return {name: connection.execute(f"FROM people.{name} ORDER BY ALL").fetchall() for (name,) in tables}

    def profile(self, identifier: str) -> str:
        found = self.store.run(
            lambda connection: components.canonical(connection, self.house.space.id, identifier), write=False
        )
        assert found is not None
        return found

    async def run_role(self, until: Callable[[], Awaitable[bool]]) -> None:
        """Run the role, which syncs on its own, until a condition holds."""
        stopping = asyncio.Event()
        snapshot = await Snapshot.take(self.store)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(snapshot.keep_fresh(stopping, every=0.05))
            tasks.create_task(
                warehouse(
                    log=self.house.log,
                    store=self.store,
                    snapshot=snapshot,
                    secrets=self.house.secrets,
                    settings=WarehouseSettings(profiles_every_seconds=0.05),
                    folder=self.house.folder,
                    stopping=stopping,
                )
            )
            async with asyncio.timeout(30):
                while not await until():
                    await asyncio.sleep(0.02)
            stopping.set()


def identify(user_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user_id, **fields}


CHAIN: list[dict[str, Any]] = [
    {"type": "page", "anonymousId": "a0", "name": "Home"},
    {"type": "page", "anonymousId": "a1"},
    {"type": "page", "anonymousId": "a2"},
    {"event": "Signed Up", "anonymousId": "a1", "context": {"externalIds": [
        {"id": "a2", "type": "anonymous_id", "collection": "users", "encoding": "none"}]}},
    {"event": "Signed In", "anonymousId": "a0", "context": {"externalIds": [
        {"id": "a1", "type": "anonymous_id", "collection": "users", "encoding": "none"}]}},
]  # fmt: skip


def test_people_their_merges_and_their_events_are_tables(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell(*CHAIN[:3])
        first, second, third = (house.profile(f"anonymous_id:a{number}") for number in range(3))
        await house.tell(*CHAIN[3:], identify("u", anonymousId="a0", traits={"plan": "pro", "Age": 7, "old": None}))
        await house.sync()
        turns = house.rows(
            "SELECT segment_id, canonical_segment_id, triggering_event_id, triggering_event_source_slug "
            "FROM people.id_graph_updates ORDER BY seq, segment_id"
        )
        assert sorted(turns[:3]) == sorted(
            [(first, first, "m0", "web"), (second, second, "m1", "web"), (third, third, "m2", "web")]
        )
        assert turns[3] == (third, second, "m3", "web")
        assert sorted(turns[4:]) == sorted([(second, first, "m4", "web"), (third, first, "m4", "web")])
        merged = house.rows("SELECT segment_id, canonical_segment_id FROM people.profile_merges")
        assert sorted(merged) == sorted([(first, first), (second, first), (third, first)])
        seen = house.rows(
            "SELECT external_id_type, external_id_value, segment_id, external_id_hash, __operation, "
            "timestamp = received_at FROM people.external_id_mapping_updates ORDER BY seq"
        )
        assert seen[2:] == [
            ("anonymous_id", "a2", third, hashlib.sha1(b"anonymous_ida2").hexdigest(), "CREATED", True),
            ("user_id", "u", first, hashlib.sha1(b"user_idu").hexdigest(), "CREATED", True),
        ]
        assert house.rows("SELECT canonical_segment_id, type, value FROM people.user_identifiers ORDER BY 2, 3") == [
            (first, "anonymous_id", f"a{number}") for number in range(3)
        ] + [(first, "user_id", "u")]
        assert house.rows("SELECT canonical_segment_id, name, value FROM people.user_traits ORDER BY 2") == [
            (first, "Age", "7"),
            (first, "plan", "pro"),
        ]
        assert house.rows("SELECT id, segment_id, plan, age FROM people.profile_traits_updates") == [
            ("m5", first, "pro", 7)
        ]
        assert house.rows("SELECT id, segment_id, event_source_id FROM people.signed_up") == [("m3", second, house.web)]
        assert house.rows("SELECT id, segment_id, name FROM people.pages ORDER BY id")[0] == ("m0", first, "Home")

    asyncio.run(story())


def test_syncing_again_changes_nothing_and_what_was_interrupted_is_not_doubled(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell(*CHAIN, identify("u", anonymousId="a0", traits={"plan": "pro"}))
        await house.sync()
        once = house.everything()
        assert len(once["id_graph_updates"]) == 6
        assert house.rows("SELECT count(*) FROM people.profile_merges WHERE segment_id = canonical_segment_id") == [
            (1,)
        ]
        await house.sync()
        assert house.everything() == once
        for partition in house.house.log.partitions(PROCESSED):
            await house.house.log.commit(group_of(house.id), PROCESSED, partition, 0)
        house.store.run(
            lambda connection: profiles_warehouses.set_progress(connection, house.id, profiles_warehouses.Progress())
        )
        await house.sync()
        assert house.everything() == once

    asyncio.run(story())


def test_a_merge_takes_along_traits_and_the_newest_of_a_name_stays(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell(identify("u", traits={"plan": "free", "city": "Bonn"}))
        await house.tell({"type": "identify", "anonymousId": "a", "traits": {"plan": "pro", "size": [1, 2]}})
        await house.sync()
        first, second = house.profile("user_id:u"), house.profile("anonymous_id:a")
        assert house.rows("SELECT DISTINCT canonical_segment_id FROM people.user_traits ORDER BY 1") == sorted(
            [(first,), (second,)]
        )
        await house.tell({"event": "Signed In", "userId": "u", "anonymousId": "a"})
        await house.sync()
        assert house.rows("SELECT canonical_segment_id, name, value FROM people.user_traits ORDER BY 2") == [
            (first, "city", "Bonn"),
            (first, "plan", "pro"),
            (first, "size", "[1,2]"),
        ]
        assert house.rows("SELECT DISTINCT canonical_segment_id FROM people.user_identifiers") == [(first,)]
        combined = house.rows(
            "SELECT segment_id, plan, city, triggering_event_id FROM people.profile_traits_updates ORDER BY seq"
        )
        assert combined == [(first, "free", "Bonn", "m0"), (second, "pro", None, "m1"), (first, "pro", "Bonn", "m2")]

    asyncio.run(story())


def test_who_was_there_before_the_warehouse_is_told_without_timestamps(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        await house.tell(identify("u", traits={"plan": "pro"}), identify("v", traits={"plan": "free"}))
        house.connect(created_at=START + 60_000)
        end = (await house.house.log.bounds(PROCESSED, 0))[1]
        await house.house.log.commit(group_of(house.id), PROCESSED, 0, end)
        await house.sync()
        assert house.rows("SELECT count(*), count(timestamp) FROM people.id_graph_updates") == [(2, 0)]
        assert house.rows("SELECT external_id_value, timestamp FROM people.external_id_mapping_updates ORDER BY 1") == [
            ("u", None),
            ("v", None),
        ]
        assert house.rows("SELECT plan, timestamp FROM people.profile_traits_updates ORDER BY 1") == [
            ("free", None),
            ("pro", None),
        ]
        assert house.rows("SELECT count(*) FROM people.user_traits") == [(2,)]
        warehouses = house.store.run(workspaces.load).all_warehouses
        asked = "SELECT count(*) FROM people.user_traits"
        result = await query(
            asked, folder=tmp_path, log=house.house.log, settings=WarehouseSettings(), warehouses=warehouses
        )
        assert result.rows == [[2]]

    asyncio.run(story())


def test_a_merge_undone_by_hand_turns_the_rows_back(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell(identify("u", traits={"plan": "free"}))
        await house.tell({"type": "identify", "anonymousId": "a", "traits": {"size": 5}})
        await house.tell({"event": "Signed In", "userId": "u", "anonymousId": "a"})
        await house.sync()
        first = house.profile("user_id:u")

        def undo(connection: Any) -> None:
            whole = components.component(connection, first)
            [merge] = whole.merges
            components.split(connection, house.house.space.id, merge, divide(whole, merge.id), START + 60_000)

        house.store.run(undo)
        await house.sync()
        second = house.profile("anonymous_id:a")
        assert second != first
        assert house.rows(
            "SELECT canonical_segment_id, triggering_event_type FROM people.id_graph_updates "
            f"WHERE segment_id = '{second}' ORDER BY seq"
        ) == [(second, "identify"), (first, "track"), (second, "unmerge")]
        assert house.rows(f"SELECT name, value FROM people.user_traits WHERE canonical_segment_id = '{second}'") == [
            ("size", "5")
        ]
        assert house.rows("SELECT count(*) FROM people.profile_merges WHERE segment_id = canonical_segment_id") == [
            (2,)
        ]
        assert house.rows("SELECT count(*) FROM people.external_id_mapping_updates") == [(2,)]

    asyncio.run(story())


def test_an_identifier_that_is_removed_is_told_of_and_stands_no_longer(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell(identify("u", anonymousId="a"))
        await house.sync()

        def take(connection: Any) -> None:
            whole = components.component(connection, house.profile("user_id:u"))
            link = next(link for link in whole.links if link.identifier == "anonymous_id:a")
            components.remove(connection, house.house.space.id, link, START + 60_000, "somebody")

        house.store.run(take)
        for _ in range(2):
            await house.sync()
            assert house.rows("SELECT value FROM people.user_identifiers") == [("u",)]
            assert house.rows(
                "SELECT external_id_value, __operation FROM people.external_id_mapping_updates ORDER BY seq"
            )[-1] == ("a", "REMOVED")
            assert house.rows("SELECT count(*) FROM people.external_id_mapping_updates") == [(3,)]

    asyncio.run(story())


def test_what_is_left_out_stays_out_and_the_gap_stays_when_it_is_taken_up_again(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        house.update(without_tables=["id_graph_updates", "ordered", "pages"])
        await house.tell(
            {"event": "Ordered", "userId": "u"}, {"type": "page", "userId": "u"}, {"event": "Paid", "userId": "u"}
        )
        await house.sync()
        tables = {name for (name,) in house.rows("SELECT table_name FROM duckdb_tables()")}
        assert {"tracks", "paid", "user_identifiers"} <= tables
        assert not tables & {"id_graph_updates", "ordered", "pages"}
        house.update(without_tables=[], resumed={"id_graph_updates": START + 3_000})
        await house.tell({"event": "Ordered", "userId": "u"}, {"event": "Ordered", "userId": "v"})
        await house.sync()
        assert house.rows("SELECT segment_id FROM people.id_graph_updates") == [(house.profile("user_id:v"),)]
        assert house.rows("SELECT id FROM people.ordered ORDER BY 1") == [("m3",), ("m4",)]
        house.update(event_tables=False)
        await house.tell({"event": "Ordered", "userId": "w"})
        await house.sync()
        assert house.rows("SELECT count(*) FROM people.ordered") == [(2,)]
        assert house.rows("SELECT count(*) FROM people.profile_merges") == [(3,)]

    asyncio.run(story())


def test_events_wait_until_their_traits_are_folded_and_have_no_profile_when_nobody_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell({"event": "Ordered", "userId": "x", "context": {"groupId": ""}})
        await house.house.tell({"source": house.web, **identify("u", traits={"plan": "pro"})})
        await house.sync()
        assert house.rows("SELECT id, segment_id FROM people.ordered") == [("m0", None)]
        assert house.rows("SELECT count(*) FROM people.id_graph_updates") == [(0,)]
        assert await house.house.log.lag(group_of(house.id), PROCESSED, 0) == 1
        await house.house.fold()
        await house.sync()
        assert house.rows("SELECT value FROM people.user_traits") == [("pro",)]
        assert [(load.state, load.rows) for load in house.store.run(lambda c: loads.list_loads(c, house.id))] == [
            ("success", 7),
            ("success", 2),
        ]

    asyncio.run(story())


def test_what_comes_during_a_sync_waits_for_the_next_so_that_loads_are_not_tiny(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect(created_at=START)
        await house.tell({"type": "page", "anonymousId": "a0"})
        read = house.house.log.read
        further = [{"type": "page", "anonymousId": f"a{number}"} for number in range(1, 4)]

        async def busy(*asked: Any, **how: Any) -> Chunk:
            chunk = await read(*asked, **how)
            if further:
                monkeypatch.setattr(house.house.log, "read", read)
                await house.tell(further.pop(0))
                monkeypatch.setattr(house.house.log, "read", busy)
            return chunk

        monkeypatch.setattr(house.house.log, "read", busy)
        for loaded in (1, 2):
            await house.sync()
            assert house.rows("SELECT count(*) FROM people.id_graph_updates") == [(loaded,)]

    asyncio.run(story())


def test_the_role_syncs_and_lets_the_log_go_when_the_warehouse_is_removed(tmp_path: Path) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        house.connect()
        await house.tell(identify("u", traits={"plan": "pro"}))
        log = house.house.log

        async def loaded() -> bool:
            known = group_of(house.id) in await log.groups(PROCESSED, 0)
            return known and not await log.lag(group_of(house.id), PROCESSED, 0)

        async def forgotten() -> bool:
            return group_of(house.id) not in await log.groups(PROCESSED, 0)

        await house.run_role(loaded)
        assert house.rows("SELECT value FROM people.user_traits") == [("pro",)]
        house.store.run(lambda connection: profiles_warehouses.delete(connection, house.id))
        await house.run_role(forgotten)

    asyncio.run(story())


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with postgres_server(tmp_path_factory.mktemp("server")) as url:
        if url is None:
            pytest.skip(WHY_NOT)
        yield url


def test_postgres_holds_the_same(tmp_path: Path, postgres: str) -> None:
    async def story() -> None:
        house = Synced(tmp_path)
        parts = urlparse(postgres)
        place = {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "username": parts.username}
        house.connect("postgres", **place)
        await house.tell(*CHAIN[:3], identify("u", anonymousId="a0", traits={"plan": "pro", "odd": "a\0b"}))
        await house.sync()
        await house.tell(*CHAIN[3:])
        for _ in range(2):
            await house.sync()
            with psycopg.connect(postgres) as connection:
                asked = "SELECT count(*), count(DISTINCT canonical_segment_id) FROM people."
                found = {
                    table: connection.execute(f"{asked}{table}").fetchone()
                    for table in ("id_graph_updates", "profile_merges", "user_identifiers", "user_traits")
                }
                values = connection.execute("SELECT name, value, timestamp FROM people.user_traits").fetchall()
            assert found == {
                "id_graph_updates": (6, 3),
                "profile_merges": (3, 1),
                "user_identifiers": (4, 1),
                "user_traits": (2, 1),
            }
            assert sorted(row[:2] for row in values) == [("odd", "ab"), ("plan", "pro")]
            assert {row[2].timestamp() for row in values} == {(START + 3_000) / 1000}

    asyncio.run(story())
