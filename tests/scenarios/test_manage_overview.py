"""The house at a glance: figures, ages, lags and problems, and the books as a series."""

import asyncio
import time
from pathlib import Path
from typing import Any

from manage_house import ManageHouse, running

from headwater.contracts.shape import HouseLog
from headwater.eventlog import Record
from headwater.eventlog.streams import OUTCOMES, PROCESSED, Stream
from headwater.spec.ages import Ages, bucket_of
from headwater.spec.errors import Unavailable
from headwater.spec.outcome import Count, OutcomeBatch, Step, encode_outcomes
from headwater.spec.timestamps import format_moment
from headwater.store import loads
from headwater.warehouse.loop import group_of


def now() -> int:
    return time.time_ns() // 1_000_000


async def deliver(house: ManageHouse, source: str, destination: str, at: int) -> None:
    minute = at // 60_000
    counts = [
        Count(source, destination, minute, Step.MATCHED, "", 10),
        Count(source, destination, minute, Step.DELIVERED, "", 6),
        Count(source, destination, minute, Step.FAILED_DELIVERY, "REJECTED", 1),
        Count(source, destination, minute, Step.PENDING, "RETRY", 2),
        Count(source, destination, minute, Step.FILTERED_AT_DESTINATION, "NO_MATCHING_MAPPING", 1),
    ]
    ages = [Ages(source, destination, minute, {bucket_of(20): 5, bucket_of(3_000): 1})]
    batch = OutcomeBatch("deliver", 0, 0, 9, at, counts, ages=ages)
    await house.log.append(OUTCOMES, 0, [Record(b"", b"", encode_outcomes(batch))])


async def overview(house: ManageHouse, span: int = 60) -> dict[str, Any]:
    return (await house.ask("GET", f"/headwater/overview?span={span}")).data


def test_the_overview_shows_what_came_and_what_became_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            hook = await house.webhook(source)
            at = now()
            minute = at // 60_000
            received = [
                Count(source, "", minute, Step.RECEIVED, "", 12),
                Count(source, "", minute, Step.DUPLICATE, "duplicate", 2),
                Count(source, "", minute, Step.PROCESSED, "", 10),
            ]
            await house.outcome("pipeline", received, at=at)
            await deliver(house, source, hook, at)
            while (found := await overview(house))["totals"]["matched"] < 10:
                await asyncio.sleep(0.02)
            assert found["totals"]["received"] == 12
            assert found["totals"]["pending"] == 2
            assert found["balanced"]
            (shown,) = found["sources"]
            assert (shown["id"], shown["received"], shown["duplicate"], shown["processed"]) == (source, 12, 2, 10)
            assert shown["lastReceivedAt"] is not None
            (shown,) = found["destinations"]
            assert (shown["matched"], shown["delivered"], shown["failed"], shown["filtered"]) == (10, 6, 1, 1)
            assert (shown["pending"], shown["sourceName"], shown["lastFailure"]["reason"]) == (2, "web", "REJECTED")
            assert shown["lastFailure"]["meaning"].startswith("The destination refused")
            assert 10 < shown["p50"] < 32
            assert 1_900 < shown["p99"] < 4_800
            long = (await overview(house, 1_440))["destinations"][0]
            assert (long["delivered"], long["p50"]) == (6, shown["p50"])
            assert found["problems"] == []
            assert found["freeBytes"] > 0

    asyncio.run(scenario())


def test_the_time_until_delivery_is_shown_as_percentiles_over_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            hook, idle = await house.webhook(source), await house.webhook(source)
            at = now()
            await deliver(house, source, hook, at - 600_000)
            await deliver(house, source, hook, at)
            path = f"/headwater/destinations/{hook}/latency"
            while (found := (await house.ask("GET", path)).data)["whole"]["events"] < 12:
                await asyncio.sleep(0.02)
            assert found["granularity"] == "FIVE_MINUTES"
            full = [point for point in found["points"] if point["events"]]
            assert [point["events"] for point in full] == [6, 6]
            for point in (*full, found["whole"]):
                assert 10 < point["p50"] < 32 < 1_900 < point["p95"] <= point["p99"] < 4_800
            assert {point["p50"] for point in found["points"] if not point["events"]} == {None}
            old = (await house.ask("GET", f"{path}?startTime={format_moment(at - 72 * 3_600_000)}")).data
            assert (old["granularity"], len(old["points"]) in (72, 73), old["whole"]["events"]) == ("HOUR", True, 12)
            nothing = (await house.ask("GET", f"/headwater/destinations/{idle}/latency")).data["whole"]
            assert (nothing["events"], nothing["p99"]) == (0, None)
            refused = await house.ask("GET", f"{path}?granularity=FIVE_MINUTES&startTime=2020-01-01T00:00:00Z")
            assert (refused.status, refused.errors[0]["field"]) == (422, "granularity")
            assert (await house.ask("GET", "/headwater/destinations/nobody/latency")).status == 404

    asyncio.run(scenario())


def test_the_overview_tells_who_is_behind_and_what_failed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            made = await house.ask("POST", "/warehouses", {"metadataId": "duckdb", "settings": {}, "name": "Lake"})
            warehouse = made.data["warehouse"]["id"]
            await house.process(source, "m1", "m2", "m3")
            await house.log.commit(group_of(warehouse), PROCESSED, 0, 1)

            def fail(connection: Any) -> None:
                load = loads.begin(connection, warehouse_id=warehouse, partition=0, first=1, last=3, now=1_000)
                loads.end(connection, load, state="failure", rows=0, notices=("The file is gone.",), now=2_000)

            house.store.run(fail)
            found = await overview(house)
            (lake,) = found["warehouses"]
            assert (lake["name"], lake["engine"], lake["lag"]) == ("Lake", "duckdb", 2)
            assert lake["lastLoad"] == {
                "state": "failure",
                "at": "1970-01-01T00:00:02.000Z",
                "rows": 0,
                "notices": ["The file is gone."],
            }
            readers = {one["reader"]: one for one in found["readers"]}
            assert (readers["deliver"]["records"], readers[group_of(warehouse)]["records"]) == (3, 2)
            assert readers["pipeline"]["oldestSeconds"] is None
            assert [one["kind"] for one in found["problems"]] == ["warehouse", "reader", "reader", "reader", "reader"]
            off = await house.ask("PATCH", f"/warehouses/{warehouse}", {"enabled": False})
            assert off.status == 200
            assert [one["id"] for one in (await overview(house))["problems"]] == ["deliver", "archive", "profiles"]

    asyncio.run(scenario())


def test_a_log_that_is_away_is_a_problem_and_the_rest_is_shown(tmp_path: Path) -> None:
    class Away(HouseLog):
        away = False

        async def bounds(self, stream: Stream, partition: int) -> tuple[int, int]:
            if self.away:
                raise Unavailable("The log is away.")
            return await super().bounds(stream, partition)

    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        house.log = log = Away()
        async with running(house):
            await house.source()
            log.away = True
            found = await overview(house)
            assert [(one["kind"], one["what"]) for one in found["problems"]] == [("log", "The log is unavailable.")]
            assert (len(found["sources"]), found["readers"]) == (1, [])

    asyncio.run(scenario())


def test_a_span_beyond_a_day_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for span in ("0", "1441", "soon"):
                assert (await house.ask("GET", f"/headwater/overview?span={span}")).status == 422
            blind = house.token("Blind", "sources:read")
            assert (await house.ask("GET", "/headwater/overview", token=blind)).status == 401

    asyncio.run(scenario())


def test_the_series_has_a_point_for_each_interval_and_says_whose_steps_they_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            base = 29_000_000 // 1_440 * 1_440
            counts = [
                Count("s", "", base + minute, step, "", events)
                for minute, step, events in ((1, Step.RECEIVED, 3), (1, Step.PROCESSED, 3), (62, Step.RECEIVED, 1))
            ]
            counts.append(Count("s", "d", base + 1, Step.MATCHED, "", 3))
            await house.outcome("pipeline", counts)
            begin = base * 60_000
            span = f"startTime={format_moment(begin)}&endTime={format_moment(begin + 120 * 60_000)}"

            async def series(more: str = "") -> dict[str, Any]:
                return (await house.ask("GET", f"/headwater/ledger/series?{span}{more}")).data

            while not (found := await series())["points"][1]["steps"]["received"]:
                await asyncio.sleep(0.02)
            assert (found["side"], found["granularity"], len(found["points"])) == ("sources", "MINUTE", 120)
            assert found["points"][0]["steps"] == {
                "received": 0,
                "failed_on_ingest": 0,
                "duplicate": 0,
                "filtered_at_source": 0,
                "processed": 0,
            }
            assert found["points"][1] == {
                "time": format_moment(begin + 60_000),
                "steps": {**found["points"][0]["steps"], "received": 3, "processed": 3},
            }
            hours = await series("&granularity=HOUR")
            assert [point["steps"]["received"] for point in hours["points"]] == [3, 1]
            days = await series("&granularity=DAY&sourceId=s")
            assert [point["steps"]["received"] for point in days["points"]] == [4]
            at_destination = await series("&granularity=HOUR&destinationId=d")
            assert at_destination["side"] == "destinations"
            assert [point["steps"]["matched"] for point in at_destination["points"]] == [3, 0]
            for query in ("startTime=2001-01-01&granularity=MINUTE", "granularity=WEEK"):
                assert (await house.ask("GET", f"/headwater/ledger/series?{query}")).status == 422

    asyncio.run(scenario())
