"""SQL over everything kept, and what a stranger's SQL cannot do."""

import asyncio
import json
import sys
from pathlib import Path

import duckdb
import msgspec
import pytest
from warehouse_house import SETTINGS, House, event

from headwater.spec.errors import SenderError, Unavailable
from headwater.spec.settings import WarehouseSettings
from headwater.warehouse.loop import group_of


def with_settings(**changes: float | str) -> WarehouseSettings:
    return msgspec.structs.replace(SETTINGS, **changes)


async def filled(folder: Path) -> tuple[House, str]:
    """A house with two events archived and loaded, and a third that only the log has."""
    house = House(folder)
    main = house.add_warehouse(name="Main Base")
    await house.publish(event("m1"), event("m2", properties={"price": 7}))
    await house.work(house.caught_up("archive", group_of(main)))
    await house.publish(event("m3", properties={"price": 9}))
    return house, main


@pytest.fixture(scope="module")
def one_house(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str]:
    return asyncio.run(filled(tmp_path_factory.mktemp("house")))


def rows(house: House, sql: str) -> list[list[object]]:
    return asyncio.run(house.query(sql)).rows


def test_events_are_the_archive_and_what_is_not_archived_yet(one_house: tuple[House, str]) -> None:
    sql = "select message_id, type, event, user_id, body->>'$.properties.price' from events order by position"
    found = rows(one_house[0], sql)
    expected = [(1, 5), (2, 7), (3, 9)]
    assert found == [[f"m{number}", "track", "Order Completed", "u1", str(price)] for number, price in expected]


def test_columns_come_with_their_types_and_moments_in_utc(one_house: tuple[House, str]) -> None:
    sql = "select received_at, position, source_id from events order by position limit 1"
    result = asyncio.run(one_house[0].query(sql))
    assert result.columns == ("received_at", "position", "source_id")
    assert [kind.split("_")[0] for kind in result.types] == ["TIMESTAMP", "BIGINT", "VARCHAR"]
    assert result.rows == [["2023-11-14T22:13:20", 0, one_house[0].source_id]]


def test_warehouses_answer_under_their_name_and_the_first_also_without(one_house: tuple[House, str]) -> None:
    for table in ("main_base.my_site.tracks", "my_site.tracks"):
        assert rows(one_house[0], f"select count(*) from {table}") == [[2]]
    joined = "select count(*) from events e join my_site.tracks t on t.id = e.message_id"
    assert rows(one_house[0], joined) == [[2]]


def test_a_table_that_is_not_there_is_answered_with_those_that_are(
    one_house: tuple[House, str], tmp_path: Path
) -> None:
    with pytest.raises(SenderError, match=r"no table pages\..* at once\. Tables so far: .*my_site\.tracks"):
        rows(one_house[0], "select * from my_site.pages")
    before = House(tmp_path)
    before.add_warehouse(name="Main Base")
    with pytest.raises(SenderError, match=r"no table .*tracks\..*Nothing has been loaded yet"):
        rows(before, "select * from my_site.tracks")


def test_a_range_that_is_being_archived_shows_once(one_house: tuple[House, str]) -> None:
    house = one_house[0]
    [part] = house.folder.glob("archive/*/*/part-0-0-1.parquet")
    copy = part.with_name("part-0-2-2.parquet")
    duckdb.sql(f"COPY (SELECT * REPLACE (2 AS position) FROM read_parquet('{part}') LIMIT 1) TO '{copy}'")
    covering = part.with_name("part-0-0-0.parquet")
    covering.write_bytes(part.read_bytes())
    try:
        assert rows(house, "select count(*), count(distinct message_id) from events") == [[3, 3]]
    finally:
        copy.unlink()
        covering.unlink()


def test_rows_beyond_the_limit_are_cut_off_and_it_says_so(one_house: tuple[House, str]) -> None:
    house = one_house[0]
    short = asyncio.run(house.query("select * from range(10)", with_settings(query_rows=3)))
    assert (short.rows, short.truncated) == ([[0], [1], [2]], True)
    exact = asyncio.run(house.query("select * from range(3)", with_settings(query_rows=3)))
    assert exact.truncated is False


def test_every_type_of_value_can_be_shown(one_house: tuple[House, str]) -> None:
    sql = """select 170141183460469231731687303715884105727::hugeint, 1.5::decimal(4,1), 'nan'::double, 'a'::blob,
    {'a': [1, null]}, map {1: 2}, interval 1 day, now() is not null, uuid(), date '2024-01-01', time '10:00',
    timestamptz '2024-01-01 00:00:00+00', null"""
    [found] = rows(one_house[0], sql)
    assert found[:4] == ["170141183460469231731687303715884105727", "1.5", None, "YQ=="]
    assert found[4:8] == [{"a": [1, None]}, {"1": 2}, "P1D", True]
    assert found[-2] == "2024-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", "syntax error"),
        ("select nothing from events", 'Referenced column "nothing" not found'),
        ("select 1; select 2", "single SELECT"),
        ("", "single SELECT"),
        ("create table t (a int)", "single SELECT"),
        ("insert into my_site.tracks default values", "single SELECT"),
        ("copy (select 1) to '{folder}/archive/x.csv'", "single SELECT"),
        ("explain analyze copy (select 1) to '{folder}/archive/x.csv'", "single SELECT"),
        ("attach '{folder}/store.sqlite'", "single SELECT"),
        ("install httpfs", "single SELECT"),
        ("set memory_limit = '9GB'", "single SELECT"),
        ("pragma enable_profiling", "single SELECT"),
        ("select * from read_text('{folder}/secret.key')", "disabled by configuration"),
        ("select * from read_text('{folder}/archive/../secret.key')", "disabled by configuration"),
        ("select * from read_blob('/etc/passwd')", "disabled by configuration"),
        ("select * from glob('{folder}/*')", "disabled by configuration"),
        ("select * from '/etc/passwd'", "no table"),
        ("select * from task", "no table"),
        ("select getenv('PATH')", "does not exist"),
        ("select * from enable_logging('QueryLog', storage = 'file', storage_path = '{folder}/l')", "locked"),
        ("select repeat('x', 3000000000)", "needs more|too large|exceed|memory"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(one_house: tuple[House, str], sql: str, said: str) -> None:
    house = one_house[0]
    before = sorted(house.folder.rglob("*"))
    with pytest.raises(SenderError, match=said):
        rows(house, sql.replace("{folder}", str(house.folder)))
    assert sorted(house.folder.rglob("*")) == before


def test_a_query_that_takes_too_long_is_ended(one_house: tuple[House, str]) -> None:
    endless = "select count(*) from range(1000000) a, range(1000000) b where a.range * 3 + b.range < -1"
    with pytest.raises(SenderError, match=r"took longer than 2 s"):
        asyncio.run(one_house[0].query(endless, with_settings(query_seconds=2.0)))


def test_a_query_that_needs_too_much_memory_is_ended(one_house: tuple[House, str]) -> None:
    greedy = "select count(distinct repeat(range::varchar, 50)) from range(10000000)"
    with pytest.raises(SenderError, match="needs more"):
        asyncio.run(one_house[0].query(greedy, with_settings(query_memory_mb=64)))


def test_an_empty_house_has_an_empty_table_of_events(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert rows(house, "select count(*) from events") == [[0]]


def test_a_remote_archive_is_written_and_read_through_fsspec(tmp_path: Path) -> None:
    async def story() -> None:
        settings = with_settings(archive_url=f"file://{tmp_path}/elsewhere")
        house = House(tmp_path, settings=settings)
        await house.publish(event("m1"))
        await house.work(house.caught_up("archive"))
        await house.publish(event("m2"))
        assert not (tmp_path / "archive").exists()
        result = await house.query("select message_id from events order by 1")
        assert result.rows == [["m1"], ["m2"]]

    asyncio.run(story())


def test_a_warehouse_held_by_a_load_is_waited_for_and_then_said_to_be_unavailable(tmp_path: Path) -> None:
    async def story() -> None:
        house, main = await filled(tmp_path)
        held = duckdb.connect(str(tmp_path / "warehouse" / f"{main}.duckdb"))
        with held, pytest.raises(Unavailable, match="main_base"):
            await house.query("select 1", with_settings(query_seconds=6.0))

    asyncio.run(story())


def test_what_a_killed_load_left_behind_does_not_disturb_a_query(tmp_path: Path) -> None:
    async def story() -> None:
        house, main = await filled(tmp_path)
        path = tmp_path / "warehouse" / f"{main}.duckdb"
        code = (
            "import duckdb, os, signal, sys; c = duckdb.connect(sys.argv[1]);"
            "c.execute('create table left_over (a int)');"
            "c.execute('insert into left_over values (1)'); os.kill(os.getpid(), signal.SIGKILL)"
        )
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path))
        assert await process.wait() == -9
        assert path.with_name(f"{path.name}.wal").exists()
        assert (await house.query("select a from main_base.main.left_over")).rows == [[1]]

    asyncio.run(story())


def test_warehouses_whose_names_clash_can_all_be_asked(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        groups = [group_of(house.add_warehouse(name=name)) for name in ("main", "Main", "Select")]
        await house.publish(event("m1"))
        await house.work(house.caught_up(*groups))
        for name in ("_main", "_main_2", "_select"):
            assert (await house.query(f"select count(*) from {name}.my_site.tracks")).rows == [[1]]

    asyncio.run(story())


def test_a_result_is_plain_json(one_house: tuple[House, str]) -> None:
    result = asyncio.run(one_house[0].query("select * from events"))
    assert json.loads(msgspec.json.encode(result))["truncated"] is False


def test_more_waiting_events_than_fit_are_no_answer_rather_than_a_part(
    one_house: tuple[House, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.warehouse.query._LIVE_BYTES", 10)
    with pytest.raises(Unavailable, match="wait for the archive"):
        rows(one_house[0], "select count(*) from events")


def test_a_warehouse_whose_file_would_be_elsewhere_is_not_attached(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        duckdb.connect(str(tmp_path / "other.duckdb")).close()
        house.add_warehouse(name="Other", path=str(tmp_path / "other.duckdb"))
        assert (await house.query("select database_name from duckdb_databases() where path is not null")).rows == []

    asyncio.run(story())
