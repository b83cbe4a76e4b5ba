"""Files of people over HTTP: from rows to profiles, what is refused, and that a repetition tells nothing twice."""

import asyncio
import base64
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from manage_house import ADMIN, ManageHouse, running

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until
from headwater.eventlog.streams import COLLECTED
from headwater.spec.csv_upload import MAX_BYTES
from headwater.spec.errors import Unavailable
from headwater.store import csv_uploads, leases
from headwater.store import workspace as workspaces

UPLOADS = "/headwater/spaces/default/csv-uploads"
FILE = b"user_id,email,plan\nu1,ann@example.com,gold\n,bob@example.com,\n,,lost\n"


def make_space(house: ManageHouse) -> str:
    return house.store.run(lambda connection: workspaces.create_space(connection, slug="default", name="D")).id


async def upload(house: ManageHouse, content: bytes = FILE, name: str = "people.csv", token: str = ADMIN) -> Any:
    return await house.ask("POST", f"{UPLOADS}?name={name}", content, token=token)


async def told(house: ManageHouse) -> list[dict[str, Any]]:
    found = (await house.log.read(COLLECTED, 0, 0)).records
    return [item for record in found for item in json.loads(record.value)["batch"]]


def test_rows_become_profiles_with_traits(tmp_path: Path) -> None:
    with running_house(tmp_path, *IN_ONE_PROCESS, WAREHOUSE_DEFAULT_DUCKDB="false") as house:
        token = house.ask("POST", "/headwater/spaces/default/tokens", {"name": "T"})["text"]
        made = send(house, FILE)["csvUpload"]
        assert (made["state"], made["rows"], made["taken"]) == ("taken", 3, 2)
        until(lambda: traits_of(house, token, "user_id:u1") == {"plan": "gold", "email": "ann@example.com"})
        until(lambda: traits_of(house, token, "email:bob@example.com") == {"email": "bob@example.com"})
        [one] = house.ask("GET", "/headwater/spaces/default/profiles?exact=true&search=bob@example.com")["profiles"]
        assert one["identifiers"] == ["email:bob@example.com"]


def send(house: RunningHouse, content: bytes) -> Any:
    sent = {"Authorization": f"Bearer {house.token}"}
    asked = urllib.request.Request(f"{house.manage_url}{UPLOADS}?name=people.csv", content, sent, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)["data"]


def traits_of(house: RunningHouse, token: str, profile: str) -> dict[str, Any]:
    address = f"{house.manage_url}/v1/spaces/default/collections/users/profiles/{profile}/traits?limit=200"
    sent = {"Authorization": f"Basic {base64.b64encode(f'{token}:'.encode()).decode()}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=sent), timeout=10) as answer:
            return json.load(answer)["traits"]
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        return {}


def test_what_came_of_a_file_is_listed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            make_space(house)
            made = (await upload(house)).data["csvUpload"]
            assert made["leftOut"][0]["reason"] == "no_identifier"
            assert [(one["row"], one["column"]) for one in made["flaws"]] == [(4, "")]
            refused = await upload(house, "user_id,plan\nu1,🎉\n".encode(), "bad.csv")
            assert refused.status == 422
            assert refused.errors[0]["message"].startswith('Row 2, "plan": The character U+1F389')
            assert refused.errors[0]["data"] == {"row": 2, "column": "plan"}
            listed = (await house.ask("GET", UPLOADS)).data["csvUploads"]
            assert [(one["name"], one["state"]) for one in listed] == [("bad.csv", "refused"), ("people.csv", "taken")]
            assert listed[1] == made
            assert [one["userId"] for one in await told(house) if "userId" in one] == ["u1"]
            [source] = [one for one in house.store.run(workspaces.load).sources if one.kind == "csv-uploads"]
            events = (await house.ask("GET", "/audit-events")).data["events"]
            assert [one["type"] for one in events].count("Profiles Uploaded") == 1
            assert source.write_keys == ()

    asyncio.run(scenario())


def test_a_file_that_broke_off_is_uploaded_again_under_the_same_message_ids(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space = make_space(house)
            await upload(house)
            first = await told(house)
            again = await upload(house)
            assert again.status == 409
            assert "The same file was taken at" in again.errors[0]["message"]
            assert len(await told(house)) == len(first) == 2

            def broke_off(connection: Any) -> None:
                [one] = csv_uploads.of_space(connection, space, 0)
                csv_uploads.keep(connection, msgspec.structs.replace(one, state="taking"))

            house.store.run(broke_off)
            listed = (await house.ask("GET", UPLOADS)).data["csvUploads"]
            assert [one["state"] for one in listed] == ["interrupted"]
            assert (await upload(house)).status == 201
            second = (await told(house))[2:]
            assert [one["messageId"] for one in second] == [one["messageId"] for one in first]

    asyncio.run(scenario())


def test_a_file_is_refused_for_as_long_as_its_message_ids_are_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        longer = msgspec.structs.replace(house.settings.pipeline, dedup_window_hours=72)
        house.settings = msgspec.structs.replace(house.settings, pipeline=longer)
        async with running(house):
            space = make_space(house)
            await upload(house)

            def long_ago(connection: Any) -> None:
                [one] = csv_uploads.of_space(connection, space, 0)
                before = one.ended_at - hours * 3_600_000
                csv_uploads.keep(connection, msgspec.structs.replace(one, ended_at=before))

            hours = 71
            house.store.run(long_ago)
            assert (await upload(house)).status == 409
            hours = 2
            house.store.run(long_ago)
            assert (await upload(house)).status == 201

    asyncio.run(scenario())


def test_a_log_that_is_away_in_the_middle_is_told_and_what_is_missing_comes_with_the_next_try(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            make_space(house)
            content = b"user_id\n" + b"".join(b"u%d\n" % number for number in range(1_200))
            append, times = house.log.append, 0

            async def away(*given: Any) -> int:
                nonlocal times
                times += 1
                if times == 2:
                    raise Unavailable("The disk is full.")
                return await append(*given)

            house.log.append = away
            refused = await upload(house, content)
            assert refused.status == 503
            assert "The disk is full. Upload the same file again" in refused.errors[0]["message"]
            [one] = (await house.ask("GET", UPLOADS)).data["csvUploads"]
            assert (one["state"], one["rows"], one["taken"]) == ("failed", 1_200, 500)
            assert (await upload(house, content)).data["csvUpload"]["taken"] == 1_200
            ids = [item["messageId"] for item in await told(house)]
            assert (len(ids), len(set(ids))) == (1_700, 1_200)

    asyncio.run(scenario())


def test_a_file_does_not_take_the_disk_that_is_left_for_events(tmp_path: Path) -> None:
    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        free = shutil.disk_usage(tmp_path).free
        log = msgspec.structs.replace(house.settings.log, min_free_bytes=2 * free)
        house.settings = msgspec.structs.replace(house.settings, log=log)
        async with running(house):
            make_space(house)
            refused = await upload(house)
            assert (refused.status, refused.errors[0]["message"]) == (
                503,
                "There is too little disk free for the file.",
            )
            assert await told(house) == []

    asyncio.run(scenario())


def test_one_file_at_a_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space = make_space(house)
            name = csv_uploads.lease(space)
            house.store.run(lambda connection: leases.claim(connection, name, "csv_other", 60))
            refused = await upload(house)
            assert (refused.status, await told(house)) == (409, [])
            house.store.run(lambda connection: leases.release(connection, name, "csv_other"))
            assert (await upload(house)).status == 201

    asyncio.run(scenario())


def test_only_who_may_change_profiles_uploads(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            make_space(house)
            reader = house.token("Reader", "profiles:read", "spaces:write")
            assert (await upload(house, token=reader)).status == 401
            assert (await house.ask("GET", UPLOADS, token=reader)).data["csvUploads"] == []
            assert (await upload(house, token=house.token("Writer", "profiles:write"))).status == 201

    asyncio.run(scenario())


def test_who_may_no_longer_when_the_file_has_come_tells_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            make_space(house)
            text = house.token("Writer", "profiles:write")

            async def slowly() -> Any:
                yield FILE[:20]
                listed = (await house.ask("GET", "/headwater/tokens")).data["tokens"]
                [one] = [one for one in listed if one["name"] == "Writer"]
                assert (await house.ask("DELETE", f"/headwater/tokens/{one['id']}")).status == 200
                yield FILE[20:]

            sent = {"Authorization": f"Bearer {text}"}
            async with (
                aiohttp.ClientSession() as session,
                session.post(house.url(f"{UPLOADS}?name=people.csv"), data=slowly(), headers=sent) as answer,
            ):
                assert answer.status == 401
            assert await told(house) == []
            assert (await upload(house)).status == 201

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["people.xlsx", "csv"])
def test_only_csv_is_taken(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            make_space(house)
            refused = await upload(house, name=name)
            assert (refused.status, refused.errors[0]["field"]) == (422, "name")

    asyncio.run(scenario())


def test_a_file_of_more_than_a_hundred_megabytes_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            make_space(house)

            async def endless() -> Any:
                yield b"user_id,n\n"
                for _ in range(MAX_BYTES // 1_000_000 + 1):
                    yield b"u1,1\n" * 200_000

            sent = {"Authorization": f"Bearer {ADMIN}"}
            async with aiohttp.ClientSession() as session:
                try:
                    asked = session.post(house.url(f"{UPLOADS}?name=people.csv"), data=endless(), headers=sent)
                    async with asked as answer:
                        assert answer.status == 413
                except aiohttp.ClientError:
                    pass  # it answers and leaves before everything is sent
            assert await told(house) == []
            assert (await house.ask("GET", UPLOADS)).data["csvUploads"] == []

    asyncio.run(scenario())
