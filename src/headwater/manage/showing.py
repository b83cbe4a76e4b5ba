"""The workspace's resources as they are shown over the API (contract: public-api 8)."""

from __future__ import annotations

from headwater.manage import scopes
from headwater.manage.answers import (
    DestinationShape,
    Label,
    Logos,
    SourceShape,
    WarehouseMetadata,
    WarehouseShape,
)
from headwater.manage.describing import fields_of, show_definition, show_options
from headwater.manage.desk import Caller
from headwater.manage.forms import masked
from headwater.manage.kinds import kind
from headwater.spec.typed import converter
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
        labels=[_as_label(label) for label in source.labels],
    )


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


_as_label = converter(Label)
