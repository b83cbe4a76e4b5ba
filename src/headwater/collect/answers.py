"""What is said back: bodies, headers for browsers of any origin, and budgets (contract: connections 1.4-1.6)."""

from __future__ import annotations

import re
from functools import lru_cache
from math import ceil
from typing import Final

import msgspec

from headwater.collect.rsgi import HeaderList, Headers
from headwater.collect.throttle import Budget
from headwater.spec.errors import HeadwaterError, SenderError, Unavailable

SUCCESS: Final = b'{"success":true}'
_NO_STORE: Final = ("cache-control", "no-store")

_JSON: Final = ("content-type", "application/json")
_EXPOSED: Final = (
    "access-control-expose-headers",
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset",
)
_METHODS: Final = ("access-control-allow-methods", "GET, POST, OPTIONS")
_ALLOWED: Final = ("Authorization", "Content-Type", "Content-Encoding", "X-Retry-Count")
_MAX_AGE: Final = ("access-control-max-age", "7200")
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_MAX_NAMES: Final = 32
_MAX_ORIGIN_CHARS: Final = 512
_MAX_REQUESTED_CHARS: Final = 2_048
"""Of longer headers no more is read: what is cached must not fill the memory."""

UNLIMITED: Final = 2_147_483_647
"""What the budget headers say of a source without a limit."""

_WITHOUT_LIMIT: Final = (
    ("x-ratelimit-limit", str(UNLIMITED)),
    ("x-ratelimit-remaining", str(UNLIMITED)),
    ("x-ratelimit-reset", "0"),
)


class Answer(msgspec.Struct, frozen=True):
    """An answer without what every answer carries. `extra` are its own headers."""

    status: int
    body: bytes
    extra: tuple[tuple[str, str], ...] = ()


SUCCEEDED: Final = Answer(200, SUCCESS)


def origin_in(headers: Headers) -> str | None:
    """The origin of the page that asks; none for one that is longer than any is."""
    origin = headers.get("origin")
    return origin if origin is None or len(origin) <= _MAX_ORIGIN_CHARS else None


@lru_cache(maxsize=4_096)
def cross_origin(origin: str | None) -> tuple[tuple[str, str], ...]:
    """The headers by which a browser lets a page of that origin read the answer.

    The origin is echoed, since a client may ask to send credentials, with which `*` does not count; nothing here
    listens to cookies, so nothing is given away.
    """
    if origin is None:
        return (("access-control-allow-origin", "*"),)
    return (
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", "true"),
        ("vary", "Origin"),
        _EXPOSED,
    )


def preflight(origin: str | None, requested: str | None) -> HeaderList:
    """The headers that answer OPTIONS: our own request headers, and those that the page asks for."""
    return _preflight(origin, (requested or "")[:_MAX_REQUESTED_CHARS])


@lru_cache(maxsize=4_096)
def _preflight(origin: str | None, requested: str) -> HeaderList:
    names = {name.lower(): name for name in _ALLOWED}
    for name in requested.split(",")[:_MAX_NAMES]:
        name = name.strip()
        if _NAME.fullmatch(name):
            names.setdefault(name.lower(), name)
    headers = [header for header in cross_origin(origin) if header[0] != "vary"]
    return [
        *headers,
        ("vary", "Origin, Access-Control-Request-Headers"),
        _METHODS,
        ("access-control-allow-headers", ", ".join(names.values())),
        _MAX_AGE,
    ]


@lru_cache(maxsize=4_096)
def unlimited_headers(origin: str | None) -> HeaderList:
    """The headers of a JSON answer to a source without a limit; the same list for the same origin."""
    return [_JSON, *cross_origin(origin), *_WITHOUT_LIMIT]


def json_headers(origin: str | None, budget: Budget | None) -> HeaderList:
    """The headers of every JSON answer of the tracking API."""
    if budget is None:
        return unlimited_headers(origin)
    return [
        _JSON,
        *cross_origin(origin),
        ("x-ratelimit-limit", str(budget.limit)),
        ("x-ratelimit-remaining", str(budget.remaining)),
        ("x-ratelimit-reset", str(budget.reset)),
    ]


def failure(error: HeadwaterError) -> Answer:
    """The one place that turns an error into HTTP: by who must act."""
    match error:
        case SenderError():
            return Answer(error.status, _error_body(error.code, str(error), error.field))
        case Unavailable():
            body = _error_body("unavailable", str(error))
            return Answer(503, body, (("retry-after", str(max(ceil(error.retry_after), 1))),))
        case _:
            return BROKEN


def health(healthy: bool, *, draining: bool, spilling: bool = False) -> Answer:
    """Whether new requests should come here; while they are spilled they may."""
    if healthy and not draining:
        return Answer(200, b'{"status":"spilling"}' if spilling else b'{"status":"ok"}', (_NO_STORE,))
    return Answer(503, b'{"status":"draining"}' if draining else b'{"status":"unavailable"}', (_NO_STORE,))


def document(body: bytes, etag: str, *, max_age: int, known: str | None) -> Answer:
    """A document that may be cached for so many seconds; 304 when the client holds it (`known` is If-None-Match)."""
    extra = (("cache-control", f"public, max-age={max_age}"), ("etag", etag))
    return Answer(304, b"", extra) if known is not None and etag in known else Answer(200, body, extra)


def image_headers(origin: str | None) -> HeaderList:
    """The headers of the pixel (1.9)."""
    return [("content-type", "image/gif"), _NO_STORE, *cross_origin(origin)]


def throttled(budget: Budget) -> Answer:
    """The answer to a source that has spent its budget. The waits are whole seconds."""
    message = f"The source may send {budget.limit} events a second; wait {budget.reset} s."
    return Answer(429, _error_body("too_many_requests", message), (("retry-after", str(budget.reset)),))


def _error_body(code: str, message: str, field: str | None = None) -> bytes:
    """Clients read `code` and `message`, or `error`; without them some retry what they should give up (clients 1.2)."""
    body = {"success": False, "code": code, "message": message, "error": message}
    return msgspec.json.encode(body if field is None else body | {"field": field})


BROKEN: Final = Answer(500, _error_body("internal", "The request met a fault of the server; it is in its log."))
GONE: Final = Answer(499, b"")
"""Counted, and heard by nobody: the sender broke off."""

NOT_FOUND: Final = failure(
    SenderError("There is nothing at this path; see the HTTP tracking API.", code="not_found", status=404)
)
UNKNOWN_KEY: Final = failure(SenderError("No source has this write key.", code="not_found", status=404))
TOO_SLOW: Final = msgspec.structs.replace(
    failure(SenderError("The body did not arrive in time.", code="request_timeout", status=408)),
    extra=(("connection", "close"),),
)


def wrong_method(allowed: str) -> Answer:
    """The answer to a known path called with another method."""
    error = SenderError(f"Use {allowed}.", code="method_not_allowed", status=405)
    also = "GET, HEAD, OPTIONS" if allowed == "GET" else f"{allowed}, HEAD, OPTIONS"
    return msgspec.structs.replace(failure(error), extra=(("allow", also),))
