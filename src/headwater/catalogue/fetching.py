"""A worker's fetch as a request of ours, and our answer as the worker reads it."""

from __future__ import annotations

from base64 import b64decode, b64encode

from headwater.catalogue import frames
from headwater.spec.destination import NoAnswer, Request, Response

MOST_ANSWER_BYTES = 8_000_000
_REDIRECTS = 20
_UNFINISHED = "https://www.example.com/oauth/"
"""Where the template for new destinations of OAuth refreshes tokens; one of the catalogue still does."""

_CODES = {"UNREACHABLE": "ECONNREFUSED", "TIMEOUT": "ETIMEDOUT"}


def request(fetch: frames.Fetch, seconds: float, secrets: tuple[str, ...] = ()) -> Request:
    """The request to make, which may take so many seconds at most.

    Raises NoAnswer for an address that the destination's author never filled in: one would give an app's secret away.
    """
    if fetch.url.startswith(_UNFINISHED):
        raise NoAnswer(
            "INVALID_SETTINGS", f"The destination asks {fetch.url}, which stands for nothing: it is unfinished."
        )
    headers: dict[str, str] = {}
    for name, value in fetch.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    own = fetch.timeout_ms / 1_000
    return Request(
        fetch.method,
        fetch.url,
        headers=headers,
        body=b64decode(fetch.body) if fetch.b64 else fetch.body.encode("utf-8", "replace"),
        timeout=min(own, seconds) if own > 0 else seconds,
        secrets=secrets,
        redirects=_REDIRECTS if fetch.redirect == "follow" else 0,
        most=MOST_ANSWER_BYTES,
    )


def fetched(id: int, response: Response) -> bytes:
    """The line that answers a fetch."""
    try:
        body, b64 = response.body.decode(), False
    except UnicodeDecodeError:
        body, b64 = b64encode(response.body).decode(), True
    headers = list(response.headers.items())
    return frames.write("fetched", id=id, status=response.status, headers=headers, body=body, b64=b64)


def not_fetched(id: int, error: NoAnswer) -> bytes:
    """The line that says that there was no answer."""
    return frames.write(
        "fetched", id=id, error={"code": _CODES.get(error.reason, error.reason), "message": error.detail}
    )
