"""Delivery Overview in the shape of the Public API, over real books."""

import asyncio
from pathlib import Path

from manage_house import NOW, ManageHouse, running

from headwater.spec.outcome import Count, Step
from headwater.spec.timestamps import format_moment
from headwater.store import ledger
from headwater.store import workspace as workspaces

MINUTE = NOW // 60_000
SPAN = f"startTime={format_moment(NOW - 3_600_000)}&endTime={format_moment(NOW + 60_000)}"


def test_the_steps_of_a_source_and_a_destination_are_shown_over_time_and_in_parts(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        source = house.store.run(lambda connection: workspaces.create_source(connection, slug="site", name="Site")).id
        there = house.store.run(
            lambda connection: workspaces.create_destination(
                connection, source_id=source, definition="webhook", name="Hook", settings={}
            )
        ).id
        counts = [
            Count(source, "", MINUTE - 1, Step.RECEIVED, "", 7),
            Count(source, "", MINUTE, Step.RECEIVED, "", 5),
            Count(source, "", MINUTE, Step.FAILED_ON_INGEST, "event_not_defined", 2),
            Count(source, "", MINUTE, Step.DUPLICATE, "duplicate", 1),
            Count(source, there, MINUTE, Step.DELIVERED, "", 4, "one"),
            Count(source, there, MINUTE, Step.DELIVERED, "", 3, "two"),
            Count(source, there, MINUTE, Step.FILTERED_AT_DESTINATION, "FILTERED_BY_RULES", 1),
            Count(source, there, MINUTE, Step.FAILED_DELIVERY, "BAD_REQUEST", 2, "one"),
            Count(source, there, MINUTE, Step.PENDING, "RETRY", 6, "one"),
            Count("other", there, MINUTE, Step.DELIVERED, "", 100),
        ]
        house.store.run(lambda connection: ledger.add(connection, counts))

        async def shown(step: str, more: str = "") -> dict:
            query = f"sourceId=site&destinationConfigId={there}&{SPAN}&{more or 'granularity=HOUR'}"
            return (await house.ask("GET", f"/delivery-overview/{step}?{query}")).data

        async with running(house):
            received = await shown("successfully-received", "granularity=minute")
            assert received["total"] == 12
            assert [point["count"] for point in received["dataset"][0]["series"]] == [7, 5]
            failed = await shown("failed-on-ingest", "granularity=HOUR&groupBy=discardReason")
            assert [(part["discardReason"], part["total"]) for part in failed["dataset"]] == [("event_not_defined", 2)]
            assert (await shown("filtered-at-source"))["total"] == 1
            assert (await shown("filtered-at-destination"))["total"] == 1
            delivered = await shown("successful-delivery", "granularity=DAY&groupBy=subscriptionId")
            assert [(part["subscriptionId"], part["total"]) for part in delivered["dataset"]] == [
                ("one", 4),
                ("two", 3),
            ]
            only = await shown("successful-delivery", "granularity=DAY&filter[subscriptionId]=two")
            assert only["total"] == 3
            refused = await shown("failed-delivery")
            assert (refused["total"], refused["dataset"][0]["totalRetryCount"]) == (2, 6)

            for wrong, field in (
                (f"sourceId=site&{SPAN}&granularity=HOUR&groupBy=subscriptionId", "groupBy"),
                (f"sourceId=site&{SPAN}&granularity=YEAR", "granularity"),
                ("sourceId=nobody&startTime=2026-01-01&endTime=2026-01-02&granularity=DAY", "source"),
                ("sourceId=site&startTime=2026-01-02&endTime=2026-01-01&granularity=DAY", "startTime"),
                ("sourceId=site&startTime=2026-01-01&endTime=2026-01-03&granularity=MINUTE", "granularity"),
            ):
                answer = await house.ask("GET", f"/delivery-overview/successfully-received?{wrong}")
                assert answer.status == 422, answer
                assert answer.errors[0]["field"] == field
            query = f"sourceId=site&destinationConfigId=gone&{SPAN}&granularity=HOUR"
            assert (await house.ask("GET", f"/delivery-overview/failed-delivery?{query}")).status == 404
        house.store.close()

    asyncio.run(scenario())
