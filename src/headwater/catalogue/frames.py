"""The lines of the pipe between Headwater and a worker: one JSON object each, of at most 16 MB.

Numbers are unique for each direction: a delivery's `id` is ours, a fetch's the worker's, with `d` for the delivery.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headwater.spec.wire import JSON, decode_as, encode

MOST_BYTES = 16_000_000


class Judged(msgspec.Struct, frozen=True):
    """The end of an event, or of all events, as the worker judged it; `body` is the start of the vendor's answer."""

    cls: str
    status: int = 0
    name: str = ""
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    body: str = ""


class Ready(msgspec.Struct, frozen=True, tag="ready", tag_field="t"):
    """The worker can be asked."""

    proto: int
    node: str
    bundle: str


class Result(msgspec.Struct, frozen=True, tag="result", tag_field="t"):
    """The end of a delivery or of a question."""

    id: int
    results: list[Judged] = []
    error: Judged | None = None
    data: JSON = None


class Fetch(msgspec.Struct, frozen=True, tag="fetch", tag_field="t"):
    """The worker asks for a request to be made."""

    id: int
    d: int
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str
    b64: bool
    timeout_ms: float
    redirect: str


class FetchCancel(msgspec.Struct, frozen=True, tag="fetch.cancel", tag_field="t"):
    """The worker no longer awaits an answer."""

    id: int


class Lock(msgspec.Struct, frozen=True, tag="lock", tag_field="t"):
    """A delivery is about to refresh its tokens."""

    id: int
    d: int


class Token(msgspec.Struct, frozen=True, tag="token", tag_field="t"):
    """A delivery refreshed its tokens."""

    id: int
    d: int
    tokens: dict[str, str]


class Log(msgspec.Struct, frozen=True, tag="log", tag_field="t"):
    """Something that happened in the worker, without anybody's data."""

    level: str
    m: str


class Pong(msgspec.Struct, frozen=True, tag="pong", tag_field="t"):
    """The worker lives; `rss` is its memory in bytes."""

    id: int
    rss: int
    inflight: int


Frame = Ready | Result | Fetch | FetchCancel | Lock | Token | Log | Pong
_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


def read(line: bytes) -> Frame:
    """A line of the worker's. Raises SenderError or msgspec.ValidationError for what is none."""
    return decode_as(line, _decoder)


def write(kind: str, **fields: Any) -> bytes:
    """A line for the worker."""
    return encode({"t": kind, **fields}) + b"\n"


def body(event: dict[str, JSON] | bytes) -> bytes:
    """An event as it goes into a line: bytes are passed on as they are, unless they break lines."""
    if not isinstance(event, bytes):
        return encode(event)
    return msgspec.json.format(event, indent=-1) if b"\n" in event else event
