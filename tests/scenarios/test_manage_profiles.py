"""Spaces, identity rules and profiles over HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from manage_house import NOW, ManageHouse, running

from headwater.eventlog import Record
from headwater.eventlog.streams import PROCESSED
from headwater.pipeline.graphs import StoredGraph, write
from headwater.pipeline.resolve import Identities
from headwater.spec.event import Event, ProcessedHeader, encode_header
from headwater.store import workspace as workspaces


def make_event(number: int, source_id: str, body: dict[str, Any]) -> Event:
    body = {"type": "track", "messageId": f"m{number}", "context": {}, "integrations": {}, **body}
    return Event(body, source_id, NOW + number, number, body["type"], body["messageId"])


async def resolved(house: ManageHouse, *bodies: dict[str, Any]) -> list[str]:
    """Take events through identity as the pipeline does, put them into the log, and return their profiles."""
    identities = Identities(lambda space: StoredGraph(house.store, space), remembered=1_000)
    identities.begin(house.store.run(workspaces.load))
    events = [make_event(number, "src", body) for number, body in enumerate(bodies)]
    identities.resolve(events)
    assert await write(house.store, identities.changes())
    records = [
        Record(
            b"",
            encode_header(ProcessedHeader("src", one.type, "", one.message_id, "", "", one.received_at)),
            json.dumps(one.body).encode(),
        )
        for one in events
    ]
    await house.log.append(PROCESSED, 0, records)
    return [event.profile_id for event in events]


async def made(house: ManageHouse) -> str:
    return (await house.ask("POST", "/headwater/spaces", {"slug": "people", "name": "People"})).data["space"]["id"]


def test_a_space_is_made_listed_shown_and_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            source_id = await house.source()
            body = {"slug": "dev", "name": "Development", "sourceIds": [source_id]}
            answer = await house.ask("POST", "/headwater/spaces", body)
            space = answer.data["space"]
            assert (answer.status, space["allSources"], space["sourceIds"]) == (201, False, [source_id])
            assert space["id"].startswith("spa_")
            assert (await house.ask("POST", "/headwater/spaces", body)).status == 409
            refused = await house.ask("POST", "/headwater/spaces", {"slug": "x", "name": "X", "sourceIds": ["none"]})
            assert (refused.status, refused.errors[0]["field"]) == (422, "sourceIds")
            listed = (await house.ask("GET", "/spaces")).data
            assert listed["spaces"] == [{"id": space["id"], "slug": "dev", "name": "Development"}]
            assert listed["pagination"]["totalEntries"] == 1
            assert (await house.ask("GET", f"/spaces/{space['id']}")).data == {"space": listed["spaces"][0]}
            assert (await house.ask("GET", "/spaces/none")).status == 404
            changed = await house.ask("PATCH", "/headwater/spaces/dev", {"name": "Dev", "allSources": True})
            assert (changed.data["space"]["name"], changed.data["space"]["allSources"]) == ("Dev", True)
            assert (await house.ask("DELETE", f"/sources/{source_id}")).status == 200
            assert house.store.run(workspaces.load).spaces[0].source_ids == ()

    asyncio.run(scenario())


def test_rules_are_shown_strongest_first_and_changed_as_a_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            path = f"/headwater/spaces/{await made(house)}/identity-rules"
            rules = (await house.ask("GET", path)).data
            names = [kind["name"] for kind in rules["identifiers"]]
            assert (names[:3], rules["alias"]) == (["user_id", "email", "android.id"], "merge")
            kinds = [
                *rules["identifiers"],
                {"name": "phone", "limit": 2, "blocked": [{"value": "^0*$", "kind": "pattern"}]},
            ]
            changed = (await house.ask("PATCH", path, {"identifiers": kinds, "alias": "record"})).data
            assert changed["identifiers"][-1]["blocked"] == [{"value": "^0*$", "kind": "pattern"}]
            assert changed["alias"] == "record"
            assert (await house.ask("GET", path)).data == changed
            for wrong in (
                [{"name": "Phone"}],
                [{"name": "phone"}, {"name": "phone"}],
                [{"name": "phone", "blocked": [{"value": "(a+)+", "kind": "pattern"}]}],
                [{"name": "email", "collection": "accounts"}],
                [{"name": "phone", "limit": 0}],
                [],
            ):
                assert (await house.ask("PATCH", path, {"identifiers": wrong})).status in (400, 422), wrong
            copied = {"slug": "copy", "name": "Copy", "rulesOf": "people"}
            other = (await house.ask("POST", "/headwater/spaces", copied)).data["space"]["id"]
            assert (await house.ask("GET", f"/headwater/spaces/{other}/identity-rules")).data == changed

    asyncio.run(scenario())


def test_profiles_are_searched_shown_explained_and_told_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            space = await made(house)
            path = f"/headwater/spaces/{space}"
            first, second, *_ = await resolved(
                house,
                {"anonymousId": "a1"},
                {"type": "identify", "userId": "u1", "traits": {"email": "ann@example.com"}},
                {"userId": "u1", "anonymousId": "a1"},
                {"type": "group", "userId": "u1", "groupId": "acme"},
                {"userId": "u2", "anonymousId": "a1"},
            )
            for search in ("ann@", "email:ann", "u1", "anonymous_id:a1"):
                found = (await house.ask("GET", f"{path}/profiles?search={quote(search)}")).data["profiles"]
                assert [one["id"] for one in found] == [first], search
            assert (await house.ask("GET", f"{path}/profiles?search=ann&exact=true")).data["profiles"] == []
            newest = (await house.ask("GET", f"{path}/profiles")).data["profiles"]
            assert ["user_id:u2"] in [one["identifiers"] for one in newest]
            shown = (await house.ask("GET", f"{path}/profiles/{second}")).data
            assert (shown["id"], shown["profiles"]) == (first, sorted([first, second]))
            assert {one["identifier"] for one in shown["identifiers"]} == {
                "anonymous_id:a1",
                "user_id:u1",
                "email:ann@example.com",
            }
            company = shown["groups"][0]["profileId"]
            people = (await house.ask("GET", f"{path}/profiles/{company}")).data["groups"]
            assert [one["profileId"] for one in people] == [first]
            assert (await house.ask("GET", f"{path}/profiles/user_id%3Au1")).data["id"] == first
            assert (await house.ask("GET", f"{path}/profiles/none")).status == 404

            names = f"a={quote('email:ann@example.com')}&b={quote('anonymous_id:a1')}"
            explained = (await house.ask("GET", f"{path}/explain?{names}")).data
            assert explained["joined"]
            assert [step["kind"] for step in explained["steps"]] == ["link", "merge", "link"]
            assert explained["steps"][1]["merge"]["cause"]["messageId"] == "m2"

            violations = (await house.ask("GET", f"{path}/violations")).data["violations"]
            assert [(one["kind"], one["identifier"]) for one in violations] == [
                ("value_limit_exceeded", "anonymous_id:a1")
            ]
            assert (await house.ask("GET", f"{path}/violations?kind=value_blocked")).data["violations"] == []

            both = {"a": "user_id:u1", "b": "anonymous_id:a1"}
            undone = (await house.ask("POST", f"{path}/unmerge", both)).data
            assert [one["id"] for one in undone["profiles"]] == sorted([first, second])
            assert (await house.ask("POST", f"{path}/unmerge", both)).status == 400
            assert (await house.ask("POST", f"{path}/unmerge", {"mergeId": undone["merge"]["id"]})).status == 400
            assert (await house.ask("POST", f"{path}/unmerge", {})).status == 422
            explained = (await house.ask("GET", f"{path}/explain?{names}")).data
            assert (explained["joined"], explained["keptApart"]) == (False, True)
            again = await resolved(house, {"userId": "u1", "anonymousId": "a1", "messageId": "later"})
            assert again == [second]
            gone = f"{path}/merge-blocks/{undone['merge']['id']}"
            assert (await house.ask("DELETE", gone)).data == {"lifted": True}
            assert (await house.ask("DELETE", gone)).data == {"lifted": False}
            trail = (await house.ask("GET", "/audit-events?resourceType=SPACE")).data["events"]
            assert [event["type"] for event in trail][:2] == ["Merge Allowed", "Profiles Unmerged"]
            assert await resolved(house, {"userId": "u1", "anonymousId": "a1", "messageId": "last"}) == [first]

    asyncio.run(scenario())


def test_other_rules_are_tried_on_the_newest_events(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            path = f"/headwater/spaces/{await made(house)}/identity-rules"
            await resolved(house, {"userId": "u1", "anonymousId": "a"}, {"userId": "u2", "anonymousId": "a"})
            kinds = (await house.ask("GET", path)).data["identifiers"]
            loose = [{**kind, "limit": 2} if kind["name"] == "user_id" else kind for kind in kinds]
            tried = (await house.ask("POST", f"{path}/simulate", {"identifiers": loose})).data
            assert (tried["events"], tried["now"]["profiles"], tried["then"]["profiles"]) == (2, 2, 1)
            assert (tried["wouldMerge"], tried["wouldSplit"]) == (1, 0)
            assert tried["merged"] == [[["user_id:u1", "anonymous_id:a"], ["user_id:u2"]]]
            assert (await house.ask("GET", path)).data["identifiers"] == kinds

    asyncio.run(scenario())


def test_profiles_are_personal_data(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            path = f"/headwater/spaces/{await made(house)}"
            settings = house.token("settings", "spaces:write")
            reader = house.token("reader", "profiles:read")
            assert (await house.ask("GET", f"{path}/identity-rules", token=settings)).status == 200
            assert (await house.ask("GET", f"{path}/profiles", token=settings)).status == 401
            assert (await house.ask("GET", f"{path}/profiles", token=reader)).status == 200
            both = {"a": "user_id:u", "b": "user_id:w"}
            assert (await house.ask("POST", f"{path}/unmerge", both, token=reader)).status == 401

    asyncio.run(scenario())
