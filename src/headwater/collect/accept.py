"""The heart: what a body says, read no further than its envelope, and whether it can be taken (contract: 1.6).

A single call that lacks what its type requires is answered 400 naming the field; an item of a batch that does so fails
alone, later, in the pipeline, which judges by the same rules in the same order. Nothing here waits or reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from headwater.collect.inflate import too_large
from headwater.collect.routes import Route
from headwater.collect.write_keys import first_key
from headwater.spec.errors import SenderError
from headwater.spec.limits import MAX_BATCH_ITEMS, MAX_DEPTH, MAX_MESSAGE_BYTES
from headwater.spec.wire import mend, too_deep

T = TypeVar("T")


class Call(msgspec.Struct, rename="camel"):
    """What is read of a single call, whatever its types; the rest of the body is only walked over."""

    write_key: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    event: Any = None
    group_id: Any = None
    previous_id: Any = None


class Envelope(msgspec.Struct, rename="camel"):
    """What is read of a batch: its key, and its items as bytes."""

    batch: list[msgspec.Raw]
    write_key: Any = None
    context: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    integrations: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sent_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _KeyOnly(msgspec.Struct, rename="camel"):
    write_key: Any = None


class Accepted(msgspec.Struct, frozen=True):
    """What becomes of a body.

    `value` is what is kept. `events` is how many events it counts for. `owner` is whom a single call is about (userId,
    else anonymousId). `envelope` is set for a batch that is taken. `refused` is the reason, from spec.outcome, for
    which nothing of it becomes an event, and `error` what the sender is told; with no error the answer is 200.
    """

    write_key: str
    value: bytes
    events: int = 1
    owner: str = ""
    envelope: Envelope | None = None
    refused: str = ""
    error: SenderError | None = None


_call: Callable[[bytes], Call] = msgspec.json.Decoder(Call).decode
_envelope: Callable[[bytes], Envelope] = msgspec.json.Decoder(Envelope).decode
_key_only: Callable[[bytes], _KeyOnly] = msgspec.json.Decoder(_KeyOnly).decode


def accept(route: Route, body: bytes, header_key: str) -> Accepted:
    """Judge the body of a call. The key of the header comes before that of the body (1.3)."""
    try:
        if route.form == "batch":
            return _accept_batch(body, header_key)
        return _accept_single(route.kind, body, header_key)
    except SenderError as error:
        return refuse(error, header_key or _key_of_refused(body), body)


def refuse(error: SenderError, write_key: str, body: bytes = b"") -> Accepted:
    """What becomes of a body that is answered with an error: kept for the outcome, up to 32 KB."""
    return Accepted(write_key, body[:MAX_MESSAGE_BYTES], refused=error.code, error=error)


def _accept_single(kind: str, body: bytes, header_key: str) -> Accepted:
    if len(body) > MAX_MESSAGE_BYTES:
        raise too_large(MAX_MESSAGE_BYTES)
    if too_deep(body):
        raise SenderError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    try:
        call, body = _open(body, _call)
    except msgspec.ValidationError:
        raise SenderError("The body must be a JSON object.") from None
    key = header_key or first_key(call.write_key)
    error = find_fault(kind, call)
    if error is not None:
        return refuse(error, key, body)
    return Accepted(key, body, owner=call.user_id or call.anonymous_id)


def _accept_batch(body: bytes, header_key: str) -> Accepted:
    try:
        envelope, body = _open(body, _envelope)
    except msgspec.ValidationError:
        raise SenderError("The body must be a JSON object whose batch is an array.", field="batch") from None
    items = envelope.batch
    key = header_key or first_key(envelope.write_key) or _key_of_items(items)
    if not items:
        return Accepted(key, body, refused="empty_batch")
    if len(items) > MAX_BATCH_ITEMS:
        return Accepted(key, body[:MAX_MESSAGE_BYTES], events=len(items), refused="batch_too_long")
    return Accepted(key, body, events=len(items), envelope=envelope)


def find_fault(kind: str, call: Call) -> SenderError | None:
    """What a single call lacks that its type requires (1.6, 1.7), or None. Null counts as absent."""
    if call.user_id is None and call.anonymous_id is None:
        return _fault("no_user_anon_id", "userId", "userId or anonymousId is required")
    for field, value in (
        ("userId", call.user_id),
        ("anonymousId", call.anonymous_id),
        ("groupId", call.group_id),
        ("previousId", call.previous_id),
    ):
        if value is not None and not (value and isinstance(value, str)):
            return _fault("id_not_string", field, f"{field} must be a string that is not empty")
    if kind == "track":
        if call.event is None or call.event == "":
            return _fault("event_not_defined", "event", "event is required on a track call")
        if not isinstance(call.event, str):
            return _fault("event_not_string", "event", "event must be a string")
    elif kind == "group":
        if call.group_id is None:
            return _fault("id_required", "groupId", "groupId is required on a group call")
    elif kind == "alias":
        for field, value in (("userId", call.user_id), ("previousId", call.previous_id)):
            if value is None:
                return _fault("id_required", field, f"{field} is required on an alias call")
    return None


def _fault(reason: str, field: str, sentence: str) -> SenderError:
    return SenderError(f"{sentence}.", code=reason, field=field)


def _open(body: bytes, decode: Callable[[bytes], T]) -> tuple[T, bytes]:
    """What the body says, and the body as it is kept: mended when it is only nearly JSON (clients 1.8).

    Raises SenderError for what is not JSON and msgspec.ValidationError for JSON of another shape.
    """
    try:
        if not body.isascii():
            body.decode()
        return decode(body), body
    except msgspec.ValidationError as error:
        if "out of range" not in str(error):
            raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    mended = mend(body)
    return decode(mended), mended


def _key_of_items(items: list[msgspec.Raw]) -> str:
    for item in items[:MAX_BATCH_ITEMS]:
        try:
            key = first_key(_key_only(bytes(item)).write_key)
        except (msgspec.DecodeError, RecursionError):
            continue
        if key:
            return key
    return ""


def _key_of_refused(body: bytes) -> str:
    try:
        return first_key(_key_only(body).write_key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
