"""Queries as forms and back, over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

from manage_desk import ManageDesk, at_desk
from manage_house import ManageHouse

from headwater.store import workspace as workspaces

SPACE = "/headwater/spaces/people"


def test_a_query_is_shown_as_a_form_and_the_form_is_written_as_that_query(tmp_path: Path) -> None:
    async def scenario(desk: ManageDesk) -> None:
        body = {"name": "Loyal", "audienceType": "USERS", "definition": {"query": "trait('plan') = 'pro'"}}
        assert (await desk.ask("POST", "/spaces/people/audiences", body)).status == 200
        query = "event('A').within(7 days).count() >= 2 AND NOT trait('loyal') = true"
        shown = (await desk.ask("POST", f"{SPACE}/query-form", {"query": query})).data
        assert shown["kind"] == "audience"
        assert [one["kind"] for one in shown["form"]["parts"]] == ["event", "audience"]
        assert shown["form"]["parts"][1] == {"kind": "audience", "key": "loyal", "inside": False}
        assert (await desk.ask("POST", f"{SPACE}/form-query", {"form": shown["form"]})).data == {"query": query}
        by_hand = await desk.ask("POST", f"{SPACE}/query-form", {"query": "event('A').between(1 day, 2 days).count()"})
        assert by_hand.data == {"form": None, "kind": "trait"}

    at_a_desk(tmp_path, scenario)


def test_what_is_no_query_or_no_form_is_refused(tmp_path: Path) -> None:
    def audience(*parts: dict[str, Any]) -> dict[str, Any]:
        return {"form": {"of": "audience", "parts": list(parts)}}

    async def scenario(desk: ManageDesk) -> None:
        assert (await desk.ask("POST", f"{SPACE}/query-form", {"query": "event("})).status == 422
        for refused in (
            audience(),
            audience({"kind": "trait", "name": "plan", "by": "guesses", "values": ["x"]}),
            audience({"kind": "trait", "name": "plan", "by": "exists", "values": ["x"]}),
            audience({"kind": "trait", "name": "plan", "by": "equals"}),
            audience({"kind": "trait", "name": "plan", "by": "within_last", "values": [7]}),
            audience({"kind": "group", "lines": [{"kind": "group", "lines": []}]}),
            {"form": {"of": "trait", "event": "A", "where": [{"name": "x", "by": "contains"}]}},
        ):
            assert (await desk.ask("POST", f"{SPACE}/form-query", refused)).status == 422, refused

    at_a_desk(tmp_path, scenario)


def at_a_desk(folder: Path, scenario: Any) -> None:
    async def run() -> None:
        house = ManageHouse(folder)
        house.store.run(lambda connection: workspaces.create_space(connection, slug="people", name="People"))
        async with at_desk(house) as desk:
            await scenario(desk)

    asyncio.run(run())
