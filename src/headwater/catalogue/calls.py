"""What is asked of the worker and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import msgspec

from headwater.spec.wire import JSON

Tokens = dict[str, str]
"""OAuth tokens of a connection: `access_token`, `refresh_token`, and the app's `clientId` and `clientSecret`."""

SaveTokens = Callable[[Tokens], Awaitable[None]]
"""Remembers the tokens that a refresh gave: `access_token`, and `refresh_token` if it changed."""

HoldTokens = Callable[[], AbstractAsyncContextManager[Tokens]]
"""Takes the connection's turn to refresh; what it gives are the tokens as they stand once it has the turn."""

Kind = Literal["ok", "skipped", "retry", "auth", "permanent"]
"""What became of an event: performed; not subscribed; may succeed later; credentials refused; never will succeed."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Perform one subscription's action for events: `trigger`, `action` and `mapping` as it has them.

    `settings` are clear. An event is an object, or its JSON as bytes, which is not read. With `batch` the action gets
    all events at once, if it can; otherwise one by one. `deadline` is in seconds and covers the whole of it.
    """

    destination: str
    action: str
    trigger: str
    mapping: dict[str, Any]
    settings: dict[str, Any]
    events: Sequence[dict[str, JSON] | bytes]
    batch: bool = False
    tokens: Tokens = {}
    features: dict[str, Any] = {}
    deadline: float = 30.0


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event. `status` is an HTTP status or 0, `code` a stable word, `retry_after` in seconds.

    `code` may be a reason of deliver (`PRIVATE_ADDRESS`, `INVALID_SETTINGS`), a code of the destination's own, or one
    of the room's: `UNKNOWN_DESTINATION`, `UNKNOWN_ACTION`, `INVALID_TRIGGER`, `OAUTH_REFRESH_FAILED`, `TIMEOUT`,
    `WORKER_ENDED`, `WORKER_AWAY`, `KILLED_WORKERS`, `TOO_LARGE`, and `CRASH` for a bug inside a destination.
    """

    kind: Kind
    status: int = 0
    code: str = ""
    message: str = ""
    retry_after: float | None = None


class Answer(msgspec.Struct, frozen=True):
    """What became of each event of a call, in its order. `events` are calls to be collected that it returned."""

    items: tuple[Ended, ...]
    events: list[dict[str, JSON]] = []


def all_alike(call: Call, ended: Ended) -> Answer:
    """The same end for every event of a call."""
    return Answer((ended,) * len(call.events))
