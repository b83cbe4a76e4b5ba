"""How a destination is described: settings, actions, and what an action does, as a generator of requests.

An action does no I/O. It yields a Request, is sent the Response, and yields the next until it returns; deliver drives
it, so time-outs, retries, signing, redaction, samples and dry runs are written once. A retry starts again at the first
request, so an action's requests must bear repeating.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import msgspec

from headwater.spec.wire import JSON


class Request(msgspec.Struct, frozen=True):
    """An HTTP request to make. `body` is sent as it is. `timeout` is in seconds and covers the whole exchange.

    `secrets` are values that must not show in samples, beyond those of secret settings.
    """

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    timeout: float = 10.0
    secrets: tuple[str, ...] = ()


class Response(msgspec.Struct, frozen=True):
    """An HTTP answer. Header names are in lower case; `body` is cut at 64 KB."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""


Result = dict[int, str] | None
"""Which items of a batch failed although the exchange succeeded: index to what the destination said. None: nobody."""

Steps = Generator[Request, Response, Result]


class Item(msgspec.Struct, frozen=True):
    """One event due for delivery: its published JSON as bytes, and what the log's header says of it."""

    body: bytes
    type: str
    name: str
    message_id: str
    position: int
    received_at: int

    def read(self) -> dict[str, JSON]:
        """The event as a JSON object."""
        return msgspec.json.decode(self.body)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a destination, as a form, the API and the docs show it.

    `type` is one of `string`, `text`, `number`, `boolean`, `select`, `map`, `list`, `password`, `secrets`. A password,
    and every value of the map `secrets`, is sealed at rest and never shown.
    """

    key: str
    label: str
    description: str
    type: str = "string"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        return self.type in ("password", "secrets")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """How many items one request may carry, and how long the first may wait for the others (seconds)."""

    items: int = 1
    body_bytes: int = 4_000_000
    wait: float = 0.0


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a destination can do. `steps(settings, items)` yields its requests."""

    name: str
    description: str
    steps: Callable[[dict[str, Any], Sequence[Item]], Steps]


class DestinationDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of the catalogue declares. The file's name is its slug.

    `check(settings)` raises SetupError for settings that cannot work; `batch(settings)` says how events are grouped.
    `hosts(settings)` names the hosts that requests will go to, for documentation and tests of the egress guard.
    """

    name: str
    description: str
    website: str
    categories: tuple[str, ...]
    fields: tuple[Field, ...]
    action: Action
    event_types: frozenset[str]
    check: Callable[[dict[str, Any]], None]
    batch: Callable[[dict[str, Any]], Batch]
    previous_names: tuple[str, ...] = ()
    concurrency: int = 8
    requests_per_second: float = 0.0
    credentials: bool = False
    """The destination has credentials of its owner: an answer of 401 or 403 pauses it instead of failing its events."""
