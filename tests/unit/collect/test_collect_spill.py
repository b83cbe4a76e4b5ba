"""Collect while its log is away: 200 from the spill until that is full, and everything once in the end."""

import asyncio
from pathlib import Path
from typing import Any, cast

from collect_doubles import Api, BrokenLog, basic

from headwater.app.house import House
from headwater.app.spill import collecting_log
from headwater.collect.app import TrackingApi
from headwater.eventlog import Record
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.spilling import SpillingLog
from headwater.eventlog.streams import COLLECTED
from headwater.spec.settings import CollectSettings, LogSettings, Settings

EVENT = b'{"userId":"u1","event":"E"}'
LARGE = b'{"userId":"u1","event":"E","properties":{"x":"%s"}}' % (b"x" * 30_000)
HEADERS: dict[str, str | list[str]] = {"authorization": basic("k1")}


def api_over(log: SpillingLog) -> Api:
    api = Api(log)
    api.app = TrackingApi(log=log, snapshot=api.snapshot, settings=CollectSettings(), spilling=lambda: log.spilling)
    return api


def test_while_the_log_is_away_the_answer_is_200_until_the_spill_is_full(tmp_path: Path) -> None:
    async def run() -> None:
        log = BrokenLog()
        spill = SqliteLog(tmp_path, min_free_bytes=0)
        over = await SpillingLog.open(log, spill, spill_bytes=1_500_000, patience=0.2, probe_seconds=0.02)
        api = api_over(over)
        log.away = True
        assert [(await api.send("/v1/track", EVENT, headers=HEADERS)).status for _ in range(3)] == [200] * 3
        health = await api.send("/health", method="GET")
        assert (health.status, health.json) == (200, {"status": "spilling"})
        sent = 0
        while (answer := await api.send("/v1/track", LARGE, headers=HEADERS)).status == 200 and sent < 100:
            sent += 1
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert (await api.send("/health", method="GET")).status == 503
        log.away = False
        async with asyncio.timeout(20):
            while over.spilling:
                await asyncio.sleep(0.005)
        assert (await api.send("/v1/track", EVENT, headers=HEADERS)).status == 200
        assert (await api.send("/health", method="GET")).json == {"status": "ok"}
        kept = await api.kept()
        assert len(kept) == 3 + sent + 1
        assert len({header.request for header, _ in kept}) == len(kept), "each request has a mark of its own"
        await over.close()

    asyncio.run(run())


def test_requests_bear_no_mark_where_the_log_has_no_spill() -> None:
    async def run() -> None:
        api = Api()
        await api.send("/v1/track", EVENT, headers=HEADERS)
        assert [header.request for header, _ in await api.kept()] == [""]

    asyncio.run(run())


def house_over(log: BrokenLog, folder: Path, **settings: Any) -> House:
    nothing = cast("Any", None)
    return House(Settings(log=LogSettings(min_free_bytes=0, **settings)), folder, nothing, log, nothing, nothing)


def test_only_a_log_over_a_network_has_a_spill_and_what_is_left_in_one_is_drained_in_any_case(tmp_path: Path) -> None:
    async def run() -> None:
        log, one = BrokenLog(), Record(b"", b"", b"one")
        async with collecting_log(house_over(log, tmp_path)) as (found, spilling):
            assert found is log
            assert spilling is None
        log.away = True
        async with collecting_log(house_over(log, tmp_path, url="kafka://nowhere")) as (found, spilling):
            await found.append(COLLECTED, 0, [one])
            assert spilling is not None
            assert spilling()
        log.away = False
        async with collecting_log(house_over(log, tmp_path, url="kafka://nowhere", spill_bytes=0)) as (found, spilling):
            assert (await log.read(COLLECTED, 0, 0, wait=20.0)).records == [one]
            while spilling is not None and spilling():
                await asyncio.sleep(0.005)
            assert await found.append(COLLECTED, 0, [one]) == 1

    asyncio.run(run())
