"""What is kept and what can be asked of it: disk, query tables, and the newest events."""

import asyncio
from pathlib import Path

import msgspec
from manage_house import ManageHouse, running

from headwater.contracts.shape import engines
from headwater.eventlog.streams import PROCESSED
from headwater.store import loads
from headwater.warehouse.engines import Place
from headwater.warehouse.engines.duckdb import path_of

EMBEDDED = engines() is None


def test_the_storage_is_shown_by_part(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            part = tmp_path / "archive" / "day=2026-01-31" / "source=s" / "part-0-0-9.parquet"
            part.parent.mkdir(parents=True)
            part.write_bytes(b"x" * 100)
            empty = (await house.ask("GET", "/headwater/storage")).data
            assert (empty["oldestEventAt"], empty["newestEventAt"]) == (None, None)
            await house.process(await house.source(), "m1", "m2")
            await house.log.commit("archive", PROCESSED, 0, 1)
            shown = (await house.ask("GET", "/headwater/storage")).data
            assert shown["archive"] == {
                "url": "",
                "events": 1,
                "files": 1,
                "bytes": 100,
                "days": [{"day": "2026-01-31", "files": 1, "bytes": 100}],
            }
            assert {one["part"] for one in shown["parts"]} == {"archive", "other"} | (
                {"store"} if engines() is None else set()
            )
            assert {one["stream"]: one["records"] for one in shown["streams"]}["processed"] == 2
            assert shown["oldestEventAt"] == shown["newestEventAt"] == "2026-11-18T11:06:40.000Z"
            assert 0 < shown["usedBytes"] < shown["totalBytes"]
            assert (shown["storeEngine"], shown["retentionHours"]) == (
                "sqlite" if engines() is None else "postgresql",
                168,
            )

    asyncio.run(scenario())


def test_the_address_of_the_archive_is_shown_without_its_keys(tmp_path: Path) -> None:
    house = ManageHouse(tmp_path)
    url = "sftp://ada:secret@files.test:22/archive?key=secret"
    house.settings = msgspec.structs.replace(
        house.settings, warehouse=msgspec.structs.replace(house.settings.warehouse, archive_url=url)
    )

    async def scenario() -> None:
        async with running(house):
            shown = (await house.ask("GET", "/headwater/storage")).data
            assert shown["archive"]["url"] == "sftp://files.test:22/archive"

    asyncio.run(scenario())


def test_the_tables_that_a_query_can_name_are_listed_with_their_columns(tmp_path: Path) -> None:
    import duckdb

    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            (events,) = (await house.ask("GET", "/headwater/query/tables")).data["tables"]
            assert (events["sql"], events["rows"], events["warehouseId"]) == ("events", None, "")
            assert [one["name"] for one in events["columns"]][:2] == ["message_id", "type"]
            ids: list[str] = []
            for name in ("Lake", "Second"):
                made = await house.ask("POST", "/warehouses", {"metadataId": "duckdb", "settings": {}, "name": name})
                ids.append(made.data["warehouse"]["id"])
                path = path_of({}, Place(tmp_path / "warehouse", ids[-1]))
                path.parent.mkdir(exist_ok=True)
                with duckdb.connect(str(path)) as connection:
                    connection.execute('CREATE SCHEMA web; CREATE TABLE web."Odd Name" (id VARCHAR, n BIGINT)')
                    connection.execute('INSERT INTO web."Odd Name" SELECT 1, 2 FROM range(7)')

            def load(connection: object) -> None:
                made = loads.begin(connection, warehouse_id=ids[0], partition=0, first=0, last=7, now=1_000)  # type: ignore[arg-type]
                loads.end(connection, made, state="success", rows=7, notices=(), now=2_000)  # type: ignore[arg-type]

            house.store.run(load)
            events, lake, second = (await house.ask("GET", "/headwater/query/tables")).data["tables"]
            assert (lake["sql"], second["sql"]) == ('web."Odd Name"', 'second.web."Odd Name"')
            assert (lake["warehouseId"], lake["rows"], lake["freshAt"]) == (ids[0], 7, "1970-01-01T00:00:01.000Z")
            assert lake["columns"] == [{"name": "id", "type": "VARCHAR"}, {"name": "n", "type": "BIGINT"}]
            assert second["freshAt"] is None
            for table in (events, lake, second):
                asked = await house.ask("POST", "/headwater/query", {"sql": f"select count(*) from {table['sql']}"})
                assert asked.data["rows"] == [[table["rows"] or 0]]

    asyncio.run(scenario())


def test_the_newest_events_are_listed_newest_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path, partitions=2)) as house:
            web, app = await house.source("web"), await house.source("app")
            await house.process(web, "m1", "m2", name="Seen")
            await house.process(app, "m3", destinations=("d1",))
            await house.process(web, "m4", partition=1)

            async def recent(query: str = "") -> list[str]:
                answer = await house.ask("GET", f"/headwater/events/recent?{query}")
                return [event["messageId"] for event in answer.data["events"]]

            assert sorted(await recent()) == ["m1", "m2", "m3", "m4"]
            assert await recent("source=app") == ["m3"]
            assert await recent("event=Seen") == ["m2", "m1"]
            assert await recent("event=Seen&count=1") == ["m2"]
            assert await recent("filter=%22M3%22&user=u&type=track") == ["m3"]
            assert await recent("type=page") == []
            whole = (await house.ask("GET", "/headwater/events/recent?source=app")).data["events"][0]
            assert (whole["id"], whole["destinations"], whole["event"]["event"]) == ("0:2", ["d1"], "E")
            for query in ("source=none", "count=0", "count=501"):
                assert (await house.ask("GET", f"/headwater/events/recent?{query}")).status == 422

    asyncio.run(scenario())
