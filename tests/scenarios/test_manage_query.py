"""SQL over the API: rows for those who may see events, and nothing but reading."""

import asyncio
from pathlib import Path

from manage_house import ManageHouse, running


def test_events_that_were_just_processed_can_be_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.process(await house.source(), "m1", "m2", "m3")
            asked = await house.ask("POST", "/headwater/query", {"sql": "select count(*) as n from events"})
            assert (asked.data["columns"], asked.data["rows"]) == (["n"], [[3]])

    asyncio.run(scenario())


def test_a_query_that_is_no_query_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for sql in ("selec 1", "drop table events", "select * from nothing", "select 1; select 2"):
                refused = await house.ask("POST", "/headwater/query", {"sql": sql})
                assert (refused.status, refused.errors[0]["field"]) == (400, "sql"), sql
            assert (await house.ask("POST", "/headwater/query", {"sql": ""})).status == 422
            blind = house.token("Blind", "warehouses:write")
            assert (await house.ask("POST", "/headwater/query", {"sql": "select 1"}, token=blind)).status == 401

    asyncio.run(scenario())
