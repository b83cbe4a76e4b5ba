"""A host of its own keeps the indexes of events by following the log."""

import asyncio
import json
from pathlib import Path

from headwater import telemetry
from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.manage.following import READER, Follower, follow_log, followers, indexes
from headwater.manage.trail import find_processed
from headwater.pipeline.seen import Seen, index_folder, lookup
from headwater.profiles.history import HistoryReader
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.settings import LogSettings, ProfilesSettings, Settings

HOUR = 3_600_000
NOW = 1_800_000_000_000
SETTINGS = Settings(log=LogSettings(retention_hours=24), profiles=ProfilesSettings(history_days=1))


def record(message_id: str, user: str = "u") -> Record:
    header = ProcessedHeader("s", "track", "Tick", message_id, user, "", NOW, profile_id=f"use_{user}")
    return Record(b"", encode_header(header), json.dumps({"messageId": message_id}).encode())


def test_events_are_found_by_id_and_by_profile_and_following_goes_on_where_it_stood(tmp_path: Path) -> None:
    async def story() -> None:
        log = MemoryLog(partitions=2, gaps=True)
        for number in range(3):
            await log.append(PROCESSED, 1, [record(f"m{number}", "a"), record(f"n{number}", "b")])
        follower = Follower(log, SETTINGS, tmp_path, 1)
        assert await follower.step(0) == 6
        assert await follower.step(0) == 0
        found = await find_processed(log, tmp_path, "n2")
        assert found is not None
        assert (found.partition, found.position) == (1, 7)
        assert lookup(index_folder(tmp_path, 1), "n2") == 7
        follower.close()
        again = Follower(log, SETTINGS, tmp_path, 1)
        await log.append(PROCESSED, 1, [record("m3", "a"), Record(b"", b"\x97", b"no event")])
        await log.append(PROCESSED, 1, [record("m4", "a")])
        reader = HistoryReader(tmp_path, 1)
        assert list(again.entries("use_a", 0, NOW, newest_first=True)) == []
        assert await again.step(0) == 3
        assert [one.position for one in again.entries("use_a", 3, NOW, newest_first=True)] == [12, 9, 6, 3, 0]
        reader.refresh()
        assert [one.position for one in reader.entries("use_a", 0, NOW, newest_first=False)] == [0, 3, 6, 9, 12]
        reader.close()
        again.close()

    asyncio.run(story())


def test_a_new_host_begins_where_its_indexes_reach_and_tells_how_far_it_is_behind(tmp_path: Path) -> None:
    async def story() -> None:
        now = NOW
        log = MemoryLog(clock=lambda: now)
        await log.append(PROCESSED, 0, [record("old")])
        now += 25 * HOUR
        await log.append(PROCESSED, 0, [record("new")])
        follower = Follower(log, SETTINGS, tmp_path, 0, clock=lambda: now)
        assert await follower.step(0) == 1
        assert lookup(index_folder(tmp_path, 0), "old") is None
        assert lookup(index_folder(tmp_path, 0), "new") == 1
        follower.close()
        assert telemetry.LOG_LAG.labels(READER, "processed", "0")._value.get() == 0

    asyncio.run(story())


def test_following_waits_for_indexes_that_another_process_holds(tmp_path: Path) -> None:
    async def story() -> None:
        log = MemoryLog()
        await log.append(PROCESSED, 0, [record("m")])
        other = Seen(index_folder(tmp_path, 0), keep_seconds=60)
        follower = Follower(log, SETTINGS, tmp_path, 0)
        stopping = asyncio.Event()
        running = asyncio.create_task(follower.run(stopping))
        await asyncio.sleep(0)
        other.close()
        stopping.set()
        await running
        stopping.clear()
        running = asyncio.create_task(follow_log(followers(log, SETTINGS, tmp_path), stopping))
        async with asyncio.timeout(20):
            while await asyncio.to_thread(lookup, index_folder(tmp_path, 0), "m") is None:
                await asyncio.sleep(0.01)
        stopping.set()
        await running

    asyncio.run(story())


def test_only_a_log_that_hosts_share_is_followed() -> None:
    shared = Settings(log=LogSettings(url="kafka://127.0.0.1:9092/headwater"))
    assert indexes(shared, Path("data")) == Path("data/followed")
    assert indexes(Settings(), Path("data")) == Path("data")
