"""How a destination is described: settings, actions and their fields, and what an action does.

A destination either takes whole events (`action`), or has `actions`, each with fields; a connection then has
subscriptions, each with a trigger, an action and a mapping from events to the action's fields (contract: connections
6.8). What an action does is a pure generator of requests: it yields a Request, is sent the Response, and yields the
next until it returns. Deliver drives it, so time-outs, retries, signing, redaction, samples and dry runs are written
once. A retry starts again at the first request, so an action's requests must bear repeating. What does not speak HTTP
declares a `writer` instead. Actions of the catalogue have neither: its worker performs them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Protocol

import msgspec

from headwater.spec.wire import JSON


class Request(msgspec.Struct, frozen=True):
    """An HTTP request to make. `body` is sent as it is. `timeout` is in seconds and covers the whole exchange.

    `secrets` are values that must not show in samples, beyond those of secret settings. At most so many `redirects` are
    followed, and an answer's body is cut at `most` bytes.
    """

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    timeout: float = 10.0
    secrets: tuple[str, ...] = ()
    redirects: int = 0
    most: int = 65_536


class Response(msgspec.Struct, frozen=True):
    """An HTTP answer. Header names are in lower case; `body` is cut where the request says."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""


class Failed(msgspec.Struct, frozen=True):
    """Why one item of a batch failed although the exchange succeeded. `again`: it may succeed if sent again later."""

    detail: str
    again: bool = False
    status: int = 0


Result = dict[int, Failed] | None
"""Which items of a batch failed although the exchange succeeded, by index. None: nobody."""

Steps = Generator[Request, Response, Result]


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event due for delivery: its published JSON as bytes, and what the log's header says of it.

    `payload` is what the mapping of a subscription made of it, for actions that have fields.
    """

    body: bytes
    type: str
    name: str
    message_id: str
    position: int
    received_at: int
    payload: dict[str, Any] = {}

    def read(self) -> dict[str, JSON]:
        """The event as a JSON object."""
        return msgspec.json.decode(self.body)


class NoAnswer(Exception):
    """A request or a writing that got no answer.

    `reason` is UNREACHABLE or TIMEOUT, which may pass; UNAUTHORIZED, when the owner's credentials are refused; or
    PRIVATE_ADDRESS, INVALID_SETTINGS, MESSAGE_REJECTED or INTERNAL, which last.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Writer(Protocol):
    """The open connection of a destination that does not speak HTTP."""

    def write(self, items: Sequence[Item]) -> Awaitable[Result]:
        """Write the items durably, and return which of them failed. Raises NoAnswer when none could be written."""
        ...

    def close(self) -> Awaitable[None]:
        """Let go of the connection."""
        ...


Guard = Callable[[str, int], Awaitable[str]]
"""From a host and port to the address to connect to. Raises NoAnswer for one that may not be reached."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a destination, or one field of an action, as a form, the API and the docs show it (6.8).

    As a setting, `type` is one of `string`, `text`, `number`, `boolean`, `select`, `map`, `list`, `password`,
    `secrets`; a password, and every value of the map `secrets`, is sealed at rest and never shown. As a field of an
    action it is one of `string`, `text`, `number`, `integer`, `datetime`, `boolean`, `password`, `object`; `default` is
    then a mapping. `required_when` and `depends_on` are conditions on other fields, in the contract's form.
    """

    key: str
    label: str
    description: str
    type: str = "string"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    choice_labels: tuple[str, ...] = ()
    multiple: bool = False
    allow_null: bool = False
    additional_properties: bool = False
    properties: tuple[Field, ...] = ()
    format: str = ""
    dynamic: bool = False
    category: str = ""
    placeholder: str = ""
    minimum: float | None = None
    maximum: float | None = None
    hidden: bool = False
    read_only: bool = False
    object_ui: str = ""
    required_when: dict[str, Any] = {}
    depends_on: dict[str, Any] = {}
    disabled_inputs: tuple[str, ...] = ()
    """Ways of filling it that are not offered: `literal`, `variable`, `function`, `enrichment`, `freeform`."""

    @property
    def secret(self) -> bool:
        return self.type in ("password", "secrets")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """How many items one request may carry, and how long the first may wait for the others (seconds).

    Items share a request only if the fields of their payloads that `keys` names are equal.
    """

    items: int = 1
    body_bytes: int = 4_000_000
    wait: float = 0.0
    keys: tuple[str, ...] = ()


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a destination can do.

    `steps(settings, items)` yields its requests; an action with `fields` finds each item's `payload` made and checked.
    `writer(settings, guard)` opens a connection instead. `batch(settings, mapping)` says how items are grouped.
    `sync_mode`, `hooks` and `dynamic` are as the catalogue's manifest has them.
    """

    slug: str = ""
    name: str
    description: str
    fields: tuple[Field, ...] = ()
    trigger: str = ""
    hidden: bool = False
    batches: bool = False
    sync_mode: dict[str, Any] = {}
    hooks: tuple[str, ...] = ()
    steps: Callable[[dict[str, Any], Sequence[Item]], Steps] | None = None
    writer: Callable[[dict[str, Any], Guard], Awaitable[Writer]] | None = None
    batch: Callable[[dict[str, Any], dict[str, Any]], Batch] | None = None


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that is offered, or made at once when a destination is connected (`automatic`; 6.8).

    `event` is the slug of what the preset is for, if `kind` is `specificEvent`.
    """

    name: str
    action: str
    trigger: str
    mapping: dict[str, Any]
    kind: str = "automatic"
    event: str = ""


class DestinationDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What one destination of the catalogue declares.

    It has either one `action` that takes whole events, or `actions` for subscriptions. `check(settings)` raises
    SetupError for settings that cannot work; `batch(settings)` says how whole events are grouped. `authentication` is
    one of `none`, `custom`, `basic`, `oauth2`, `oauth2-client-credentials`, `oauth-managed`.
    """

    name: str
    description: str
    website: str
    categories: tuple[str, ...]
    fields: tuple[Field, ...]
    event_types: frozenset[str]
    check: Callable[[dict[str, Any]], None]
    action: Action | None = None
    actions: tuple[Action, ...] = ()
    presets: tuple[Preset, ...] = ()
    batch: Callable[[dict[str, Any]], Batch] | None = None
    previous_names: tuple[str, ...] = ()
    concurrency: int = 8
    requests_per_second: float = 0.0
    credentials: bool = False
    """The destination has credentials of its owner: an answer of 401 or 403 pauses it instead of failing its events."""

    authentication: str = "none"
    storage: bool = False
    """It keeps events as they came, whatever destinations their sender wished for."""

    worker: bool = False
    """Its actions are performed by the catalogue's worker."""

    direct: bool = False
    """It opens its own connections, so it needs the worker that may, which is off unless it is switched on."""

    tests_authentication: bool = False
    deletes: bool = False
    audience: dict[str, Any] = {}

    def find(self, slug: str) -> Action | None:
        """The action of that slug."""
        return next((action for action in self.actions if action.slug == slug), None)


Exchange = Callable[[Request], Awaitable[Response]]
"""The only way out: makes one request. Raises NoAnswer."""
