"""Signing in and out: with a token and with a password, and everything that ends a session."""

import asyncio
from pathlib import Path
from typing import Any

from manage_house import ADMIN, Answer, ManageHouse, running

from headwater.store import sessions, tokens

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
