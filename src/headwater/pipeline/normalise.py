"""The published form of a message: ids, the four timestamps, defaults and limits (contract: connections 1.12, 2)."""

from __future__ import annotations

import uuid
from typing import Any, cast

from headwater.spec.event import CollectedHeader, Event
from headwater.spec.limits import MAX_PROPERTIES
from headwater.spec.timestamps import correct, format_moment, is_wire_form, parse_moment

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


def normalise(body: dict[str, Any], header: CollectedHeader, *, sent_at: Any, place: str, position: int) -> Event:
    """Make the event of a valid message, changing the message in place.

    `sent_at` is the envelope's. `place` names the message in the log, uniquely and for ever; an id made from it is the
    same if the work is done again.
    """
    kind: str = body["type"]
    for field in ("properties", "traits"):
        if field in body and body[field] is None:
            del body[field]
    if (default := _DEFAULTS.get(kind)) is not None:
        body.setdefault(default, {})
    for field in ("properties", "traits"):
        if field in body and len(body[field]) > MAX_PROPERTIES:
            body[field] = dict(list(body[field].items())[:MAX_PROPERTIES])
    if not isinstance(body.get("integrations"), dict):
        body["integrations"] = {}
    body["messageId"] = message_id = _message_id(body.get("messageId"), place)
    _stamp(body, sent_at, header.received_at)
    context = body.get("context")
    body["context"] = context = cast("dict[str, Any]", context) if context else {}
    direct = context.pop("direct", None) is True or header.direct
    if direct:
        _capture(context, header)
    body["channel"] = _channel(body.get("channel") or context.get("channel"), context, direct)
    body["version"] = VERSION
    body["projectId"] = header.source_id
    body.pop("writeKey", None)
    return Event(
        body=body,
        source_id=header.source_id,
        received_at=header.received_at,
        position=position,
        type=kind,
        message_id=message_id,
        direct=direct,
    )


def _message_id(value: Any, place: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return str(uuid.uuid5(_NAMESPACE, place))


def _stamp(body: dict[str, Any], envelope_sent_at: Any, received: int) -> None:
    """The four stamps of 2.2. Rudder's clients write originalTimestamp where others write timestamp (clients 2)."""
    original, original_text = _read(body.get("timestamp"), body.get("originalTimestamp"))
    sent, sent_text = _read(body.get("sentAt"), envelope_sent_at)
    body["receivedAt"] = arrived = format_moment(received)
    body["sentAt"] = arrived if sent is None else sent_text
    happened = correct(original, sent, received)
    body["timestamp"] = happened_text = original_text if happened == original else format_moment(happened)
    body["originalTimestamp"] = happened_text if original is None else original_text


def _read(value: Any, otherwise: Any) -> tuple[int | None, str]:
    """A moment and its wire form, from the first of two values that is one."""
    moment = parse_moment(value)
    if moment is None:
        value, moment = otherwise, parse_moment(otherwise)
    if moment is None:
        return None, ""
    return moment, value if is_wire_form(value) else format_moment(moment)


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
