"""SQL traits over HTTP: from events to a trait of a profile, and who may set them up."""

import asyncio
import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from manage_house import ManageHouse, running

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until
from headwater.store import sql_traits
from headwater.store import workspace as workspaces

TRAITS = "/headwater/spaces/default/sql-traits"
ORDERS = """
    select user_id, count(*) as orders, max(timestamp) as last,
        sum((body->>'$.properties.price')::decimal(9,2)) as spent
    from events where event = 'Order Completed' group by all
"""


def traits_of(house: RunningHouse, token: str, profile: str) -> dict[str, Any]:
    """The traits of a profile, from the Profile API; empty while there is no such profile."""
    address = f"{house.manage_url}/v1/spaces/default/collections/{profile}/traits?limit=200"
    sent = {"Authorization": f"Basic {base64.b64encode(f'{token}:'.encode()).decode()}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=sent), timeout=10) as answer:
            return json.load(answer)["traits"]
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        return {}


def order(user: str, price: float, at: str = "2024-03-01T10:00:00.000Z") -> dict[str, Any]:
    return {"userId": user, "event": "Order Completed", "properties": {"price": price}, "timestamp": at}


def test_what_a_query_gives_becomes_traits_of_profiles_and_goes_when_it_is_gone(tmp_path: Path) -> None:
    quick = {"WAREHOUSE_DEFAULT_DUCKDB": "false", "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "0.2"}
    with running_house(tmp_path, *IN_ONE_PROCESS, **quick) as house:
        token = house.ask("POST", "/headwater/spaces/default/tokens", {"name": "T"})["text"]
        for one in (order("ann", 10.5), order("ann", 4.5, "2024-03-02T10:00:00Z"), order("bob", 1)):
            house.send("/v1/track", one)
        until(lambda: house.query("select count(*) from events") == [[3]])
        made = house.ask("POST", TRAITS, {"name": "Orders", "sql": ORDERS, "key": "user_id"})["sqlTrait"]
        path = f"{TRAITS}/{made['id']}"
        mail = "select 'cy@example.com' as email, 'gold' as plan"
        house.ask("POST", TRAITS, {"name": "Mail", "key": "email", "sql": mail})
        company = "select 'acme' as group_id, 'ann' as user_id, 9 as seats"
        house.ask("POST", TRAITS, {"name": "Seats", "key": "group_id", "sql": company})
        until(lambda: traits_of(house, token, "accounts/profiles/group_id:acme") == {"seats": 9})
        assert traits_of(house, token, "users/profiles/email:cy@example.com") == {
            "email": "cy@example.com",
            "plan": "gold",
        }
        found = traits_of(house, token, "users/profiles/user_id:ann")
        assert found == {"orders": 2, "spent": 15, "last": "2024-03-02T10:00:00.000Z"}
        [cy] = house.ask("GET", "/headwater/spaces/default/profiles?exact=true&search=cy@example.com")["profiles"]
        assert cy["identifiers"] == ["email:cy@example.com"]
        first = house.ask("GET", path)["sqlTrait"]["lastRun"]
        assert (first["rows"], first["changed"], first["error"]) == (2, 2, "")
        one = "select 'bob' as user_id, 1 as orders, 1::decimal(9,2) as spent, '2024-03-01T10:00:00.000Z' as last"
        house.ask("PATCH", path, {"sql": one})
        until(lambda: traits_of(house, token, "users/profiles/user_id:ann") == {})
        until(lambda: house.ask("GET", path)["sqlTrait"]["lastRun"]["startedAt"] > first["startedAt"])
        second = house.ask("GET", path)["sqlTrait"]["lastRun"]
        assert (second["rows"], second["changed"], second["vanished"]) == (1, 0, 1)


def space(house: ManageHouse) -> None:
    house.store.run(lambda connection: workspaces.create_space(connection, slug="default", name="D"))


def test_only_who_may_see_events_sets_up_a_query_and_sees_why_it_failed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space(house)
            wanted = {"name": "N", "sql": "select 'u' as user_id, 1 as n", "key": "user_id", "enabled": False}
            blind = house.token("Blind", "spaces:write")
            reader = house.token("Reader", "events:read")
            refused = await house.ask("POST", TRAITS, wanted, token=blind)
            assert (refused.status, (await house.ask("POST", TRAITS, wanted, token=reader)).status) == (401, 401)
            assert "events:read" in refused.errors[0]["message"]
            made = (await house.ask("POST", TRAITS, wanted)).data["sqlTrait"]
            path = f"{TRAITS}/{made['id']}"
            assert (await house.ask("PATCH", path, {"sql": wanted["sql"]}, token=blind)).status == 401
            assert (await house.ask("PATCH", path, {"name": "M"}, token=blind)).data["sqlTrait"]["name"] == "M"
            assert (await house.ask("POST", f"{TRAITS}/preview", wanted, token=blind)).status == 401
            house.store.run(
                lambda connection: sql_traits.update(
                    connection, made["id"], last_run=sql_traits.SqlRun(started_at=1, ended_at=2, error="ann@x.com")
                )
            )
            assert (await house.ask("GET", path)).data["sqlTrait"]["lastRun"]["error"] == "ann@x.com"
            said = (await house.ask("GET", path, token=blind)).data["sqlTrait"]["lastRun"]["error"]
            assert "events:read" in said
            assert "ann@x.com" not in said
            assert (await house.ask("DELETE", path, token=blind)).data == {"status": "SUCCESS"}
            assert (await house.ask("GET", TRAITS)).data["sqlTraits"] == []

    asyncio.run(scenario())


def test_a_preview_shows_calls_and_reasons_and_keeps_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space(house)
            sql = """select * from (values ('u1', 1.50, true, date '2024-01-01'), (null, 2, false, null),
                ('u1', 3, null, null), ('u2', 4, null, null)) as t (user_id, spent, vip, day)"""
            shown = (await house.ask("POST", f"{TRAITS}/preview", {"sql": sql, "key": "user_id"})).data
            assert shown["calls"] == [
                {"type": "identify", "userId": "u1", "traits": {"spent": 1.5, "vip": "true", "day": "2024-01-01"}},
                {"type": "identify", "userId": "u2", "traits": {"spent": 4, "vip": None, "day": None}},
            ]
            assert [(one["row"], one["reason"]) for one in shown["discarded"]] == [
                (1, "null_key"),
                (2, "duplicate_key"),
            ]
            assert (shown["rows"], shown["truncated"]) == (4, False)
            short = await house.ask("POST", f"{TRAITS}/preview", {"sql": sql, "key": "user_id", "count": 1})
            assert (short.data["rows"], short.data["truncated"]) == (1, True)
            assert (await house.ask("GET", TRAITS)).data["sqlTraits"] == []

    asyncio.run(scenario())


def test_what_cannot_run_is_not_made(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"sql": "drop table events"}, 400, "SELECT"),
        ({"sql": "select 'u' as user_id"}, 400, "beside the key"),
        ({"sql": "select 1 as user_id, error('so not') as n"}, 400, "so not"),
        ({"key": "phone"}, 422, "key"),
        ({"everyMinutes": 59}, 422, "60 or more"),
    ]

    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space(house)
            wanted = {"name": "N", "sql": "select 'u' as user_id, 1 as n", "key": "user_id"}
            for change, status, said in cases:
                refused = await house.ask("POST", TRAITS, wanted | change)
                assert refused.status == status, refused
                assert said in refused.errors[0]["message"]
            assert (await house.ask("GET", TRAITS)).data["sqlTraits"] == []

    asyncio.run(scenario())
