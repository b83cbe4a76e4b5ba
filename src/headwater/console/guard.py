"""What stands before every page: who comes, from where, and what the browser is told to refuse.

Cookies alone prove nothing about who made a browser send them, so whatever changes something, and every WebSocket,
must also come from a page of this host. Scripts run only from this host or with the nonce of their page; the page
framework compiles its templates in the browser, so `unsafe-eval` and inline styles cannot be refused.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from headwater.console.door import Application, Receive, Scope, Send
from headwater.console.person import Person
from headwater.manage.front import Front
from headwater.manage.operations import OPERATIONS
from headwater.spec.errors import SenderError

COOKIE = "headwater_session"
ZONE_COOKIE = "headwater_zone"
SIGN_IN = "/console/sign-in"
_OPEN = (SIGN_IN, "/console/assets/", "/console/_nicegui/")
_SAFE = {"GET", "HEAD", "OPTIONS"}
_SCRIPT = re.compile(rb"<script(?=[\s>])")


class Guard:
    """ASGI: lets signed-in people through, with a `person` in the scope, and sends others to the sign-in page."""

    def __init__(self, inside: Application, front: Front) -> None:
        self._inside = inside
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inside(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if (scope["type"] == "websocket" or scope["method"] not in _SAFE) and not from_here(headers):
            await _refuse(scope, send, 403, "This request comes from another site.")
            return
        if not scope["path"].startswith(_OPEN):
            person = await self._person(headers)
            if person is None:
                await _send_away(scope, send)
                return
            scope["person"] = person
        nonce = secrets.token_urlsafe(16)
        await self._inside(scope, receive, _Answer(send, nonce))

    async def _person(self, headers: Mapping[str, str]) -> Person | None:
        given = cookies(headers)
        text = given.get(COOKIE, "")
        if not text:
            return None
        try:
            desk, _ = await self._front.admit(OPERATIONS["get_session"], {"authorization": f"Bearer {text}"})
        except SenderError as error:
            if error.status == 401:
                return None
            raise
        caller = desk.caller
        return Person(self._front, text, name=caller.name, scopes=caller.scopes, zone=given.get(ZONE_COOKIE, "UTC"))


class _Answer:
    """Sends an answer on, with the headers of a page, and the nonce in every script that the page itself holds."""

    def __init__(self, send: Send, nonce: str) -> None:
        self._send = send
        self._nonce = nonce
        self._start: Scope | None = None
        self._body = b""

    async def __call__(self, message: Scope) -> None:
        if message["type"] == "http.response.start":
            if _is_page(message):
                self._start = message
                return
            message["headers"] = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff")]
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            page = _SCRIPT.sub(f'<script nonce="{self._nonce}"'.encode(), self._body)
            kept = [
                pair for pair in self._start["headers"] if pair[0].lower() not in (b"content-length", b"cache-control")
            ]
            self._start["headers"] = [*kept, (b"content-length", str(len(page)).encode()), *page_headers(self._nonce)]
            await self._send(self._start)
            message = {"type": "http.response.body", "body": page}
        await self._send(message)


def page_headers(nonce: str) -> list[tuple[bytes, bytes]]:
    """What a browser is told about a page."""
    policy = (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]


def from_here(headers: Mapping[str, str]) -> bool:
    """Does a request come from a page of this host, or from no page at all?"""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def cookies(headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a request; none when they cannot be read."""
    try:
        return {name: one.value for name, one in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _is_page(message: Scope) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


async def _send_away(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket" or scope["method"] not in _SAFE:
        await _refuse(scope, send, 401, "Your session has ended; sign in again.")
        return
    wanted = scope["path"] + (f"?{scope['query_string'].decode('ascii', 'replace')}" if scope["query_string"] else "")
    place = SIGN_IN if wanted.rstrip("/") == "/console" else f"{SIGN_IN}?next={quote(wanted)}"
    headers = [(b"location", place.encode()), (b"cache-control", b"no-store"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    body = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
