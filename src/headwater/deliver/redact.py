"""Samples of requests and answers for people to look at, without what must stay secret.

Of the headers only the harmless ones show their value. Secrets (of settings and of the request) are replaced wherever
they stand, also in their JSON, URL and Base64 forms, and so are credentials in URLs.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

import msgspec

from headwater.spec.destination import Request, Response

SAMPLE_BYTES = 4_096
HIDDEN = "[redacted]"
_HARMLESS = frozenset(
    ("accept", "content-length", "content-type", "date", "location", "retry-after", "server", "user-agent")
)
_USERINFO = re.compile(r"://[^/?#\s\"'@]*@")
_TOLD = r"(?:[a-z_-]*(?:token|secret|password|signature|api_?key)|key|sig|auth)="
_TELLING = tuple(re.compile(rf"({before}{_TOLD})[^&#\s\"']+", re.IGNORECASE) for before in (r"&", r"\?"))
"""Each begins with a character of its own and not with one of two, since only the former is looked for quickly."""


def forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets in all forms in which they may stand in a text, longest first."""
    found: set[str] = set()
    for secret in secrets:
        if secret:
            encoded = b64encode(secret.encode("utf-8", "replace")).decode()
            with_colon = b64encode(f"{secret}:".encode("utf-8", "replace")).decode()
            escaped = msgspec.json.encode(secret.encode("utf-8", "replace").decode()).decode()[1:-1]
            found |= {secret, escaped, quote(secret, safe=""), quote_plus(secret), encoded, with_colon}
    return tuple(sorted(found, key=len, reverse=True))


def redact(text: str, hidden: Iterable[str]) -> str:
    """The text without the secrets, given in all their forms, and without credentials in URLs."""
    for form in hidden:
        if form in text:
            text = text.replace(form, HIDDEN)
    if "@" in text:
        text = _USERINFO.sub(f"://{HIDDEN}@", text)
    if "=" in text:
        for telling in _TELLING:
            text = telling.sub(rf"\1{HIDDEN}", text)
    return text


def sample_request(request: Request, hidden: Iterable[str]) -> str:
    """The request as text of at most 4 KB: first line, headers, body."""
    own = forms(request.secrets)
    return _sample(f"{request.method} {request.url}", request.headers, request.body, (*own, *hidden))


def sample_response(response: Response, hidden: Iterable[str], request: Request | None = None) -> str:
    """The answer as text of at most 4 KB: status, headers, body; it may echo what the request had to hide."""
    own = forms(request.secrets) if request is not None else ()
    return _sample(str(response.status), response.headers, response.body, (*own, *hidden))


def redacted(request: Request, hidden: Iterable[str]) -> Request:
    """The request with its secrets hidden, for a dry run."""
    every = (*forms(request.secrets), *hidden)
    return Request(
        request.method,
        redact(request.url, every),
        {name: _value(name, value, every) for name, value in request.headers.items()},
        redact(request.body.decode("utf-8", "replace"), every).encode(),
        request.timeout,
    )


def redacted_response(response: Response, hidden: Iterable[str], request: Request | None = None) -> Response:
    """The answer with secrets hidden, also those of the request, and its body cut to 4 KB."""
    every = (*(forms(request.secrets) if request is not None else ()), *hidden)
    headers = {name: _value(name, value, every) for name, value in response.headers.items()}
    return Response(response.status, headers, _shown(response.body, every).encode())


def _sample(line: str, headers: Mapping[str, str], body: bytes, hidden: tuple[str, ...]) -> str:
    head = [redact(line, hidden), *(f"{name}: {_value(name, value, hidden)}" for name, value in headers.items())]
    text = _shown(body, hidden)
    return cut("\n".join([*head, "", text]) if text else "\n".join(head))


def _shown(body: bytes, hidden: tuple[str, ...]) -> str:
    """The beginning of a body as text. A secret may lie across the cut, so more is looked at than is shown."""
    longest = max((len(form) for form in hidden), default=0)
    return cut(redact(body[: SAMPLE_BYTES + 4 * max(longest, 256)].decode("utf-8", "replace"), hidden))


def cut(text: str, size: int = SAMPLE_BYTES) -> str:
    """The text, at most so many bytes of UTF-8 long."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= size else encoded[:size].decode("utf-8", "ignore")


def _value(name: str, value: str, hidden: Iterable[str]) -> str:
    return redact(value, hidden) if name.lower() in _HARMLESS else HIDDEN
