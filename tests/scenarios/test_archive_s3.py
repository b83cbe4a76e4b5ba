"""The archive on an object store that speaks S3: written, put together, asked, replayed and counted, also after it was
away."""

import asyncio
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from warehouse_house import RECEIVED, SETTINGS, House, event, record

from headwater.contracts.object_store import WHY_NOT, ObjectStore, object_store
from headwater.eventlog import Chunk
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.manage.profile_api.events import Histories
from headwater.profiles.computing.past import Wanted as WantedCount
from headwater.profiles.history import Entry
from headwater.spec.errors import Unavailable
from headwater.spec.replay import Wanted
from headwater.spec.settings import WarehouseSettings
from headwater.warehouse.archive import Archive
from headwater.warehouse.files import open_files, place_of
from headwater.warehouse.past import ArchivedPast
from headwater.warehouse.query import query
from headwater.warehouse.reading import ARCHIVE_GROUP
from headwater.warehouse.replay.archived import ArchivedEvents


@pytest.fixture(scope="module")
def store() -> Generator[ObjectStore]:
    with object_store() as found:
        if found is None:
            pytest.skip(WHY_NOT)
        yield found


def settings_of(store: ObjectStore, prefix: str) -> WarehouseSettings:
    options = tuple(f"{name}={value}" for name, value in store.storage.items())
    return msgspec.structs.replace(SETTINGS, archive_url=f"{store.url}/{prefix}", archive_options=options)


def test_everything_that_reads_the_archive_reads_it_on_s3(tmp_path: Path, store: ObjectStore) -> None:
    settings = settings_of(store, "all")

    async def story() -> None:
        house = House(tmp_path, MemoryLog(gaps=True), settings)
        files = open_files(place_of(settings, tmp_path))
        archive = Archive(files)
        for number in range(18):
            body = event(f"m{number}")
            at = await house.log.append(PROCESSED, 0, [record(body, house.source_id, RECEIVED + number)])
            archive.write(0, Chunk(at, (await house.log.read(PROCESSED, 0, at, max_records=1)).records))
            if number == 15:
                archive.tidy()
                archive.drop_covered(archive.covered)
        await house.log.commit(ARCHIVE_GROUP, PROCESSED, 0, at + 1)
        assert len(files.sizes()) == 3
        await house.publish(event("live"))
        # Another host, whose cache is empty.
        found = await query(
            "select count(*), count(distinct message_id) from events",
            folder=tmp_path / "other",
            log=house.log,
            settings=settings,
            warehouses=(),
        )
        assert found.rows == [[19, 19]]
        assert len(list((tmp_path / "other" / "cache").rglob("*.parquet"))) == 3
        narrow = "select count(*) from events where received_at < '2023-01-01' and message_id not like '%''%'"
        found = await query(narrow, folder=tmp_path / "new", log=house.log, settings=settings, warehouses=())
        assert found.rows == [[0]]
        assert not (tmp_path / "new").exists()

        wanted = Wanted(source_id=house.source_id, since_ms=0, until_ms=2 * RECEIVED)
        past = ArchivedEvents(house.log, settings, tmp_path / "other")
        async with aclosing(past.pages(wanted, {0: 10})) as pages:
            replayed = [item.message_id async for page in pages for item in page.items]
        assert replayed == [f"m{number}" for number in range(5, 18)]

        counting = ArchivedPast(house.log, settings, tmp_path / "third")
        asked = [WantedCount("n", "event('Order Completed').count()", "USERS")]
        await counting.count("job", "spc_1", asked, {0: at + 1}, progress=lambda _done, _total: None)

        histories = Histories(house.log, tmp_path / "fourth", settings)
        entry = Entry(RECEIVED + 4, 8, 0, RECEIVED + 4, house.source_id, "Order Completed")
        bodies = histories._archived([entry])
        assert msgspec.json.decode(bodies[entry])["messageId"] == "m4"

    asyncio.run(story())


def test_events_wait_for_a_store_that_is_away_and_none_is_lost(tmp_path: Path, store: ObjectStore) -> None:
    quick = ("config_kwargs.connect_timeout=1", "config_kwargs.retries.max_attempts=1")
    settings = settings_of(store, "away")
    settings = msgspec.structs.replace(settings, archive_options=(*settings.archive_options, *quick))

    async def story() -> None:
        house = House(tmp_path, settings=settings)
        await house.publish(event("m1"))
        await house.work(house.caught_up("archive"))
        store.stop()
        try:
            with pytest.raises(Unavailable, match="The archive cannot be read"):
                await house.query("select 1")
            await house.publish(event("m2"))
        finally:
            store.start()
        await house.work(house.caught_up("archive"))
        assert (await house.query("select message_id from events order by 1")).rows == [["m1"], ["m2"]]

    asyncio.run(story())
