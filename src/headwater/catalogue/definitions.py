"""What Segment's destinations declare, read from the built catalogue: the list at once, a definition when asked for."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from headwater.catalogue import place
from headwater.spec.destination import Action, Batch, DestinationDefinition, Field, Preset
from headwater.spec.errors import SetupError

TYPES = frozenset({"alias", "group", "identify", "page", "screen", "track"})
"""Triggers choose; no destination refuses a type of event."""

BATCH_ITEMS = 100
_MOST_BATCH_ITEMS = 1_000
_LINGER_SECONDS = 1.0
_CATEGORIES = Path(__file__).parent / "categories.json"
_USUAL_CATEGORY = "Other"
_BATCHING = Field(
    key="enable_batching",
    label="Batch events",
    description="Send events together in one request where the tool can take it.",
    type="boolean",
    default=False,
)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of a destination. `actions` and `presets` are how many it has."""

    slug: str
    name: str
    description: str
    categories: tuple[str, ...]
    authentication: str
    direct: bool
    audience: bool
    actions: int
    presets: int


class _Line(msgspec.Struct, frozen=True):
    slug: str
    name: str
    description: str
    authentication: str
    direct: bool
    audience: bool
    titles: list[str]
    actions: int
    presets: int


class _Choice(msgspec.Struct, frozen=True):
    value: Any
    label: str = ""


class _Field(msgspec.Struct, frozen=True, rename="camel"):
    """A field as Segment's definitions write it (contract: connections 6.8)."""

    key: str
    label: str = ""
    description: str = ""
    type: str = "string"
    required: bool | dict[str, Any] = False
    default: Any = None
    choices: list[_Choice | str] = []
    multiple: bool = False
    allow_null: bool = False
    additional_properties: bool = False
    properties: list[_Field] = []
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


class _Hook(msgspec.Struct, frozen=True):
    slug: str


class _Action(msgspec.Struct, frozen=True, rename="camel"):
    slug: str
    name: str
    description: str
    trigger: str
    hidden: bool
    batches: bool
    sync_mode: dict[str, Any]
    hooks: list[_Hook]
    fields: list[_Field]


class _Preset(msgspec.Struct, frozen=True):
    name: str
    action: str
    trigger: str
    mapping: dict[str, Any]
    kind: str
    event: str = ""


class _Declared(msgspec.Struct, frozen=True):
    slug: str
    name: str
    description: str
    authentication: str
    tests: bool
    refreshes: bool
    deletes: bool
    direct: bool
    fields: list[_Field]
    audience: dict[str, Any]
    presets: list[_Preset]
    actions: list[_Action]


@lru_cache(maxsize=1)
def _categories() -> dict[str, tuple[str, ...]]:
    found: dict[str, str] = msgspec.json.decode(_CATEGORIES.read_bytes())
    return {slug: tuple(said.split(", ")) for slug, said in found.items()}


def summaries() -> tuple[Summary, ...]:
    """Every destination in a line, by slug. None without a catalogue."""
    return () if place.missing() else tuple(_lines().values())


def names() -> tuple[str, ...]:
    """The slugs of all destinations, in alphabetical order. None without a catalogue."""
    return () if place.missing() else tuple(_lines())


def direct(slug: str) -> bool:
    """Does this destination open connections of its own?"""
    line = None if place.missing() else _lines().get(slug)
    return line is not None and line.direct


def definition(slug: str) -> DestinationDefinition:
    """The declaration of one destination. Raises SetupError without a catalogue, or when it has none of that name."""
    if slug not in _lines():
        raise SetupError(f"Segment's catalogue has no destination {slug!r}.")
    return _definition(place.folder() / "destinations" / f"{slug}.json")


def _lines() -> dict[str, Summary]:
    return _read_lines(id(place.index()))


@lru_cache(maxsize=1)
def _read_lines(_: int) -> dict[str, Summary]:
    read = (msgspec.json.decode(line, type=_Line) for line in place.index().destinations)
    return {line.slug: _summary(line) for line in read}


def _summary(line: _Line) -> Summary:
    return Summary(
        slug=line.slug,
        name=line.name,
        description=line.description or _described(line.titles),
        categories=_categories().get(line.slug, (_USUAL_CATEGORY,)),
        authentication=line.authentication,
        direct=line.direct,
        audience=line.audience,
        actions=line.actions,
        presets=line.presets,
    )


def _described(titles: list[str]) -> str:
    shown = ", ".join(title.strip() for title in titles[:4])
    return f"Actions: {shown}{' and more' if len(titles) > 4 else ''}."


@lru_cache(maxsize=256)
def _definition(file: Path) -> DestinationDefinition:
    declared = msgspec.json.decode(file.read_bytes(), type=_Declared)
    fields = tuple(_setting(field) for field in declared.fields)
    listed = _lines()[declared.slug]
    return DestinationDefinition(
        name=declared.name,
        description=listed.description,
        website="",
        categories=listed.categories,
        fields=fields,
        event_types=TYPES,
        check=partial(check, declared.name, fields),
        actions=tuple(_action(action) for action in declared.actions),
        presets=tuple(
            Preset(
                name=each.name,
                action=each.action,
                trigger=each.trigger,
                mapping=each.mapping,
                kind=each.kind,
                event=each.event,
            )
            for each in declared.presets
        ),
        credentials=declared.authentication != "none",
        authentication=declared.authentication,
        worker=True,
        direct=declared.direct,
        tests_authentication=declared.tests,
        deletes=declared.deletes,
        audience=declared.audience,
    )


def _action(declared: _Action) -> Action:
    fields = tuple(_field(field) for field in declared.fields)
    if declared.batches and not any(field.key == _BATCHING.key for field in fields):
        fields = (*fields, _BATCHING)
    return Action(
        slug=declared.slug,
        name=declared.name,
        description=declared.description,
        fields=fields,
        trigger=declared.trigger,
        hidden=declared.hidden,
        batches=declared.batches,
        sync_mode=declared.sync_mode,
        hooks=tuple(hook.slug for hook in declared.hooks),
        batch=batching if declared.batches else None,
    )


def batching(settings: dict[str, Any], mapping: dict[str, Any]) -> Batch:
    """How events of a subscription share a call: not at all unless its mapping says so (contract: connections 6.12)."""
    if mapping.get("enable_batching") is not True:
        return Batch()
    items, bytes_, keys = mapping.get("batch_size"), mapping.get("batch_bytes"), mapping.get("batch_keys")
    return Batch(
        items=min(items, _MOST_BATCH_ITEMS) if isinstance(items, int) and items > 0 else BATCH_ITEMS,
        body_bytes=bytes_ if isinstance(bytes_, int) and bytes_ > 0 else Batch().body_bytes,
        wait=_LINGER_SECONDS,
        keys=tuple(str(key) for key in keys) if isinstance(keys, list) else (),
    )


def _setting(declared: _Field) -> Field:
    field = _field(declared)
    if field.choices and not field.multiple:
        return msgspec.structs.replace(field, type="select")
    return msgspec.structs.replace(field, type="list") if field.multiple else field


def _field(declared: _Field) -> Field:
    choices = [each if isinstance(each, _Choice) else _Choice(each, each) for each in declared.choices]
    return Field(
        key=declared.key,
        label=declared.label,
        description=declared.description,
        type=declared.type,
        required=declared.required is True,
        default=declared.default,
        choices=tuple(str(choice.value) for choice in choices),
        choice_labels=tuple(choice.label or str(choice.value) for choice in choices),
        multiple=declared.multiple,
        allow_null=declared.allow_null,
        additional_properties=declared.additional_properties,
        properties=tuple(_field(each) for each in declared.properties),
        format=declared.format,
        dynamic=declared.dynamic,
        category=declared.category,
        placeholder=declared.placeholder,
        minimum=declared.minimum,
        maximum=declared.maximum,
        hidden=declared.hidden,
        read_only=declared.read_only,
        object_ui=declared.object_ui,
        required_when=declared.required if isinstance(declared.required, dict) else {},
        depends_on=declared.depends_on,
    )


def check(name: str, fields: tuple[Field, ...], settings: dict[str, Any]) -> None:
    """Raises SetupError when a required setting is missing, or one is none of its choices."""
    for field in fields:
        value = settings.get(field.key)
        if value in (None, "", [], {}):
            if field.required:
                raise SetupError(f"{name} needs the setting {field.label or field.key} ({field.key}).")
        elif field.type == "select" and str(value) not in field.choices:
            raise SetupError(f"{field.label or field.key} must be one of {', '.join(field.choices)}.")
