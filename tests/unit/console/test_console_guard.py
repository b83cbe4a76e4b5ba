"""What stands before every page of the console."""

import asyncio
from typing import Any

import pytest

from headwater.console.guard import Guard, cookies, from_here, page_headers
from headwater.console.sign_in import next_place


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({"host": "house:8081"}, True),
        ({"host": "house:8081", "origin": "http://house:8081"}, True),
        ({"host": "house:8081", "origin": "https://house:8081", "sec-fetch-site": "same-origin"}, True),
        ({"host": "house:8081", "sec-fetch-site": "none"}, True),
        ({"host": "house:8081", "origin": "http://house:8080"}, False),
        ({"host": "house:8081", "origin": "null"}, False),
        ({"host": "house:8081", "origin": "http://evil.example"}, False),
        ({"host": "house:8081", "sec-fetch-site": "cross-site"}, False),
        ({"host": "house:8081", "sec-fetch-site": "same-site"}, False),
    ],
)
def test_only_pages_of_this_host_may_change_something(headers: dict[str, str], admitted: bool) -> None:
    assert from_here(headers) is admitted


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_sites_request_never_reaches_the_pages(kind: str) -> None:
    sent = asyncio.run(_through_guard(kind, origin="http://evil.example"))
    assert sent[0].get("status", sent[0].get("code")) in (403, 1008)


def test_a_cookie_header_that_cannot_be_read_is_no_cookie() -> None:
    assert cookies({"cookie": "headwater_session=a; headwater_zone=Europe/Berlin"})["headwater_session"] == "a"
    assert cookies({"cookie": "\x00=;;;=\xff"}).get("headwater_session") is None


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/console/sources", "/console/sources"),
        ("/console/events?user=a%26b", "/console/events?user=a%26b"),
        ("", "/console/"),
        ("/docs", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("https://evil.example/console/", "/console/"),
        ("/console/../docs", "/console/"),
        ("/console/\\evil.example", "/console/"),
        ("javascript:alert(1)", "/console/"),
    ],
)
def test_after_signing_in_one_goes_nowhere_but_into_the_console(wanted: str, place: str) -> None:
    assert next_place(wanted) == place


def test_scripts_run_from_this_host_or_with_the_pages_nonce_alone() -> None:
    policy = dict(page_headers("a-nonce"))[b"content-security-policy"].decode()
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert scripts == "script-src 'self' 'nonce-a-nonce' 'unsafe-eval'"
    assert "frame-ancestors 'none'" in policy


async def _through_guard(kind: str, *, origin: str) -> list[dict[str, Any]]:
    """What the guard answers a request with that nobody behind it may see."""
    sent: list[dict[str, Any]] = []

    async def nobody(*_: Any) -> None:
        raise AssertionError("the guard let it through")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    headers = [(b"host", b"house:8081"), (b"origin", origin.encode())]
    scope = {"type": kind, "method": "POST", "path": "/console/sign-in", "query_string": b"", "headers": headers}
    await Guard(nobody, None)(scope, receive, send)  # type: ignore[arg-type]
    return sent
