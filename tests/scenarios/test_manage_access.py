"""Who may ask what, and how requests that cannot be answered are refused."""

import asyncio
from pathlib import Path

import pytest
from manage_house import ADMIN, ManageHouse, running

from headwater.contracts.shape import bytes_of_store, lose_store
from headwater.store import tokens


def test_without_a_good_token_nothing_is_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for headers in (
                {},
                {"Authorization": "Basic aHdfOg=="},
                {"Authorization": "Bearer"},
                {"Authorization": "Bearer nobody"},
                {"Authorization": f"Token {ADMIN}"},
                {"Cookie": f"token={ADMIN}"},
            ):
                refused = await house.ask("GET", "/", token=None, headers=headers)
                assert refused.status == 401, headers
                assert refused.errors[0]["type"] == "unauthorized"
            assert (await house.ask("GET", "/", token=None, headers={"Authorization": f"bearer {ADMIN}"})).status == 200

    asyncio.run(scenario())


def test_a_token_does_what_its_scopes_say_and_an_expired_one_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            reader = house.token("Reader", "sources:read")
            assert (await house.ask("GET", "/sources", token=reader)).status == 200
            refused = await house.ask("POST", "/sources", {"slug": "x", "metadataId": "python"}, token=reader)
            assert refused.status == 401
            assert "sources:write" in refused.errors[0]["message"]
            old = house.store.run(
                lambda connection: tokens.create_token(connection, name="Old", scopes=["*"], expires_at=1)
            )[0]
            assert (await house.ask("GET", "/", token=old)).status == 401

    asyncio.run(scenario())


def test_tokens_are_made_shown_once_and_taken_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            made = await house.ask("POST", "/headwater/tokens", {"name": "CI", "scopes": ["sources:write"]})
            assert made.status == 201
            text, token_id = made.data["text"], made.data["token"]["id"]
            assert (await house.ask("GET", "/sources", token=text)).status == 200
            listed = (await house.ask("GET", "/headwater/tokens")).body
            assert text not in str(listed)
            assert text.encode() not in bytes_of_store(house.store)
            assert (await house.ask("DELETE", f"/headwater/tokens/{token_id}")).status == 200
            assert (await house.ask("GET", "/sources", token=text)).status == 401
            admin = listed["data"]["tokens"][0]["id"]
            assert (await house.ask("DELETE", f"/headwater/tokens/{admin}")).status == 409

    asyncio.run(scenario())


def test_nobody_makes_a_token_that_may_do_more_than_theirs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            limited = house.token("Limited", "tokens:write", "sources:read")
            for scopes in (["*"], ["*:read"], ["sources:write"], ["sources:read", "events:read"]):
                body = {"name": "More", "scopes": scopes}
                assert (await house.ask("POST", "/headwater/tokens", body, token=limited)).status == 401, scopes
            body = {"name": "Less", "scopes": ["sources:read"]}
            assert (await house.ask("POST", "/headwater/tokens", body, token=limited)).status == 201
            admin = (await house.ask("GET", "/headwater/tokens")).data["tokens"][0]["id"]
            assert (await house.ask("DELETE", f"/headwater/tokens/{admin}", token=limited)).status == 401
            for scopes in ([], ["sources"], ["*:write"]):
                assert (await house.ask("POST", "/headwater/tokens", {"name": "X", "scopes": scopes})).status == 422
            past = {"name": "X", "scopes": ["*"], "expiresAt": "2001-01-01T00:00:00Z"}
            assert (await house.ask("POST", "/headwater/tokens", past)).status == 422

    asyncio.run(scenario())


def test_a_token_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path, requests_per_minute=3)) as house:
            answers = [await house.ask("GET", "/") for _ in range(8)]
            refused = [answer for answer in answers if answer.status == 429]
            assert refused
            (error,) = refused[0].errors
            assert (error["type"], error["message"]) == ("RequestError", "Too many requests")
            assert {"remainingPoints", "msBeforeNext", "consumedPoints"} == set(error["data"])
            assert answers[0].headers["X-RateLimit-Remaining"] == "2"

    asyncio.run(scenario())


def test_every_refusal_has_the_same_envelope(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            for method, path, body, status in (
                ("GET", "/nowhere", None, 404),
                ("GET", "/destinations/none/filters", None, 404),
                ("DELETE", "/sources", None, 405),
                ("POST", "/sources", b"{", 400),
                ("POST", "/sources", b"[]", 422),
                ("POST", "/sources", b"x" * 1_100_000, 413),
                ("GET", "/echo", None, 422),
                ("GET", "/echo?message=no&triggerError=true&statusCode=418", None, 418),
                ("GET", "/echo?message=no&triggerMultipleErrors=true", None, 400),
                ("GET", "/echo?message=no&triggerUnexpectedError=true", None, 500),
            ):
                refused = await house.ask(method, path, body)
                assert refused.status == status, (method, path)
                assert set(refused.body) == {"errors"}
                assert all({"type", "message"} <= set(error) for error in refused.errors)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("application/vnd.segment.v1+json", 200),
        ("application/vnd.segment.v1alpha+json", 200),
        ("application/vnd.segment.stable+json", 200),
        ("application/vnd.segment.alpha+json, application/json", 200),
        ("application/vnd.segment.v9+json", 404),
    ],
)
def test_segments_media_types_are_accepted_in_both_spellings(tmp_path: Path, accept: str, status: int) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            assert (await house.ask("GET", "/", headers={"Accept": accept})).status == status

    asyncio.run(scenario())


def test_health_metrics_and_pages_need_no_token_and_load_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            health = await house.ask("GET", "/health", token=None)
            assert health.body["ok"] is True
            await house.ask("GET", "/")
            metrics = await house.ask("GET", "/metrics", token=None)
            assert 'headwater_manage_requests_total{operation="get_workspace",status="200"}' in metrics.body
            page = await house.ask("GET", "/docs", token=None)
            assert "<script" not in page.body
            assert "src=" not in page.body
            assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert (await house.ask("GET", "/openapi.json", token=None)).body["openapi"] == "3.1.0"

    asyncio.run(scenario())


def test_a_store_that_is_gone_is_answered_as_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(ManageHouse(tmp_path)) as house:
            lose_store(house.store)
            refused = await house.ask("GET", "/")
            assert refused.status == 503
            assert "Retry-After" in refused.headers

    asyncio.run(scenario())
