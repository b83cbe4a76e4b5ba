"""What stands before every page of the console."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from headwater.console.guard import Guard, cookies, from_here, page_headers
from headwater.console.sign_in import next_place
from headwater.manage.problems import Problem, Refused
from headwater.spec.errors import HeadwaterError, Unavailable


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


@pytest.mark.parametrize("other", ['x={"a":1}', "y=[1, 2]", "z=\xe9", "w"])
def test_a_cookie_of_somebody_else_on_this_host_hides_none_of_ours(other: str) -> None:
    assert cookies({"cookie": f"{other}; headwater_session=a"})["headwater_session"] == "a"


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


def test_a_long_body_is_refused_before_anything_reads_it() -> None:
    sent, seen = _ask("POST", "/console/sign-in", body=[b"x" * 60_000, b"x" * 60_000])
    assert (sent[0]["status"], seen) == (413, [])


def test_a_stranger_sends_no_file() -> None:
    for headers in ((), [(b"origin", b"http://evil.example"), (b"cookie", b"headwater_session=a")]):
        sent, seen = _ask("POST", "/console/files/profiles/default", headers=headers, body=[b"x" * 100_000])
        assert (sent[0]["status"] in (401, 403), seen) == (True, [])


def test_a_short_body_arrives_whole() -> None:
    _, seen = _ask("POST", "/console/sign-in", body=[b"token=", b"a"])
    assert seen[0]["body"] == b"token=a"


def test_a_body_that_breaks_off_reaches_nobody() -> None:
    sent, seen = _ask("POST", "/console/sign-in", body=[b"token=", None])
    assert (sent[0]["status"], seen) == (400, [])


def test_strangers_see_the_sign_in_page_and_files_alone() -> None:
    assert _ask("GET", "/console/sign-in")[1]
    assert _ask("GET", "/console/assets/console.css")[1]
    for path in ("/console/", "/console/sign-in-as-if", "/console/sign-in/", "/console/_nicegui_ws/socket.io/"):
        assert _ask("GET", path)[1] == [], path


def test_pages_are_connected_by_websocket_alone() -> None:
    sent, _ = _ask("GET", "/console/_nicegui_ws/socket.io/", query=b"EIO=4&transport=polling")
    assert sent[0]["status"] == 404


def test_no_header_says_where_scripts_come_from() -> None:
    _, seen = _ask("GET", "/console/sign-in", headers=[(b"x-forwarded-prefix", b"//evil.example")])
    assert b"x-forwarded-prefix" not in dict(seen[0]["headers"])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused([Problem("RequestError", "Too many requests")], status=429), 429),
        (Unavailable("The store does not answer.", retry_after=1.0), 503),
    ],
)
def test_a_house_that_cannot_tell_who_comes_says_so(error: HeadwaterError, status: int) -> None:
    class Front:
        async def admit(self, *_: Any) -> Any:
            raise error

    sent, seen = _ask("GET", "/console/", headers=[(b"cookie", b"headwater_session=a")], front=Front())
    assert (sent[0]["status"], seen) == (status, [])


def _ask(
    method: str,
    path: str,
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    query: bytes = b"",
    body: Sequence[bytes | None] = (b"",),
    front: Any = None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is sent back, and what reaches the pages: the headers and the body of the request."""
    sent: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    parts = list(body)

    async def pages(scope: Any, receive: Any, _send: Any) -> None:
        seen.append({"headers": scope["headers"], "body": (await receive()).get("body")})

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(b"host", b"house:8081"), *headers],
    }
    asyncio.run(Guard(pages, front)(scope, receive, send))
    return sent, seen


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
