"""The workspace's resources as they are shown over the API (contract: public-api 8)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headwater import destinations as catalogue
from headwater.manage import scopes
from headwater.manage.answers import (
    ActionShape,
    Component,
    DestinationMetadata,
    DestinationShape,
    Features,
    Label,
    Logos,
    Methods,
    Option,
    Platforms,
    SourceShape,
    WarehouseMetadata,
    WarehouseShape,
)
from headwater.manage.desk import Caller
from headwater.manage.forms import masked
from headwater.manage.kinds import kind
from headwater.spec.destination import DestinationDefinition, Field
from headwater.spec.workspace import Destination, Source, Warehouse, Workspace
from headwater.warehouse import engines


def connected(warehouse: Warehouse, source_id: str) -> bool:
    """Does the warehouse load that source when it is switched on?"""
    named = warehouse.all_sources or source_id in warehouse.source_ids
    return named and source_id not in warehouse.without_source_ids


def show_source(source: Source, workspace: Workspace, caller: Caller) -> SourceShape:
    """A source; its write keys only to those who may write sources (9)."""
    return SourceShape(
        id=source.id,
        slug=source.slug,
        name=source.name,
        metadata=kind(source.kind),
        workspace_id=workspace.id,
        enabled=source.enabled,
        write_keys=list(source.write_keys) if scopes.allows(caller.scopes, "sources:write") else [],
        settings=source.settings,
        labels=[msgspec.convert(label, Label) for label in source.labels],
    )


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
        )
        for field in fields
    ]


def show_definition(slug: str) -> DestinationMetadata:
    """A destination of the catalogue; one that is no longer there shows as unavailable."""
    if slug not in catalogue.names():
        return _metadata(slug, None)
    return _metadata(slug, catalogue.definition(slug))


def fields_of(slug: str) -> tuple[Field, ...]:
    """The settings of a destination of the catalogue: its own, and those that all have; none when it is not there."""
    if slug not in catalogue.names():
        return ()
    return catalogue.definition(slug).fields + catalogue.COMMON_FIELDS


def show_destination(destination: Destination) -> DestinationShape:
    """A connected destination, with secrets masked."""
    return DestinationShape(
        id=destination.id,
        name=destination.name,
        enabled=destination.enabled,
        paused=destination.paused,
        metadata=show_definition(destination.definition),
        source_id=destination.source_id,
        settings=masked(destination.settings, fields_of(destination.definition)),
    )


def show_engine(name: str) -> WarehouseMetadata:
    """A kind of warehouse; one that is no longer there shows by its name alone."""
    known = name in engines.names()
    definition = engines.definition(name) if known else None
    return WarehouseMetadata(
        id=name,
        name=definition.name if definition else name,
        slug=name,
        description=definition.description if definition else "This kind of warehouse is no longer there.",
        logos=Logos(),
        options=show_options(definition.fields if definition else ()),
    )


def show_warehouse(warehouse: Warehouse, workspace: Workspace) -> WarehouseShape:
    """A warehouse, with secrets masked."""
    known = warehouse.engine in engines.names()
    fields = engines.definition(warehouse.engine).fields if known else ()
    return WarehouseShape(
        id=warehouse.id,
        name=warehouse.name,
        metadata=show_engine(warehouse.engine),
        workspace_id=workspace.id,
        enabled=warehouse.enabled,
        settings=masked(warehouse.settings, fields),
    )


def _metadata(slug: str, definition: DestinationDefinition | None) -> DestinationMetadata:
    types = definition.event_types if definition else frozenset[str]()
    return DestinationMetadata(
        id=slug,
        name=definition.name if definition else slug,
        description=definition.description if definition else "This destination is no longer in the catalogue.",
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
        actions=[_action(slug, definition)] if definition and definition.action else [],
        presets=[],
        contacts=[],
        partner_owned=False,
        supported_regions=[],
        region_endpoints=[],
    )


def _action(slug: str, definition: DestinationDefinition) -> ActionShape:
    action = definition.action
    assert action is not None
    return ActionShape(
        id=f"{slug}.{action.slug}",
        slug=action.slug,
        name=action.name,
        description=action.description,
        platform="CLOUD",
        hidden=False,
        default_trigger=" or ".join(f'type = "{type}"' for type in sorted(definition.event_types)) or None,
        fields=[],
    )
