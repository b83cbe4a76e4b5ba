"""The shapes that several operations answer with, field for field as Segment's (contract: public-api 8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=255, description="A name for people.")]


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Names in snake case inside are in camel case on the wire."""


class Done(Shape, frozen=True, kw_only=True):
    """The answer of operations that have nothing to tell but that they succeeded (3)."""

    status: Literal["SUCCESS"] = "SUCCESS"


class Label(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """A mark on a resource."""

    key: str
    value: str
    description: str | None = None


class Logos(Shape, frozen=True, kw_only=True):
    """Addresses of pictures; empty, because nothing is loaded from outside hosts."""

    default: str = ""
    mark: str | None = None
    alt: str | None = None


class Option(Shape, frozen=True, kw_only=True):
    """A setting, as the catalogue describes it. What follows `label` is Headwater's own: the values it may have, if not
    any, what these are called, conditions on other settings, and how to show it.
    """

    name: str
    type: str
    required: bool
    description: str
    default_value: Any
    label: str
    choices: list[str] = []
    choice_labels: list[str] = []
    required_when: dict[str, Any] = {}
    depends_on: dict[str, Any] = {}
    placeholder: str = ""
    hidden: bool = False


class WorkspaceShape(Shape, frozen=True, kw_only=True):
    """The workspace of the token."""

    id: str
    slug: str
    name: str


class SourceMetadata(Shape, frozen=True, kw_only=True):
    """A kind of source."""

    id: str
    name: str
    slug: str
    description: str
    logos: Logos = Logos()
    options: list[Option] = []
    categories: list[str] = []
    is_cloud_event_source: bool = False
    status: str = "PUBLIC"
    partner_owned: bool = False


class SourceShape(Shape, frozen=True, kw_only=True):
    """A source; `writeKeys` is empty for a token that may not write sources (9)."""

    id: str
    slug: str
    name: str
    metadata: SourceMetadata
    workspace_id: str
    enabled: bool
    write_keys: list[str]
    settings: dict[str, Any]
    labels: list[Label]


class Component(Shape, frozen=True, kw_only=True):
    """Where a destination's code runs."""

    type: str
    code: str
    owner: str = "SEGMENT"


class Features(Shape, frozen=True, kw_only=True):
    """How often a destination may be connected to one source, and whether it takes replays."""

    cloud_mode_instances: str = "MULTIPLE"
    device_mode_instances: str = "NONE"
    replay: bool = True
    browser_unbundling: bool = False
    browser_unbundling_public: bool = False


class Methods(Shape, frozen=True, kw_only=True):
    """Which types of events a destination takes; `pageview` is page and screen."""

    pageview: bool
    identify: bool
    alias: bool
    track: bool
    group: bool


class Platforms(Shape, frozen=True, kw_only=True):
    """Which kinds of sources a destination takes events of."""

    browser: bool = True
    server: bool = True
    mobile: bool = True
    warehouse: bool = False
    cloud_app_object: bool = False
    linked_audiences: bool = False


class Choice(Shape, frozen=True, kw_only=True):
    """One of the values that a field may have."""

    value: str
    label: str


class ActionField(Shape, frozen=True, kw_only=True):
    """One field of an action. `defaultValue` is a mapping.

    What follows `hidden` is Headwater's own, and as the destination declares it: the fields of an object, conditions on
    other fields, and bounds.
    """

    id: str
    sort_order: int
    field_key: str
    label: str
    type: str
    description: str
    placeholder: str
    default_value: Any
    required: bool
    multiple: bool
    choices: list[Choice] | None
    dynamic: bool
    allow_null: bool
    hidden: bool
    properties: list[ActionField] = []
    additional_properties: bool = False
    format: str = ""
    category: str = ""
    minimum: float | None = None
    maximum: float | None = None
    read_only: bool = False
    object_ui: str = ""
    required_when: dict[str, Any] = {}
    depends_on: dict[str, Any] = {}


class HookShape(Shape, frozen=True, kw_only=True):
    """What is done on demand for a saved subscription, such as making a list, and the fields that it asks for."""

    slug: str
    label: str
    description: str
    fields: list[ActionField]


class ActionShape(Shape, frozen=True, kw_only=True):
    """One thing a destination can do. `batches`, `syncMode`, `hooks` and what these ask for are Headwater's own."""

    id: str
    slug: str
    name: str
    description: str
    platform: str
    hidden: bool
    default_trigger: str | None
    fields: list[ActionField]
    batches: bool = False
    sync_mode: dict[str, Any] = {}
    hooks: list[str] = []
    hook_forms: list[HookShape] = []


class PresetShape(Shape, frozen=True, kw_only=True):
    """A subscription that is offered. Those of the type `automatic` are made when the destination is connected.

    `type`, and the `event` that a preset is for, are Headwater's own.
    """

    action_id: str
    name: str
    fields: dict[str, Any]
    trigger: str
    type: str
    event: str


class DestinationMetadata(Shape, frozen=True, kw_only=True):
    """A destination of the catalogue; `id` and `slug` are its name there.

    `authentication` and what follows it are Headwater's own: how the owner proves who they are, whether that can be
    tested, whether people can be removed there and audiences made, and whether it opens connections of its own.
    """

    id: str
    name: str
    description: str
    slug: str
    logos: Logos
    options: list[Option]
    status: str
    previous_names: list[str]
    categories: list[str]
    website: str
    components: list[Component]
    supported_features: Features
    supported_methods: Methods
    supported_platforms: Platforms
    actions: list[ActionShape]
    presets: list[PresetShape]
    contacts: list[dict[str, Any]]
    partner_owned: bool
    supported_regions: list[str]
    region_endpoints: list[str]
    authentication: str = "none"
    tests_authentication: bool = False
    deletes: bool = False
    audience: dict[str, Any] = {}
    direct: bool = False


class DestinationShape(Shape, frozen=True, kw_only=True):
    """A connected destination. `paused` is Headwater's own: its events wait until it is resumed."""

    id: str
    name: str
    enabled: bool
    paused: bool
    metadata: DestinationMetadata
    source_id: str
    settings: dict[str, Any]


class WarehouseMetadata(Shape, frozen=True, kw_only=True):
    """A kind of warehouse; `id` and `slug` are the name of its engine."""

    id: str
    name: str
    slug: str
    description: str
    logos: Logos
    options: list[Option]


class WarehouseShape(Shape, frozen=True, kw_only=True):
    """A warehouse, with its secrets masked."""

    id: str
    name: str
    metadata: WarehouseMetadata
    workspace_id: str
    enabled: bool
    settings: dict[str, Any]
