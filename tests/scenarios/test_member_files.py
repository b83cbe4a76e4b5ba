"""The members of an audience as a file: who is in it, once in five minutes, and written down."""

import asyncio
import csv
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from manage_desk import at_desk
from manage_house import ManageHouse, running

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until
from headwater.manage.operations import member_files
from headwater.profiles.computing.standing import Held, Standing, encode
from headwater.spec.errors import Unavailable
from headwater.spec.graph import Cause, Changes, Link, NewProfile
from headwater.store import graph, standing

OWN = "/headwater/spaces/default"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHouse]:
    folder = tmp_path_factory.mktemp("house")
    with running_house(folder, *IN_ONE_PROCESS, WAREHOUSE_DEFAULT_DUCKDB="false") as started:
        for user, plan, code in (("ada", "free", "=HYPERLINK(1)"), ("bob", "gold", "-5"), ("=cmd", "gold", "")):
            assert started.send("/v1/identify", {"userId": user, "traits": {"plan": plan}})[0] == 200
            if code:
                order = {"userId": user, "event": "Order Completed", "properties": {"code": code}}
                assert started.send("/v1/track", order)[0] == 200
        until(lambda: len(started.ask("GET", f"{OWN}/profiles")["profiles"]) == 3)
        yield started


def download(house: RunningHouse, id: str) -> tuple[Any, list[list[str]]]:
    sent = {"Authorization": f"Bearer {house.token}"}
    asked = urllib.request.Request(f"{house.manage_url}{OWN}/computations/{id}/members.csv", headers=sent)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.headers, list(csv.reader(io.StringIO(answer.read().decode(), newline="")))


def made(house: RunningHouse, path: str, name: str, query: str, size: int) -> str:
    body: dict[str, Any] = {"name": name, "definition": {"query": query}}
    if path == "audiences":
        body["audienceType"] = "USERS"
    else:
        body["definition"]["type"] = "USERS"
    answer = house.ask("POST", f"/spaces/default/{path}", body)
    id = str(next(iter(answer.values()))["id"])
    until(lambda: house.ask("GET", f"{OWN}/computations/{id}/progress")["size"] == size, what=name)
    return id


def test_the_members_of_an_audience_are_a_file_once_in_five_minutes(house: RunningHouse) -> None:
    id = made(house, "audiences", "Gold", "trait('plan') = 'gold'", 2)
    headers, (names, *rows) = download(house, id)
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert names == ["key", "external_ids"]
    assert all(key.startswith("use_") for key, _ in rows)
    assert sorted(json.loads(ids)["user_id"][0] for _, ids in rows) == ["=cmd", "bob"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        download(house, id)
    assert caught.value.code == 429
    assert 290 < int(caught.value.headers["Retry-After"]) <= 300
    told = [one["type"] for one in house.ask("GET", "/audit-events")["events"]]
    assert told.count("Audience CSV Downloaded") == 1


def test_the_values_of_a_computed_trait_are_a_file_without_formulas_on_the_command_line(house: RunningHouse) -> None:
    id = made(house, "computed-traits", "Code", "event('Order Completed').last(property('code'))", 2)
    words = ["get-members-csv", "default", id, "--url", house.manage_url, "--token", house.token]
    ran = subprocess.run([sys.executable, "-m", "headwater", *words], capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")
    names, *rows = csv.reader(io.StringIO(ran.stdout.decode(), newline=""))
    assert names == ["key", "value", "external_ids"]
    assert sorted((json.loads(ids)["user_id"][0], value) for _, value, ids in rows) == [
        ("ada", "'=HYPERLINK(1)"),
        ("bob", "-5"),
    ]
    again = subprocess.run([sys.executable, "-m", "headwater", *words], capture_output=True, timeout=60)
    assert (again.returncode, again.stdout) == (1, b"")
    assert b"once in five minutes" in again.stderr


def test_who_may_not_see_profiles_gets_no_file_and_leaves_no_mark(house: RunningHouse) -> None:
    id = made(house, "audiences", "Free", "trait('plan') = 'free'", 1)
    reader = house.ask("POST", "/headwater/tokens", {"name": "R", "scopes": ["audiences:read"]})
    asked = urllib.request.Request(
        f"{house.manage_url}{OWN}/computations/{id}/members.csv",
        headers={"Authorization": f"Bearer {reader['text']}"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(asked, timeout=10)
    assert caught.value.code == 401
    assert len(download(house, id)[1]) == 2


def test_a_file_of_many_pages_is_whole(house: RunningHouse) -> None:
    for number in range(700):
        traits = {"tier": "many"}
        assert house.send("/v1/identify", {"userId": f"m{number}", "traits": traits})[0] == 200
    id = made(house, "audiences", "Many", "trait('tier') = 'many'", 700)
    _, (_, *rows) = download(house, id)
    assert sorted(json.loads(ids)["user_id"][0] for _, ids in rows) == sorted(f"m{number}" for number in range(700))


def test_a_file_that_breaks_off_is_not_taken_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is away is the store, once the first lines are sent."""

    def away(*_: object) -> None:
        raise Unavailable("The store does not answer.")

    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await house.ask("POST", "/headwater/spaces", {"slug": "default", "name": "D"})
            body = {"name": "A", "definition": {"query": "trait('plan') = 1"}, "audienceType": "USERS"}
            id = (await house.ask("POST", "/spaces/default/audiences", body)).data["audience"]["id"]
            monkeypatch.setattr(member_files, "_page", away)
            with pytest.raises(aiohttp.ClientPayloadError):
                await house.ask("GET", f"{OWN}/computations/{id}/members.csv")

    asyncio.run(scenario())


def test_a_file_that_the_stop_of_the_house_cuts_short_is_not_taken_for_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with at_desk(ManageHouse(tmp_path)) as desk:

            def stops(*_: object) -> tuple[list[str], str, bool]:
                desk.house.stopping.set()
                return ["use_1,{}\r\n"], "use_1", True

            await desk.ask("POST", "/headwater/spaces", {"slug": "default", "name": "D"})
            body = {"name": "A", "definition": {"query": "trait('plan') = 1"}, "audienceType": "USERS"}
            id = (await desk.ask("POST", "/spaces/default/audiences", body)).data["audience"]["id"]
            monkeypatch.setattr(member_files, "_page", stops)
            asked = member_files.GetMembersCsv(space_id="default", id=id)
            parts = member_files.get_members_csv(desk.front.desk, asked)
            assert [(await anext(parts)).lines for _ in range(2)] == ["key,external_ids\r\n", "use_1,{}\r\n"]
            with pytest.raises(Unavailable):
                await anext(parts)

    asyncio.run(scenario())


def test_members_are_looked_up_together(tmp_path: Path) -> None:
    """What each is asked for by itself costs a large audience an hour."""
    users = [f"use_{number:03}" for number in range(200)]
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    async def scenario() -> None:
        async with at_desk(ManageHouse(tmp_path)) as desk:
            space = (await desk.ask("POST", "/headwater/spaces", {"slug": "default", "name": "D"})).data["space"]["id"]
            body = {"name": "A", "definition": {"query": "trait('plan') = 1"}, "audienceType": "USERS"}
            id = (await desk.ask("POST", "/spaces/default/audiences", body)).data["audience"]["id"]
            cause = Cause("m1", "track", "Ordered", "s", 1_000, "user_id:u")
            people = Changes(
                profiles=[NewProfile(user, "users", 1) for user in users],
                links=[Link(f"{kind}:{user}", user, cause) for user in users for kind in ("user_id", "email")],
            )
            stands = {
                user: encode(Standing(values={id: Held("a", number % 2 == 0, 1)})) for number, user in enumerate(users)
            }
            desk.store.run(lambda connection: graph.write(connection, space, people))
            desk.store.run(lambda connection: standing.write_standings(connection, stands))
            parts = member_files.get_members_csv(desk.front.desk, member_files.GetMembersCsv(space_id=space, id=id))
            await anext(parts)
            sa.event.listen(sa.Engine, "before_cursor_execute", note)
            try:
                rows = list(csv.reader((await anext(parts)).lines.splitlines()))
            finally:
                sa.event.remove(sa.Engine, "before_cursor_execute", note)
            assert [key for key, _ in rows] == users[::2]
            assert rows[1][1] == '{"email":["use_002"],"user_id":["use_002"]}'
            assert 0 < len(statements) < 10

    asyncio.run(scenario())
