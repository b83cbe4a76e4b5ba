"""From a request to its items: splits batches and merges the envelope under each item (contract: connections 1.8)."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from headwater.spec.errors import SenderError
from headwater.spec.event import CollectedHeader
from headwater.spec.limits import MAX_BATCH_ITEMS, MAX_DEPTH, MAX_MERGED_BYTES, MAX_MESSAGE_BYTES
from headwater.spec.wire import JSON, decode, decode_as, too_deep

_NOTHING = msgspec.Raw(b"null")


class Envelope(msgspec.Struct):
    """A batch request; what is not of the right shape is read as absent."""

    batch: list[msgspec.Raw]
    context: msgspec.Raw = _NOTHING
    integrations: msgspec.Raw = _NOTHING
    sent_at: Any = msgspec.field(default=None, name="sentAt")


class Item(msgspec.Struct):
    """One message of a request: its object and its bytes as they came, or the reason why there is no object.

    `sent_at` is the envelope's, in the first item.
    """

    raw: bytes
    body: dict[str, JSON] | None
    reason: str = ""
    sent_at: Any = None


_envelope = msgspec.json.Decoder(Envelope)
_object = msgspec.json.Decoder(dict[str, Any])
_decode_object = _object.decode
_KEPT_BYTES = MAX_MESSAGE_BYTES


def unpack(header: CollectedHeader, value: bytes) -> list[Item]:
    """The items of a request. A request that fails as a whole is one item with the reason."""
    if header.refused:
        return [Item(value[:_KEPT_BYTES], None, header.refused)]
    if header.kind != "batch":
        return [read_item(value)]
    try:
        envelope = decode_as(value, _envelope)
    except (SenderError, msgspec.ValidationError):
        return [Item(value[:_KEPT_BYTES], None, "bad_request")]
    if not envelope.batch:
        return [Item(value[:_KEPT_BYTES], None, "empty_batch")]
    if len(envelope.batch) > MAX_BATCH_ITEMS:
        return [Item(value[:_KEPT_BYTES], None, "batch_too_long")]
    try:
        shared = _shared(envelope)
    except SenderError as error:
        return [Item(bytes(raw)[:_KEPT_BYTES], None, error.code) for raw in envelope.batch]
    read = _read_ascii if value.isascii() else read_item
    items = [read(bytes(raw)) for raw in envelope.batch]
    items[0].sent_at = envelope.sent_at
    if any(shared):
        _merge_envelope(shared, items)
    return items


def _shared(envelope: Envelope) -> tuple[JSON, JSON]:
    """The context and integrations that go under each item. A small request must not become a huge one by them.

    Raises SenderError, with a reason as its code, when they are too large for that, or nested too deeply.
    """
    parts = bytes(envelope.context), bytes(envelope.integrations)
    size = sum(map(len, parts))
    if size > MAX_MESSAGE_BYTES or size * len(envelope.batch) > MAX_MERGED_BYTES:
        raise SenderError("The context of the batch is too large.", code="message_too_large")
    if any(map(too_deep, parts)):
        raise SenderError("The context of the batch is nested too deeply.")
    return decode(parts[0]), decode(parts[1])


def read_item(raw: bytes) -> Item:
    """One message from its bytes."""
    if len(raw) > MAX_MESSAGE_BYTES:
        return Item(raw[:_KEPT_BYTES], None, "message_too_large")
    try:
        if too_deep(raw):
            return Item(raw, None, "bad_request")
        return Item(raw, decode_as(raw, _object))
    except (SenderError, msgspec.ValidationError, RecursionError):
        return Item(raw, None, "bad_request")


def _read_ascii(raw: bytes) -> Item:
    """The same for a message that is all ASCII: what is well formed, as nearly all are, needs no second look."""
    if len(raw) <= MAX_MESSAGE_BYTES and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        try:
            return Item(raw, _decode_object(raw))
        except (msgspec.DecodeError, RecursionError):
            pass
    return read_item(raw)


def _merge_envelope(shared: tuple[JSON, JSON], items: list[Item]) -> None:
    context, integrations = shared
    for item in items:
        if item.body is None:
            continue
        if context and isinstance(context, dict):
            item.body["context"] = _under(item.body.get("context"), cast("dict[str, JSON]", context))
        if integrations and isinstance(integrations, dict):
            item.body["integrations"] = _under(item.body.get("integrations"), cast("dict[str, JSON]", integrations))


def _under(value: JSON, base: dict[str, JSON]) -> JSON:
    """Merge deeply, with the item's value winning. What is not an object (and not null) is left for validation."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return value
    own = cast("dict[str, JSON]", value)
    merged: dict[str, JSON] = dict(base)
    for key, item in own.items():
        below = base.get(key)
        merged[key] = _under(item, cast("dict[str, JSON]", below)) if isinstance(below, dict) and item else item
    return merged
