"""What Segment's destinations declare, read from the built catalogue: the list at once, a definition when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from headwater.catalogue import declared, place
from headwater.catalogue.triggers import plain
from headwater.spec.destination import Action, Batch, DestinationDefinition, Field, Preset
from headwater.spec.errors import SetupError
from headwater.spec.mapping import SYNC_MODE

TYPES = frozenset({"alias", "group", "identify", "page", "screen", "track"})
"""Triggers choose; no destination refuses a type of event."""

BATCH_ITEMS = 100
_MOST_BATCH_ITEMS = 4_000
_LINGER_SECONDS = 1.0
_OF_ACTIONS = re.compile(r"^Actions | \(?Actions\)?$", re.IGNORECASE)
_NAMED = {"actions-customerio": ("Customer.io (Actions)",), "actions-webhook": ("Webhooks (Actions)",)}
HANDED_BACK = "This destination hands its events back to the platform; use the destination Headwater instead."
_HANDING_BACK = frozenset({"actions-segment", "actions-segment-profiles"})
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


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination does when a mapping is saved: the `fields` that it asks for, and what it gives (`outputs`).

    `ask("hook", ...)` performs it; what it saves goes into the mapping under its slug.
    """

    slug: str
    label: str
    description: str
    fields: tuple[Field, ...]
    outputs: dict[str, Any]


@lru_cache(maxsize=1)
def _categories() -> dict[str, tuple[str, ...]]:
    found: dict[str, str] = msgspec.json.decode(_CATEGORIES.read_bytes())
    return {slug: tuple(said.split(", ")) for slug, said in found.items()}


def summaries() -> tuple[Summary, ...]:
    """Every destination in a line, by slug. None without a catalogue."""
    return () if place.missing() else tuple(_summaries(place.folder()).values())


def names() -> tuple[str, ...]:
    """The slugs of all destinations, in alphabetical order. None without a catalogue."""
    return () if place.missing() else tuple(_summaries(place.folder()))


def direct(slug: str) -> bool:
    """Does this destination open connections of its own?"""
    line = None if place.missing() else _summaries(place.folder()).get(slug)
    return line is not None and line.direct


def hands_back(slug: str) -> bool:
    """Does it send nothing, but leave its events to the platform that runs it? Nobody can connect it here."""
    return slug in _HANDING_BACK


def definition(slug: str) -> DestinationDefinition:
    """The declaration of one destination. Raises SetupError without a catalogue, or when it has none of that name."""
    return _definition(place.folder(), slug)


def hooks(slug: str, action: str) -> tuple[Hook, ...]:
    """The hooks of an action. Raises SetupError like `definition`."""
    return _more(place.folder(), slug, action)[0]


def dynamic_fields(slug: str, action: str) -> tuple[str, ...]:
    """The paths of an action's fields whose choices `ask("dynamicField", ...)` gives, such as `list_id`.

    `x.__keys__` asks for keys of the object x, `x.__values__` for the value under any. Raises like `definition`.
    """
    return _more(place.folder(), slug, action)[1]


@lru_cache(maxsize=64)
def _more(folder: Path, slug: str, action: str) -> tuple[tuple[Hook, ...], tuple[str, ...]]:
    found = next((each for each in declared.declared(slug).actions if each.slug == action), None)
    if found is None:
        raise SetupError(f"{slug} has no action {action!r}.")
    made = (
        Hook(
            slug=hook.slug,
            label=hook.label,
            description=hook.description,
            fields=tuple(_field(field) for field in hook.fields),
            outputs=hook.outputs,
        )
        for hook in found.hooks
    )
    return tuple(made), tuple(found.dynamic)


@lru_cache(maxsize=1)
def _summaries(folder: Path) -> dict[str, Summary]:
    return {slug: _summary(line) for slug, line in declared.lines(folder).items()}


def _summary(line: declared.Line) -> Summary:
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
def _definition(folder: Path, slug: str) -> DestinationDefinition:
    found = declared.declared(slug)
    listed = _summaries(folder)[slug]
    fields = tuple(_setting(field) for field in found.fields)
    actions = {action.slug: _action(action) for action in found.actions}
    return DestinationDefinition(
        name=found.name,
        description=listed.description,
        website="",
        categories=listed.categories,
        fields=fields,
        event_types=TYPES,
        check=partial(check, found.name, fields),
        actions=tuple(actions.values()),
        # A few are for plugins of browsers, which are actions of another package.
        presets=tuple(_preset(preset, actions[preset.action]) for preset in found.presets if preset.action in actions),
        previous_names=_other_names(slug, found.name),
        credentials=found.authentication != "none",
        authentication=found.authentication,
        worker=True,
        direct=found.direct,
        tests_authentication=found.tests,
        deletes=found.deletes,
        audience=found.audience,
    )


def _other_names(slug: str, name: str) -> tuple[str, ...]:
    """What else Segment calls a destination: "X (Actions)" where it was made, "Actions X" where it is shown, or the
    other way round (contract: connections 2.4).
    """
    plain = _OF_ACTIONS.sub("", name)
    said = (f"{plain} (Actions)", f"Actions {plain}", *_NAMED.get(slug, ())) if plain != name else _NAMED.get(slug, ())
    return tuple(each for each in said if each != name)


def _preset(said: declared.Preset, action: Action) -> Preset:
    """A preset, with the action's sync mode where its mapping says none, as whoever sets it up would find chosen."""
    mode = action.sync_mode.get("default")
    return Preset(
        name=said.name,
        action=said.action,
        trigger=plain(said.trigger),
        mapping={SYNC_MODE: mode, **said.mapping} if mode else said.mapping,
        kind=said.kind,
        event=said.event,
    )


def _action(said: declared.Action) -> Action:
    fields = tuple(_field(field) for field in said.fields)
    if said.batches and not any(field.key == _BATCHING.key for field in fields):
        fields = (*fields, _BATCHING)
    return Action(
        slug=said.slug,
        name=said.name,
        description=said.description,
        fields=fields,
        trigger=plain(said.trigger),
        hidden=said.hidden,
        batches=said.batches,
        sync_mode=said.sync_mode,
        hooks=tuple(hook.slug for hook in said.hooks),
        batch=partial(batching, usual_keys=_batch_keys(fields)) if said.batches else None,
    )


def _batch_keys(fields: Iterable[Field]) -> tuple[str, ...]:
    default = next((field.default for field in fields if field.key == "batch_keys"), None)
    return tuple(str(key) for key in default) if isinstance(default, list) else ()


def batching(settings: dict[str, Any], mapping: dict[str, Any], *, usual_keys: tuple[str, ...] = ()) -> Batch:
    """How events of a subscription share a call: not at all unless its mapping says so (contract: connections 6.12).

    `usual_keys` are the fields that tell batches apart where the mapping does not say: destinations take such fields
    of the first event for all, and would send the others to a wrong address or list.
    """
    if mapping.get("enable_batching") is not True:
        return Batch()
    items, bytes_, keys = mapping.get("batch_size"), mapping.get("batch_bytes"), mapping.get("batch_keys")
    return Batch(
        items=min(items, _MOST_BATCH_ITEMS) if isinstance(items, int) and items > 0 else BATCH_ITEMS,
        body_bytes=bytes_ if isinstance(bytes_, int) and bytes_ > 0 else Batch().body_bytes,
        wait=_LINGER_SECONDS,
        keys=tuple(str(key) for key in keys) if isinstance(keys, list) else usual_keys,
    )


def _setting(said: declared.Field) -> Field:
    field = _field(said)
    if field.choices and not field.multiple:
        return msgspec.structs.replace(field, type="select")
    return msgspec.structs.replace(field, type="list") if field.multiple else field


def _field(said: declared.Field) -> Field:
    choices = [each if isinstance(each, declared.Choice) else declared.Choice(each, each) for each in said.choices]
    return Field(
        key=said.key,
        label=said.label,
        description=said.description,
        type=said.type,
        required=said.required is True,
        default=said.default,
        choices=tuple(str(choice.value) for choice in choices),
        choice_labels=tuple(choice.label or str(choice.value) for choice in choices),
        multiple=said.multiple,
        allow_null=said.allow_null,
        additional_properties=said.additional_properties,
        properties=tuple(_field(each) for each in said.properties),
        format=said.format,
        dynamic=said.dynamic,
        category=said.category,
        placeholder=said.placeholder,
        minimum=said.minimum,
        maximum=said.maximum,
        hidden=said.hidden,
        read_only=said.read_only,
        object_ui=said.object_ui,
        required_when=said.required if isinstance(said.required, dict) else {},
        depends_on=said.depends_on,
        disabled_inputs=tuple(said.disabled_input_methods),
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
