"""What each source has sent so far, counted exactly once and looked at now and then."""

import asyncio
import json
from pathlib import Path
from typing import Any

from manage_house import NOW, ManageHouse, running

from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED
from headwater.manage.ledger import GROUP, Books
from headwater.pipeline.plan import compile_plan
from headwater.pipeline.process import process
from headwater.spec.event import CollectedHeader, encode_header
from headwater.spec.outcome import encode_outcomes
from headwater.store import workspace as workspaces


async def send(house: ManageHouse, source: str, *calls: dict[str, Any]) -> None:
    """Take calls through the pipeline's heart and append what comes of it, as its loop does."""
    header = CollectedHeader("batch", source, "", NOW)
    body = json.dumps({"batch": [{"userId": "u", **call} for call in calls]}).encode()
    place = await house.log.append(COLLECTED, 0, [Record(b"", encode_header(header), body)])
    chunk = await house.log.read(COLLECTED, 0, place)
    _, end = await house.log.bounds(PROCESSED, 0)
    plan = compile_plan(house.store.run(workspaces.load), ())
    work = process(chunk, plan, partition=0, now=NOW, find_duplicates=lambda ids, moments: set(), place=end)
    await house.log.append(PROCESSED, 0, work.records)
    await house.log.append(OUTCOMES, 0, [Record(b"", b"", encode_outcomes(work.outcomes))])


def track(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "properties": properties}


async def listed(house: ManageHouse, source: str, query: str = "") -> list[tuple[str, str, int]]:
    answer = await house.ask("GET", f"/headwater/sources/{source}/schema?{query}")
    return [(one["type"], one["name"], one["events"]) for one in answer.data["events"]]


def test_the_events_of_a_source_are_listed_with_what_was_in_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            web, app = await house.source("web"), await house.source("app")
            await send(house, web, track("Order Completed", total=9.5, products=[{"sku": "a"}]), track("Seen"))
            await send(house, web, track("Seen"), {"type": "identify", "traits": {"email": "a@b.c"}})
            await send(house, app, track("Opened"))
            while len(await listed(house, app)) < 1 or len(await listed(house, web)) < 3:
                await asyncio.sleep(0.02)
            assert await listed(house, web) == [
                ("track", "Seen", 2),
                ("identify", "", 1),
                ("track", "Order Completed", 1),
            ]
            assert await listed(house, web, "filter=order") == [("track", "Order Completed", 1)]
            assert len(await listed(house, web, "sort=LAST_SEEN&pagination.count=1")) == 1
            path = f"/headwater/sources/{web}/schema/event?type=track&name=Order%20Completed"
            while not (shown := (await house.ask("GET", path)).data)["sampled"]:
                await asyncio.sleep(0.02)
            assert [(one["path"], one["types"], one["example"]) for one in shown["paths"]] == [
                ("products", {"array": 1}, ""),
                ("products[]", {"object": 1}, ""),
                ("products[].sku", {"string": 1}, '"a"'),
                ("total", {"number": 1}, "9.5"),
            ]
            assert shown["event"]["events"] == 1
            assert shown["sample"]["event"]["properties"] == {"total": 9.5, "products": [{"sku": "a"}]}
            traits = await house.ask("GET", f"/headwater/sources/{web}/schema/event?type=identify")
            assert [one["path"] for one in traits.data["paths"]] == ["email"]

    asyncio.run(scenario())


def test_names_are_counted_once_whatever_is_read_twice(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        source = house.store.run(lambda connection: workspaces.create_source(connection, slug="web", name="Web"))
        for _ in range(3):
            await send(house, source.id, track("A"), track("B"), track("A"))
        for _ in range(2):
            books = Books(house.log, house.store)
            await books.open(0)
            await asyncio.gather(books.fold(0), Books.fold(books, 0))
            await house.log.commit(GROUP, OUTCOMES, 0, 0)
        async with running(house):
            assert await listed(house, source.id) == [("track", "A", 6), ("track", "B", 3)]

    asyncio.run(scenario())


def test_what_does_not_exist_is_not_found_and_examples_need_the_right_to_see_events(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source = await house.source()
            assert (await house.ask("GET", "/headwater/sources/none/schema")).status == 404
            path = f"/headwater/sources/{source}/schema/event"
            assert (await house.ask("GET", f"{path}?type=track&name=None")).status == 404
            assert (await house.ask("GET", path)).status == 422
            reader = house.token("Reader", "sources:read")
            assert (await house.ask("GET", f"/headwater/sources/{source}/schema", token=reader)).status == 200
            assert (await house.ask("GET", f"{path}?type=track", token=reader)).status == 401

    asyncio.run(scenario())
