"""Headwater: sends events on to a source of another Headwater, of Segment or of RudderStack (connections 6.17).

The events keep their messageId, so the receiver drops what it had already, and their `timestamp`. A receiver takes
`timestamp` for the client's own clock and corrects it by `sentAt`; so the corrected `timestamp` is sent alone, without
`sentAt` and `originalTimestamp`, and comes out as it went in, however late the delivery. What else the receiver sets
itself (`receivedAt`, `projectId`) is left out too.

Houses that send to each other in a ring do not turn an event round and round: its `context.repeatChain` holds a digest
of each write key that it was sent to, and a source that is in the chain does not get it again.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from headwater.spec.destination import Action, Batch, DestinationDefinition, Failed, Field, Item, Request, Steps
from headwater.spec.errors import SetupError
from headwater.spec.event import EVENT_TYPES
from headwater.spec.wire import JSON, encode

_LEFT_OUT = ("sentAt", "originalTimestamp", "receivedAt", "projectId")


def send(settings: dict[str, Any], items: Sequence[Item]) -> Steps:
    """One batch request with the items that have not been at that source before."""
    key: str = settings["writeKey"]
    mark = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    failed: dict[int, Failed] = {}
    events: list[JSON] = []
    for index, item in enumerate(items):
        event = item.read()
        if _mark(event, mark):
            events.append({name: value for name, value in event.items() if name not in _LEFT_OUT})
        else:
            failed[index] = Failed("The event was sent to this source before (context.repeatChain); a loop ends here.")
    if events:
        credentials = b64encode(f"{key}:".encode()).decode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Headwater",
            "Authorization": f"Basic {credentials}",
        }
        url = settings["endpoint"].rstrip("/") + "/v1/batch"
        yield Request("POST", url, headers, encode({"batch": events}), secrets=(credentials, mark))
    return failed or None


def check(settings: dict[str, Any]) -> None:
    """The endpoint is the root of a tracking API, and there is a write key."""
    endpoint = settings.get("endpoint")
    try:
        parts = urlsplit(endpoint) if isinstance(endpoint, str) else None
        whole = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        whole = whole and parts is not None and not parts.query and not parts.fragment and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole:
        raise SetupError("The endpoint must be the address of a tracking API, such as https://events.example.com.")
    key = settings.get("writeKey")
    if not isinstance(key, str) or not key.strip():
        raise SetupError("The write key of the receiving source is missing.")


def batch(settings: dict[str, Any]) -> Batch:
    """What a tracking API takes in one request, with room for the envelope (1.5)."""
    return Batch(items=1_000, body_bytes=400_000, wait=0.25)


def _mark(event: dict[str, JSON], mark: str) -> bool:
    """Note in the event that it was sent there, or return False when it was before."""
    context = event.get("context")
    if not isinstance(context, dict):
        context = event["context"] = {}
    chain = cast("dict[str, JSON]", context).get("repeatChain")
    passed = cast("list[JSON]", chain) if isinstance(chain, list) else []
    if mark in passed:
        return False
    context["repeatChain"] = [*passed, mark]
    return True


definition = DestinationDefinition(
    name="Headwater",
    description="Sends events on to another Headwater, Segment or RudderStack, keeping their ids and timestamps.",
    website="https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/",
    categories=("Raw Data",),
    fields=(
        Field(
            key="endpoint",
            label="Endpoint",
            description="The root of the receiving tracking API or data plane, without /v1.",
            required=True,
        ),
        Field(
            key="writeKey",
            label="Write key",
            description="The write key of the receiving source.",
            type="password",
            required=True,
        ),
    ),
    action=Action(slug="send", name="Send", description="Sends the event on as it was published.", steps=send),
    event_types=EVENT_TYPES,
    check=check,
    batch=batch,
    previous_names=("Repeater",),
    credentials=True,
)
