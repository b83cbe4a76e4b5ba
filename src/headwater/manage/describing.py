"""The catalogue's destinations as the API describes them (contract: public-api 8, DestinationMetadata).

Each is described once and kept: definitions do not change while a process runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headwater import destinations as catalogue
from headwater.catalogue import Hook
from headwater.catalogue import hooks as hooks_of
from headwater.manage.answers import (
    ActionField,
    ActionShape,
    Choice,
    Component,
    DestinationMetadata,
    Features,
    HookShape,
    Logos,
    Methods,
    Option,
    Platforms,
    PresetShape,
)
from headwater.spec.destination import Action, DestinationDefinition, Field, Preset

_described: Final[dict[str, tuple[DestinationDefinition, DestinationMetadata]]] = {}


def show_options(fields: Sequence[Field]) -> list[Option]:
    """The settings that a definition declares. The default of a secret is not shown, should one have been declared."""
    return [
        Option(
            name=field.key,
            type=field.type,
            required=field.required,
            description=field.description,
            default_value=None if field.secret else field.default,
            label=field.label,
            choices=list(field.choices),
            choice_labels=list(field.choice_labels),
            required_when=field.required_when,
            depends_on=field.depends_on,
            placeholder=field.placeholder,
            hidden=field.hidden,
        )
        for field in fields
    ]


def find_definition(slug: str) -> DestinationDefinition | None:
    """A destination of the catalogue; None when it is not there."""
    return catalogue.definition(slug) if slug in catalogue.names() else None


def show_definition(slug: str) -> DestinationMetadata:
    """A destination of the catalogue; one that is no longer there shows as unavailable."""
    definition = find_definition(slug)
    if definition is None:
        return _metadata(slug, None, "This destination is no longer in the catalogue.")
    known = _described.get(slug)
    if known is None or known[0] is not definition:
        known = _described[slug] = definition, _metadata(slug, definition, definition.description)
    return known[1]


def fields_of(slug: str) -> tuple[Field, ...]:
    """The settings of a destination of the catalogue: its own, and those that all have; none when it is not there."""
    definition = find_definition(slug)
    return () if definition is None else definition.fields + catalogue.COMMON_FIELDS


def action_id(slug: str, action: str) -> str:
    """The id of an action of a destination."""
    return f"{slug}.{action}"


def action_named(slug: str, definition: DestinationDefinition, name: str) -> Action | None:
    """An action by its id or slug. A destination that takes whole events has none to subscribe to."""
    return definition.find(name.removeprefix(f"{slug}.")) or definition.find(name)


def _metadata(slug: str, definition: DestinationDefinition | None, description: str) -> DestinationMetadata:
    types = definition.event_types if definition else frozenset[str]()
    return DestinationMetadata(
        id=slug,
        name=definition.name if definition else slug,
        description=description,
        slug=slug,
        logos=Logos(),
        options=show_options(fields_of(slug)),
        status="PUBLIC" if definition else "UNAVAILABLE",
        previous_names=list(definition.previous_names) if definition else [],
        categories=list(definition.categories) if definition else [],
        website=definition.website if definition else "",
        components=[Component(type="SERVER", code="")],
        supported_features=Features(),
        supported_methods=Methods(
            pageview=bool(types & {"page", "screen"}),
            identify="identify" in types,
            alias="alias" in types,
            track="track" in types,
            group="group" in types,
        ),
        supported_platforms=Platforms(),
        actions=_actions(slug, definition) if definition else [],
        presets=[_preset(slug, one) for one in definition.presets] if definition else [],
        contacts=[],
        partner_owned=False,
        supported_regions=[],
        region_endpoints=[],
        authentication=definition.authentication if definition else "none",
        tests_authentication=bool(definition and definition.tests_authentication),
        deletes=bool(definition and definition.deletes),
        audience=definition.audience if definition else {},
        direct=bool(definition and definition.direct),
    )


def _actions(slug: str, definition: DestinationDefinition) -> list[ActionShape]:
    if definition.action is None:
        return [_action(slug, one, one.trigger, hooks=definition.worker) for one in definition.actions]
    every = " or ".join(f'type = "{type}"' for type in sorted(definition.event_types))
    return [_action(slug, definition.action, every)]


def _action(slug: str, action: Action, trigger: str, *, hooks: bool = False) -> ActionShape:
    id = action_id(slug, action.slug)
    asked = hooks_of(slug, action.slug) if hooks and action.hooks else ()
    return ActionShape(
        id=id,
        slug=action.slug,
        name=action.name,
        description=action.description,
        platform="CLOUD",
        hidden=action.hidden,
        default_trigger=trigger or None,
        fields=_fields(id, action.fields),
        batches=action.batches,
        sync_mode=action.sync_mode,
        hooks=list(action.hooks),
        hook_forms=[_hook(id, one) for one in asked],
    )


def _hook(above: str, hook: Hook) -> HookShape:
    fields = _fields(f"{above}.{hook.slug}", hook.fields)
    return HookShape(slug=hook.slug, label=hook.label, description=hook.description, fields=fields)


def _fields(above: str, fields: Sequence[Field]) -> list[ActionField]:
    return [_field(f"{above}.{field.key}", place, field) for place, field in enumerate(fields)]


def _field(id: str, place: int, field: Field) -> ActionField:
    labels = field.choice_labels or field.choices
    pairs = zip(field.choices, labels, strict=True)
    return ActionField(
        id=id,
        sort_order=place,
        field_key=field.key,
        label=field.label,
        type=field.type.upper(),
        description=field.description,
        placeholder=field.placeholder,
        default_value=None if field.secret else field.default,
        required=field.required,
        multiple=field.multiple,
        choices=[Choice(value=value, label=label) for value, label in pairs] or None,
        dynamic=field.dynamic,
        allow_null=field.allow_null,
        hidden=field.hidden,
        properties=_fields(id, field.properties),
        additional_properties=field.additional_properties,
        format=field.format,
        category=field.category,
        minimum=field.minimum,
        maximum=field.maximum,
        read_only=field.read_only,
        object_ui=field.object_ui,
        required_when=field.required_when,
        depends_on=field.depends_on,
    )


def _preset(slug: str, preset: Preset) -> PresetShape:
    return PresetShape(
        action_id=action_id(slug, preset.action),
        name=preset.name,
        fields=preset.mapping,
        trigger=preset.trigger,
        type=preset.kind,
        event=preset.event,
    )
