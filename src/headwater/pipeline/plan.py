"""The workspace, compiled for the pipeline: what each source's events go through, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from headwater.destinations import definition
from headwater.pipeline.route import Route, Routes
from headwater.spec.computation import ENGAGE
from headwater.spec.errors import SetupError
from headwater.spec.event import Event
from headwater.spec.workspace import Destination, Workspace

Enrichment = Callable[[Event], None]


class SourcePlan(msgspec.Struct, frozen=True):
    """What becomes of one source's events. `refused` is a reason to refuse all of them, or empty."""

    refused: str
    routes: Routes
    warehouse_ids: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """The compiled workspace. `workspace` is the snapshot that it was compiled from.

    `write_keys` finds the source of a request whose key collect had not heard of yet.
    """

    workspace: Workspace
    sources: dict[str, SourcePlan]
    write_keys: dict[str, str]
    enrichments: tuple[Enrichment, ...]


def compile_plan(workspace: Workspace, enrichments: Sequence[Enrichment]) -> Plan:
    """Compile a snapshot. A destination whose definition is gone takes no type of event."""
    ways: dict[str, list[Route]] = {source.id: [] for source in workspace.sources}
    engaged = _engaged(workspace)
    for destination in workspace.destinations:
        if destination.enabled:
            for source_id in {destination.source_id, *engaged.get(destination.id, ())} & ways.keys():
                ways[source_id].append(_route(destination, own=source_id == destination.source_id))
    return Plan(
        workspace,
        {
            source.id: SourcePlan(
                "locked_workspace" if workspace.locked else "" if source.enabled else "source_disabled",
                Routes.of(ways[source.id]),
                tuple(warehouse.id for warehouse in workspace.warehouses if warehouse.takes(source.id)),
            )
            for source in workspace.sources
        },
        {key: source.id for source in workspace.sources for key in source.write_keys},
        tuple(enrichments),
    )


def _engaged(workspace: Workspace) -> dict[str, set[str]]:
    """The sources of spaces by which destinations hear of audiences and computed traits (profiles-governance 3.10)."""
    by_space = {source.settings.get("spaceId"): source.id for source in workspace.sources if source.kind == ENGAGE}
    found: dict[str, set[str]] = {}
    for computation in workspace.computations:
        source_id = by_space.get(computation.space_id)
        for connection in computation.connections:
            if source_id is not None and connection.kind == "destination":
                found.setdefault(connection.destination_id, set()).add(source_id)
    return found


def _route(destination: Destination, *, own: bool) -> Route:
    """A destination's id names it too: audiences ask for one of several of the same kind.

    A storage keeps all of its `own` source, but of a space what is told to it.
    """
    try:
        declared = definition(destination.definition)
    except SetupError:
        return Route(destination.id, (destination.name, destination.id), frozenset())
    names = (declared.name, *declared.previous_names, destination.name, destination.id)
    return Route(destination.id, names, declared.event_types, own and declared.storage)
