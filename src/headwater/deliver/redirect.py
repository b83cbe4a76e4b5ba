"""Where an answer sends a request on, and what of the request may come along."""

from __future__ import annotations

import msgspec
from yarl import URL

from headwater.spec.destination import Request, Response

_STATUSES = frozenset({301, 302, 303, 307, 308})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
_OF_BODIES = frozenset({"content-encoding", "content-language", "content-length", "content-location", "content-type"})


def redirected(request: Request, response: Response) -> Request | None:
    """The request that an answer asks for instead, or None when it asks for none, or for one that would tell a secret.

    As browsers do it: 303 asks for a GET, and so do 301 and 302 after a POST. To another origin go no credentials and
    no header with a secret in it; a body with one goes nowhere.
    """
    location = response.headers.get("location", "")
    if response.status not in _STATUSES or not location:
        return None
    try:
        here = URL(request.url)
        there = here.join(URL(location))
        away = here.origin() != there.origin()
    except (ValueError, UnicodeError):
        return None
    headers = request.headers
    body = request.body
    method = request.method
    if (response.status == 303 and method != "HEAD") or (response.status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        headers = {name: value for name, value in headers.items() if name.lower() not in _OF_BODIES}
    if away:
        if any(secret.encode() in body for secret in request.secrets if secret):
            return None
        headers = {name: value for name, value in headers.items() if not _private(name, value, request.secrets)}
    return msgspec.structs.replace(request, method=method, url=str(there), headers=headers, body=body)


def _private(name: str, value: str, secrets: tuple[str, ...]) -> bool:
    return name.lower() in _CREDENTIALS or any(secret in value for secret in secrets if secret)
