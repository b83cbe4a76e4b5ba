"""Signing in and out: with a token and with a password, and everything that ends a session."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from typing import Any

import argon2
import pytest
from manage_house import ADMIN, Answer, ManageHouse, running

from headwater.contracts.shape import bytes_of_store
from headwater.manage import http
from headwater.manage.desk import Desk
from headwater.manage.operations.sessions import CreateSession, create_session
from headwater.manage.passwords import Passwords, is_outdated
from headwater.manage.profile_api.events import Histories
from headwater.spec.errors import SenderError
from headwater.store import sessions, tokens, users
from headwater.store.snapshot import Snapshot

PASSWORD = "correct horse battery"
SESSION = "/headwater/session"


async def user(house: ManageHouse, email: str = "ada@acme.test", *roles: str) -> str:
    """Make a user with these roles; returns the id."""
    body = {"email": email, "name": "Ada", "password": PASSWORD, "permissions": [{"roleId": role} for role in roles]}
    return (await house.ask("POST", "/headwater/users", body)).data["user"]["id"]


async def sign_in(house: ManageHouse, **given: Any) -> Answer:
    return await house.ask("POST", "/headwater/sessions", given, token=None)


async def session(house: ManageHouse, email: str = "ada@acme.test", password: str = PASSWORD) -> str:
    """Sign in with a password; returns the session's text."""
    return (await sign_in(house, email=email, password=password)).data["text"]


async def status(house: ManageHouse, token: str) -> int:
    return (await house.ask("GET", SESSION, token=token)).status


def test_a_token_gives_a_session_that_may_do_as_much_and_ends_within_twelve_hours(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            reader = house.token("Reader", "sources:read")
            made = await sign_in(house, token=reader)
            assert made.status == 201
            shown = made.data["session"]
            assert (shown["name"], shown["scopes"], shown["kind"]) == ("Reader", ["sources:read"], "token")
            assert "email" not in shown
            text = made.data["text"]
            assert (await house.ask("GET", SESSION, token=text)).data["session"] == shown
            assert (await house.ask("GET", "/sources", token=text)).status == 200
            assert (await house.ask("POST", "/sources", {"slug": "x", "metadataId": "go"}, token=text)).status == 401
            assert reader not in made.headers.values()
            own = (await house.ask("GET", SESSION)).data["session"]
            assert (own["name"], own["expiresAt"]) == ("Admin", None)

    asyncio.run(scenario())


def test_a_session_cannot_be_prolonged_by_itself_nor_outlive_its_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            text = (await sign_in(house, token=ADMIN)).data["text"]
            assert (await sign_in(house, token=text)).status == 401
            body = {"name": "Short", "scopes": ["*"], "expiresAt": "2099-01-01T00:00:00.000Z"}
            short = (await house.ask("POST", "/headwater/tokens", body)).data["text"]
            soon = house.store.run(lambda connection: tokens.find_token(connection, short, 1))
            assert soon is not None and soon.expires_at is not None
            for at, ends in (
                (soon.expires_at - 1_000, soon.expires_at),
                (soon.expires_at - 2 * sessions.LASTS_MS, soon.expires_at - sessions.LASTS_MS),
            ):
                _, begun = house.store.run(lambda connection, at=at: sessions.begin_with_token(connection, short, at))
                assert begun.expires_at == ends

    asyncio.run(scenario())


def test_a_session_of_a_token_ends_with_the_token_and_when_it_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            made = (await house.ask("POST", "/headwater/tokens", {"name": "T", "scopes": ["*"]})).data
            one, other = [(await sign_in(house, token=made["text"])).data["text"] for _ in range(2)]
            assert (await house.ask("DELETE", SESSION, token=one)).status == 200
            trail = (await house.ask("GET", "/audit-events")).data["events"]
            assert [event["type"] for event in trail] == ["Signed Out", "Signed In", "Signed In", "Token Created"]
            assert {event["actor"] for event in trail[:3]} == {made["token"]["id"]}
            assert [await status(house, text) for text in (one, other, made["text"])] == [401, 200, 200]
            assert (await house.ask("DELETE", SESSION, token=made["text"])).status == 409
            listed = (await house.ask("GET", "/headwater/tokens")).data["tokens"]
            assert [one["name"] for one in listed] == ["Admin", "T"]
            assert (await house.ask("DELETE", f"/headwater/tokens/{made['token']['id']}")).status == 200
            assert await status(house, other) == 401

    asyncio.run(scenario())


def test_what_is_no_way_to_sign_in_is_refused_alike(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for given in ({}, {"email": "a@b.c"}, {"password": "x"}, {"token": ADMIN, "email": "a@b.c"}):
                assert (await sign_in(house, **given)).status == 422, given
            for given in ({"token": "nobody"}, {"token": ""}, {"token": "\ud800"}):
                assert (await sign_in(house, **given)).status == 401, given

    asyncio.run(scenario())


def test_a_user_signs_in_with_an_email_in_any_case_and_the_trail_names_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            user_id = await user(house, "Ada@Acme.test", "source-admin")
            made = (await sign_in(house, email=" ADA@acme.TEST ", password=PASSWORD)).data
            shown = made["session"]
            assert (shown["kind"], shown["email"], shown["userId"]) == ("user", "ada@acme.test", user_id)
            assert (await house.ask("GET", SESSION, token=made["text"])).data["session"] == shown
            body = {"slug": "web", "metadataId": "go", "enabled": True}
            assert (await house.ask("POST", "/sources", body, token=made["text"])).status == 201
            trail = (await house.ask("GET", "/audit-events")).data["events"]
            assert [event["type"] for event in trail] == ["Source Created", "Signed In", "User Created"]
            assert [event["actor"] for event in trail[:2]] == [user_id, user_id]
            assert [event.get("actorEmail") for event in trail] == ["ada@acme.test", "ada@acme.test", None]
            assert (await house.ask("GET", f"/users/{user_id}")).data["user"]["signedInAt"] >= trail[1]["timestamp"]

    asyncio.run(scenario())


def test_no_wrong_way_in_tells_what_was_wrong(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await user(house)
            house.store.run(
                lambda connection: users.create_user(
                    connection, email="no@acme.test", name="No", digest=None, permissions=[], at=1
                )
            )
            answers = [
                await sign_in(house, email=email, password=password)
                for email, password in (
                    ("ada@acme.test", "wrong"),
                    ("eve@acme.test", PASSWORD),
                    ("no@acme.test", PASSWORD),
                    ("no@acme.test", ""),
                )
            ]
            assert {answer.status for answer in answers} == {401}
            assert len({str(answer.body) for answer in answers}) == 1
            assert house.store.run(sessions.count) == 0

    asyncio.run(scenario())


def test_whoever_is_asked_for_the_same_check_is_made(tmp_path: Path) -> None:
    checked: list[bool] = []

    class Counting(Passwords):
        async def match(self, digest: str | None, password: str) -> bool:
            checked.append(digest is not None)
            return await super().match(digest, password)

    async def scenario() -> None:
        house = ManageHouse(tmp_path)
        digest = await Passwords().digest(PASSWORD)
        house.store.run(
            lambda connection: users.create_user(
                connection, email="ada@acme.test", name="Ada", digest=digest, permissions=[], at=1
            )
        )
        desk = Desk(
            store=house.store,
            log=house.log,
            snapshot=await Snapshot.take(house.store),
            secrets=house.secrets,
            settings=house.settings,
            folder=house.folder,
            histories=Histories(house.log, house.folder),
            stopping=house.stopping,
            passwords=Counting(),
        )
        for email in ("ada@acme.test", "eve@acme.test"):
            with pytest.raises(SenderError) as refused:
                await create_session(desk, CreateSession(email=email, password="wrong"))
            assert refused.value.status == 401
        house.store.close()

    asyncio.run(scenario())
    assert checked == [True, False]


def test_after_five_wrong_passwords_the_right_one_waits_too_but_a_token_does_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            await user(house)
            tries = [sign_in(house, email="ada@acme.test", password=f"wrong {number}") for number in range(8)]
            answers = await asyncio.gather(*tries)
            assert sorted(answer.status for answer in answers) == [401] * 5 + [429] * 3
            refused = await sign_in(house, email="ADA@acme.test", password=PASSWORD)
            assert refused.status == 429
            assert 0 < int(refused.headers["Retry-After"]) <= 60
            assert refused.errors[0]["type"] == "RequestError"
            assert (await sign_in(house, token=ADMIN)).status == 201
            await user(house, "bob@acme.test")
            assert (await sign_in(house, email="bob@acme.test", password=PASSWORD)).status == 201

    asyncio.run(scenario())


def test_what_was_given_for_a_while_makes_no_token_that_outlives_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:

            async def make(ends: str | None, token: str) -> Answer:
                body = {"name": "Another", "scopes": ["tokens:write"]} | ({"expiresAt": ends} if ends else {})
                return await house.ask("POST", "/headwater/tokens", body, token=token)

            short = (await make("2098-01-01T00:00:00.000Z", ADMIN)).data["text"]
            begun = (await sign_in(house, token=short)).data["text"]
            for text in (short, begun):
                assert (await make(None, text)).status == 401
                assert (await make("2098-01-01T00:00:00.001Z", text)).status == 401
                assert (await make("2098-01-01T00:00:00.000Z", text)).status == 201

    asyncio.run(scenario())


@pytest.mark.embedded_only("PostgreSQL has many writers at once; one that all others wait for is SQLite's")
def test_tokens_that_are_guessed_wait_for_no_writer_and_keep_none_waiting(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house, asyncio.timeout(20):
            turn = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
            turn.execute("BEGIN IMMEDIATE")
            assert (await sign_in(house, token="hw_guessed")).status == 401
            turn.close()

    asyncio.run(scenario())


def test_an_email_that_no_database_can_hold_is_refused_as_such(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            assert (await sign_in(house, email="a\x00@acme.test", password="x")).status == 422

    asyncio.run(scenario())


def test_a_body_that_does_not_come_ends_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.05)

    async def scenario() -> bytes:
        async with running(ManageHouse(tmp_path)) as house, asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(b"POST /headwater/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
            answer = await reader.readline()
            writer.close()
            return answer

    assert b" 408 " in asyncio.run(scenario())


def test_a_session_ends_with_its_user_and_with_another_password(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            user_id = await user(house)
            one, other = await session(house), await session(house)
            new = {"current": "wrong", "password": "staple battery"}
            assert (await house.ask("PUT", f"{SESSION}/password", new, token=one)).status == 422
            assert (await house.ask("PUT", f"{SESSION}/password", new)).status == 409
            new["current"] = PASSWORD
            assert (await house.ask("PUT", f"{SESSION}/password", new, token=one)).status == 200
            assert [await status(house, text) for text in (one, other)] == [401, 401]
            assert (await sign_in(house, email="ada@acme.test", password=PASSWORD)).status == 401
            third = await session(house, password="staple battery")
            path = f"/headwater/users/{user_id}/password"
            assert (await house.ask("PUT", path, {"password": PASSWORD})).status == 200
            assert await status(house, third) == 401
            fourth = await session(house)
            assert (await house.ask("DELETE", f"/users?userIds={user_id}")).status == 200
            assert await status(house, fourth) == 401

    asyncio.run(scenario())


def test_a_session_ends_at_its_time_and_is_forgotten_at_the_next_sign_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            text, _ = house.store.run(lambda connection: sessions.begin_with_token(connection, ADMIN, 1_000))
            assert await status(house, text) == 401
            assert house.store.run(sessions.count) == 1
            await sign_in(house, token=ADMIN)
            assert house.store.run(sessions.count) == 1

    asyncio.run(scenario())


def test_a_password_kept_with_less_strength_is_kept_with_todays_once_it_is_used(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
            house.store.run(
                lambda connection: users.create_user(
                    connection, email="ada@acme.test", name="Ada", digest=weak, permissions=[], at=1
                )
            )
            await session(house)
            _, digest = house.store.run(lambda connection: users.find_digest(connection, "ada@acme.test"))
            assert digest is not None and digest != weak and not is_outdated(digest)
            await session(house)

    asyncio.run(scenario())


def test_no_password_and_no_session_is_in_a_log_or_in_the_store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> list[str]:
        async with running(ManageHouse(tmp_path)) as house:
            await user(house)
            text = await session(house)
            await sign_in(house, email="ada@acme.test", password="a wrong secret")
            await sign_in(house, email="a mistyped secret", password="")
            await house.ask("PUT", f"{SESSION}/password", {"current": "x", "password": "short"}, token=text)
            trail = str((await house.ask("GET", "/audit-events")).body)
            house.store.run(lambda connection: connection.exec_driver_sql("SELECT 1"))
            kept = bytes_of_store(house.store)
            secrets = [PASSWORD, text, "a wrong secret", "a mistyped secret"]
            return [one for one in secrets if one.encode() in kept or one in trail or one in caplog.text]

    assert asyncio.run(scenario()) == []
    assert "failed to sign in" in caplog.text
