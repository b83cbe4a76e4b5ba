"""The published form of a message: ids, the four timestamps, defaults and limits (contract: connections 1.12, 2)."""

from __future__ import annotations

import uuid
from typing import Any, cast

import msgspec

from headwater.spec.event import CollectedHeader, Event
from headwater.spec.limits import MAX_PROPERTIES
from headwater.spec.timestamps import MAX_MOMENT, MIN_MOMENT, correct, format_moment, read_moment

_NAMESPACE = uuid.UUID("6f1c2a3e-58a5-5b0f-9d3c-0d9f2c1f7a11")
_CHANNELS = {"server": "server", "browser": "browser", "client": "browser", "mobile": "mobile"}
_MOBILE = ("ios", "android", "swift", "kotlin", "react-native", "flutter", "maui", "xamarin")
_DEFAULTS = {
    "track": "properties",
    "page": "properties",
    "screen": "properties",
    "identify": "traits",
    "group": "traits",
}
VERSION = 2


class Arrival(msgspec.Struct, frozen=True):
    """What the messages of one request share: its header, the moment of receipt as text, and the envelope's sentAt."""

    header: CollectedHeader
    received_at: str
    sent: tuple[int | None, str]

    @classmethod
    def of(cls, header: CollectedHeader, sent_at: Any) -> Arrival:
        return cls(header, format_moment(header.received_at), read_moment(sent_at))


def normalise(body: dict[str, Any], arrival: Arrival, *, place: str, position: int) -> Event:
    """Make the event of a valid message, changing the message in place.

    `place` is the message's in the log, or tells it from others of the moment where the log may hold it twice; an id
    made from it and the moment is the same if the work is done again.
    """
    header = arrival.header
    kind: str = body["type"]
    for field in ("properties", "traits"):
        if field in body:
            _bound(body, field)
    if (default := _DEFAULTS.get(kind)) is not None and default not in body:
        body[default] = {}
    if not isinstance(body.get("integrations"), dict):
        body["integrations"] = {}
    body["messageId"] = message_id = _message_id(body.get("messageId"), header, place)
    happened = _stamp(body, arrival)
    context = body.get("context")
    body["context"] = context = cast("dict[str, Any]", context) if context else {}
    direct = context.pop("direct", None) is True or header.direct
    if direct:
        _capture(context, header)
    body["channel"] = _channel(body.get("channel") or context.get("channel"), context, direct)
    body["version"] = VERSION
    body["projectId"] = header.source_id
    body.pop("writeKey", None)
    return Event(body, header.source_id, header.received_at, position, kind, message_id, direct, happened_at=happened)


def _message_id(value: Any, header: CollectedHeader, place: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return str(uuid.uuid5(_NAMESPACE, f"{header.source_id}:{header.received_at}:{place}"))


def _bound(body: dict[str, Any], field: str) -> None:
    value = body[field]
    if value is None:
        del body[field]
    elif len(value) > MAX_PROPERTIES:
        body[field] = dict(list(value.items())[:MAX_PROPERTIES])


def _stamp(body: dict[str, Any], arrival: Arrival) -> int:
    """The four stamps of 2.2; returns when the event happened (milliseconds).

    Rudder's clients write originalTimestamp where others write timestamp (clients 2).
    """
    original, original_text = read_moment(body.get("timestamp"))
    if original is None and "originalTimestamp" in body:
        original, original_text = read_moment(body["originalTimestamp"])
    sent, sent_text = read_moment(body["sentAt"]) if "sentAt" in body else arrival.sent
    if sent is None:
        sent, sent_text = arrival.sent
    happened = correct(original, sent, arrival.header.received_at)
    text = original_text if happened == original else format_moment(happened)
    body["timestamp"] = text
    body["originalTimestamp"] = text if original is None else original_text
    body["sentAt"] = arrival.received_at if sent is None else sent_text
    body["receivedAt"] = arrival.received_at
    return max(MIN_MOMENT, min(happened, MAX_MOMENT))


def _capture(context: dict[str, Any], header: CollectedHeader) -> None:
    if header.ip and context.get("ip") is None:
        context["ip"] = header.ip
    if header.user_agent and context.get("userAgent") is None:
        context["userAgent"] = header.user_agent


def _channel(said: Any, context: dict[str, Any], direct: bool) -> str:
    if isinstance(said, str) and (known := _CHANNELS.get(said)) is not None:
        return known
    if not direct:
        return "server"
    library = context.get("library")
    name = cast("dict[str, Any]", library).get("name") if isinstance(library, dict) else None
    return "mobile" if isinstance(name, str) and any(word in name.lower() for word in _MOBILE) else "browser"
