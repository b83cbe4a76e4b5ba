"""What stands before every page: who comes, from where, and what the browser is told to refuse.

Cookies alone prove nothing about who made a browser send them, so whatever changes something, and every WebSocket,
must also come from a page of this host. Scripts run only from this host or with the nonce of their page; the page
framework compiles its templates in the browser, so `unsafe-eval` and inline styles cannot be refused.

Strangers get the sign-in page and what is in files, and nothing else that costs: their bodies are cut short, and what
the framework would believe of their headers is taken away.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.requests import cookie_parser

from headwater.console.door import Application, Receive, Scope, Send
from headwater.console.person import Person
from headwater.manage.front import Front
from headwater.manage.operations import OPERATIONS
from headwater.manage.problems import explain
from headwater.spec.errors import HeadwaterError, SenderError

COOKIE = "headwater_session"
ZONE_COOKIE = "headwater_zone"
SIGN_IN = "/console/sign-in"
MAX_BODY_BYTES: Final = 65_536
"""A sign-in is the longest that the console is sent; what pages tell comes over their WebSocket."""

FILES_BELOW: Final = "/console/files/"
"""What signed-in people send below this path is no page's: a file, which is read as it comes and has its own bound."""

_BODY_SECONDS: Final = 10.0
_OPEN_BELOW: Final = ("/console/assets/", "/console/_nicegui/")
_SOCKET: Final = "/console/_nicegui_ws"
_NOT_BELIEVED: Final = {b"x-forwarded-prefix"}
"""The framework would write it into the addresses of the page's scripts."""

_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
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
        changes = scope["type"] == "http" and scope["method"] not in _SAFE
        if (changes or scope["type"] == "websocket") and not from_here(headers):
            await _refuse(scope, send, 403, "This request comes from another site.")
            return
        if scope["type"] == "http" and scope["path"].startswith(_SOCKET):
            await _refuse(scope, send, 404, "Pages are connected by WebSocket alone.")
            return
        try:
            if scope["path"] != SIGN_IN and not scope["path"].startswith(_OPEN_BELOW):
                person = await self._person(headers)
                if person is None:
                    await _send_away(scope, send)
                    return
                scope["person"] = person
            takes_file = scope["path"].startswith(FILES_BELOW)
            inner = await _held(receive) if changes and not takes_file else receive
        except HeadwaterError as error:
            status, problems, _ = explain(error)
            await _refuse(scope, send, status, problems[0].message)
            return
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _NOT_BELIEVED]
        await self._inside(scope, inner, _Answer(send, secrets.token_urlsafe(16)))

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
    """The cookies of a request. Those of others on this host, in whatever form, hide none of ours."""
    return cookie_parser(headers.get("cookie", ""))


async def _held(receive: Receive) -> Receive:
    """The same request with its body at hand. Raises SenderError 413 for a long body and 408 for a slow one."""
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise SenderError("The request was broken off.")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise SenderError("The body is too long.", code="payload_too_large", status=413)
                more = message.get("more_body", False)
    except TimeoutError:
        raise SenderError("The body did not arrive in time.", code="request_timeout", status=408) from None
    whole: list[Scope] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Scope:
        return whole.pop() if whole else await receive()

    return again


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
