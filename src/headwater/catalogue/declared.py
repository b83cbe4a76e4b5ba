"""The built catalogue as it is written: what Segment's definitions declare, in their own words (connections 6.8)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from headwater.catalogue import place
from headwater.spec.errors import SetupError


class Line(msgspec.Struct, frozen=True):
    """A destination in the list; `titles` are those of its actions."""

    slug: str
    name: str
    description: str
    authentication: str
    direct: bool
    audience: bool
    titles: list[str]
    actions: int
    presets: int


class Choice(msgspec.Struct, frozen=True):
    """A value to choose."""

    value: Any
    label: str = ""


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """A setting, or a field of an action or a hook."""

    key: str
    label: str = ""
    description: str = ""
    type: str = "string"
    required: bool | dict[str, Any] = False
    default: Any = None
    choices: list[Choice | str] = []
    multiple: bool = False
    allow_null: bool = False
    additional_properties: bool = False
    properties: list[Field] = []
    format: str = ""
    dynamic: bool = False
    category: str = ""
    placeholder: str = ""
    minimum: float | None = None
    maximum: float | None = None
    hidden: bool = msgspec.field(name="unsafe_hidden", default=False)
    read_only: bool = False
    object_ui: str = msgspec.field(name="defaultObjectUI", default="")
    depends_on: dict[str, Any] = msgspec.field(name="depends_on", default={})
    disabled_input_methods: list[str] = []


class Hook(msgspec.Struct, frozen=True):
    """What is done when a mapping is saved."""

    slug: str
    label: str
    description: str
    fields: list[Field]
    outputs: dict[str, Any]


class Action(msgspec.Struct, frozen=True, rename="camel"):
    """An action; `dynamic` are paths of fields whose choices are asked for."""

    slug: str
    name: str
    description: str
    trigger: str
    hidden: bool
    batches: bool
    sync_mode: dict[str, Any]
    hooks: list[Hook]
    dynamic: list[str]
    fields: list[Field]


class Preset(msgspec.Struct, frozen=True):
    """A subscription that is offered."""

    name: str
    action: str
    trigger: str
    mapping: dict[str, Any]
    kind: str
    event: str = ""


class Declared(msgspec.Struct, frozen=True):
    """A destination, whole."""

    slug: str
    name: str
    description: str
    authentication: str
    tests: bool
    refreshes: bool
    deletes: bool
    direct: bool
    fields: list[Field]
    audience: dict[str, Any]
    presets: list[Preset]
    actions: list[Action]


@lru_cache(maxsize=1)
def lines(folder: Path) -> dict[str, Line]:
    """The list, by slug. Raises SetupError without a catalogue."""
    read = (_read_line(line) for line in place.index().destinations)
    return {line.slug: line for line in read}


def declared(slug: str) -> Declared:
    """One destination. Raises SetupError without a catalogue, or when it has none of that name."""
    folder = place.folder()
    if slug not in lines(folder):
        raise SetupError(f"Segment's catalogue has no destination {slug!r}.")
    return _read_declared((folder / "destinations" / f"{slug}.json").read_bytes())


_read_line, _read_declared = msgspec.json.Decoder(Line).decode, msgspec.json.Decoder(Declared).decode
