"""Webhook: sends events to a URL as they were published, alone or in a JSON array (contract: connections 6.12, 6.17).

The body of a single event is the published JSON, byte for byte. With a shared secret the request carries
`X-Signature`, the hexadecimal HMAC-SHA1 of the event; for a batch it is that of the first event alone.
"""

from __future__ import annotations

import hmac
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from headwater.spec.destination import Action, Batch, DestinationDefinition, Field, Item, Request, Steps
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES

MAX_BATCH = 4_000
_METHODS = ("POST", "PUT", "PATCH")
_HEADERS = {"Content-Type": "application/json", "User-Agent": "Headwater"}
_OURS = {"host", "content-length", "transfer-encoding", "connection", "x-signature"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_last: deque[tuple[Sequence[Item], bytes]] = deque(maxlen=1)
"""The array made last and of what: webhooks beside each other mostly send the same events at the same time."""


def send(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """One request for all items: the event itself, or an array when the destination is set to batches."""
    own: Mapping[str, str] = settings.get("headers") or {}
    headers = _headers(own)
    if secret := settings.get("sharedSecret"):
        headers["X-Signature"] = hmac.new(secret.encode(), items[0].body, "sha1").hexdigest()
    body = _array(items) if _batch_size(settings) > 1 else items[0].body
    yield Request(settings.get("method") or "POST", settings["url"], headers, body, secrets=tuple(own.values()))
    return None


def check(settings: dict[str, Any]) -> None:
    """The URL is one, the method is allowed, headers can be sent, and the batch size is in its bounds."""
    url = settings.get("url")
    if not isinstance(url, str) or not url:
        raise SetupError("The webhook needs a url.")
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole:
        raise SetupError("The webhook's url must be a whole http or https address, such as https://example.com/hook.")
    if settings.get("method") not in (None, "", *_METHODS):
        raise SetupError(f"The webhook's method must be one of {', '.join(_METHODS)}.")
    if not isinstance(settings.get("sharedSecret") or "", str):
        raise SetupError("The webhook's sharedSecret must be text.")
    _check_headers(settings.get("headers"))
    size = settings.get("batch_size")
    if size not in (None, "") and (isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_BATCH):
        raise SetupError(f"The webhook's batch_size must be a whole number from 0 to {MAX_BATCH}.")


def batch(settings: dict[str, Any]) -> Batch:
    """Single requests unless a batch size is set; then up to that many, waiting a moment for each other."""
    size = _batch_size(settings)
    return Batch(items=size, wait=0.25) if size > 1 else Batch()


def _array(items: Sequence[Item]) -> bytes:
    """The events as a JSON array."""
    for those, body in tuple(_last):
        if those == items:
            return body
    parts = [item.body for item in items]
    parts[0] = b"[" + parts[0]
    parts[-1] += b"]"
    body = b",".join(parts)
    _last.append((items, body))
    return body


def _headers(own: Mapping[str, str]) -> dict[str, str]:
    if not own:
        return dict(_HEADERS)
    named = {name.lower() for name in own}
    return {name: value for name, value in _HEADERS.items() if name.lower() not in named} | dict(own)


def _batch_size(settings: dict[str, Any]) -> int:
    return int(settings.get("batch_size") or 1)


def _check_headers(headers: Any) -> None:
    if headers is None:
        return
    if not isinstance(headers, dict):
        raise SetupError("The webhook's headers must be an object of names and values.")
    for name, value in cast("dict[Any, Any]", headers).items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise SetupError(f"The webhook cannot send a header named {name!r}.")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise SetupError(f"The value of the webhook's header {name} must be text on one line.")


definition = DestinationDefinition(
    name="Webhook",
    description="Sends events as JSON to any URL, one at a time or in batches, signed with a shared secret if set.",
    website="https://en.wikipedia.org/wiki/Webhook",
    categories=("Raw Data",),
    fields=(
        Field(key="url", label="URL", description="Where events are sent.", required=True),
        Field(
            key="method",
            label="Method",
            description="The HTTP method of the requests.",
            type="select",
            default="POST",
            choices=_METHODS,
        ),
        Field(
            key="headers",
            label="Headers",
            description="Headers sent with each request; their values never show in samples.",
            type="secrets",
        ),
        Field(
            key="sharedSecret",
            label="Shared secret",
            description="With it, X-Signature carries the hexadecimal HMAC-SHA1 of the (first) event.",
            type="password",
        ),
        Field(
            key="batch_size",
            label="Batch size",
            description="Events sent in one request as a JSON array, at most 4,000; 0 or 1 sends each alone.",
            type="number",
            default=0,
        ),
    ),
    action=Action(slug="send", name="Send", description="Sends the event as it was published.", steps=send),
    event_types=EVENT_TYPES,
    check=check,
    batch=batch,
    previous_names=("Webhooks", "Webhooks (Actions)"),
)
