"""One identifier of a person is deleted, over the Profile API and by the operation (profiles-governance 1.11)."""

import asyncio
import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

from manage_house import Answer, running
from profiles_house import ProfilesHouse

from headwater.store import components
from headwater.store import workspace as workspaces

ANN = "users/profiles/user_id:ann"
STORY = (
    {"type": "identify", "anonymousId": "a1", "traits": {"email": "old@example.com"}},
    {"type": "identify", "userId": "ann", "traits": {"plan": "pro"}},
    {"type": "identify", "userId": "ann", "traits": {"email": "old@example.com"}},
    {"type": "group", "userId": "ann", "groupId": "acme"},
)


async def delete(house: ProfilesHouse, *wanted: tuple[str, str], of: str = ANN, token: str | None = None) -> Answer:
    token = token or house.make_token(house.space.id, deletes=True)
    body = {"delete_external_ids": [{"type": type, "id": id} for type, id in wanted]}
    sent = "Basic " + base64.b64encode(f"{token}:".encode()).decode()
    return await house.read(f"{of}/external_ids/delete", authorization=sent, method="POST", body=body)


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"] if "error" in answer.body else answer.body["code"]


async def ids(house: ProfilesHouse, of: str = ANN) -> set[str]:
    answer = await house.read(f"{of}/external_ids")
    return {f"{one['type']}:{one['id']}" for one in answer.body["data"]}


def test_an_identifier_is_deleted_and_begins_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell(*STORY)
            await house.fold()
            assert await ids(house) == {"user_id:ann", "email:old@example.com", "anonymous_id:a1"}
            version = house.store.run(workspaces.version)
            assert said(await delete(house, ("email", "old@example.com"))) == (200, "success")
            assert house.store.run(workspaces.version) > version
            assert await ids(house) == {"user_id:ann", "anonymous_id:a1"}
            assert (await house.read("users/profiles/email:old@example.com/traits")).status == 404
            traits = (await house.read("users/profiles/anonymous_id:a1/traits")).body["traits"]
            assert traits["plan"] == "pro", "the merge that it caused stays"
            assert said(await delete(house, ("email", "old@example.com"))) == (404, "eid_not_found")

            path = f"/headwater/spaces/{house.space.id}"
            shown = (await house.ask("GET", f"{path}/profiles/user_id%3Aann")).data
            assert [one["identifier"] for one in shown["removed"]] == ["email:old@example.com"]
            names = f"a={quote('email:old@example.com')}&b={quote('user_id:ann')}"
            told = (await house.ask("GET", f"{path}/explain?{names}")).data
            assert [step["kind"] for step in told["steps"]] == ["link", "merge", "link"]
            assert "It was removed at" in told["steps"][0]["text"]

            await house.tell({"type": "identify", "userId": "bob", "traits": {"email": "old@example.com"}})
            assert await ids(house, "users/profiles/user_id:bob") == {"user_id:bob", "email:old@example.com"}
            undone = await house.ask("POST", f"{path}/unmerge", {"mergeId": shown["merges"][0]["id"]})
            parts = [set(one["identifiers"]) for one in undone.data["profiles"]]
            assert sorted(parts, key=sorted) == [{"anonymous_id:a1"}, {"user_id:ann"}]
            gone = house.store.run(lambda connection: components.removed(connection, house.space.id, 0))
            assert [(link.identifier, link.cause.message_id) for link in gone] == [("email:old@example.com", "m0")]

    asyncio.run(scenario())


def test_what_cannot_be_deleted_is_refused_in_the_words_of_segment(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell(*STORY)
            email = ("email", "old@example.com")
            anonymous, company = "users/profiles/anonymous_id:a1", "accounts/profiles/group_id:acme"
            for wanted, refused in (
                (delete(house, ("group_id", "acme")), (400, "unsupported_eid_type")),
                (delete(house, email, of=company), (400, "bad_request")),
                (delete(house, email, of=anonymous), (400, "bad_request")),
                (delete(house, email, of="users/profiles/user_id:"), (400, "bad_request")),
                (delete(house, email, ("anonymous_id", "a1")), (400, "bad_request")),
                (delete(house), (400, "bad_request")),
                (delete(house, ("user_id", "ann")), (400, "bad_request")),
                (delete(house, ("", "x")), (400, "bad_request")),
                (delete(house, email, token="none"), (401, "unauthorized")),
                (delete(house, email, token=house.make_token(house.space.id)), (403, "forbidden")),
                (delete(house, email, of="users/profiles/user_id:none"), (404, "not_found")),
                (delete(house, email, of="users/user_id:ann"), (404, "not_found")),
                (delete(house, ("email", "Old@example.com")), (404, "eid_not_found")),
                (delete(house, ("phone", "1\0")), (404, "eid_not_found")),
            ):
                assert said(await wanted) == refused
            token = house.make_token(house.space.id, deletes=True)
            sent = "Basic " + base64.b64encode(f"{token}:".encode()).decode()
            for body in (
                b"",
                b"[]",
                b"{",
                b"\xff",
                b'{"delete_external_ids": [{"id": 1, "type": "email"}]}',
                b" " * 20_000,
            ):
                path = f"{ANN}/external_ids/delete"
                answer = await house.read(path, authorization=sent, method="POST", body=body)
                assert said(answer) == (400, "bad_request"), body[:50]
            answer = await house.read(f"{ANN}/external_ids/delete", authorization=sent)
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert await ids(house) == {"user_id:ann", "email:old@example.com", "anonymous_id:a1"}
            path = f"/headwater/spaces/{house.space.id}"
            assert (await house.ask("PATCH", path, {"allSources": False})).status == 200
            assert said(await delete(house, email)) == (404, "source_id_not_found")

    asyncio.run(scenario())


def test_the_operation_keeps_the_same_rules_and_the_trail_says_who_did_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ProfilesHouse(tmp_path)) as house:
            assert isinstance(house, ProfilesHouse)
            await house.tell(*STORY, {"anonymousId": "a9"})
            path = f"/headwater/spaces/{house.space.id}"

            async def remove(name: str, identifier: str, **who: Any) -> Answer:
                whole = f"{path}/profiles/{quote(name, safe='')}/identifiers?identifier={quote(identifier)}"
                return await house.ask("DELETE", whole, **who)

            weak = house.token("reader", "profiles:read")
            assert (await remove("user_id:ann", "email:old@example.com", token=weak)).status == 401
            done = await remove("anonymous_id:a1", "email:old@example.com")
            assert (done.status, done.data["identifier"]["identifier"]) == (200, "email:old@example.com")
            assert done.data["identifier"]["removedAt"] is not None
            for name, identifier, status in (
                ("anonymous_id:a1", "user_id:ann", 400),
                ("anonymous_id:a9", "anonymous_id:a9", 400),
                ("group_id:acme", "group_id:acme", 400),
                ("user_id:ann", "email:old@example.com", 404),
                ("user_id:none", "email:old@example.com", 404),
            ):
                assert (await remove(name, identifier)).status == status, identifier
            asked = {"name": "No", "deletesIdentifiers": True}
            makers = [
                house.token("maker", "spaces:write", "profiles:read", *more) for more in ((), ("profiles:write",))
            ]
            made = [await house.ask("POST", f"{path}/tokens", asked, token=one) for one in makers]
            assert [one.status for one in made] == [401, 201]
            assert made[1].data["token"]["deletesIdentifiers"] is True
            assert said(await delete(house, ("anonymous_id", "a1"), token=made[1].data["text"])) == (200, "success")
            trail = (await house.ask("GET", "/audit-events?resourceType=SPACE")).data["events"]
            deleted = [event for event in trail if event["type"] == "Identifier Deleted"]
            assert [event["actor"] == made[1].data["token"]["id"] for event in deleted] == [True, False]

    asyncio.run(scenario())
