"""Destinations: connecting a tool of the catalogue to a source (contract: public-api 9, Destinations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater import destinations as catalogue
from headwater.manage.answers import DestinationShape, Done, Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.connecting import refuse_used
from headwater.manage.desk import Desk
from headwater.manage.forms import fill_in
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import invalid, missing
from headwater.manage.showing import fields_of, show_destination
from headwater.spec.errors import SetupError
from headwater.spec.workspace import Destination
from headwater.store import audit
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_KIND = "DESTINATION"
DestinationId = Annotated[str, Meta(min_length=1, max_length=255, description="The destination's id.")]


class OneDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination."""

    destination_id: DestinationId


class DestinationAnswer(Shape, frozen=True, kw_only=True):
    """A destination, with its secrets masked."""

    destination: DestinationShape


class ListDestinations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of destinations."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListDestinationsAnswer(Shape, frozen=True, kw_only=True):
    """Destinations, oldest first."""

    destinations: list[DestinationShape]
    pagination: Page


@operation("GET", "/destinations", scope="destinations:read", tag="Destinations")
async def list_destinations(desk: Desk, request: ListDestinations) -> ListDestinationsAnswer:
    """List the destinations of the workspace."""
    workspace = await desk.workspace()
    found, place = page(workspace.destinations, request.pagination)
    return ListDestinationsAnswer(destinations=[show_destination(one) for one in found], pagination=place)


class CreateDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination to connect."""

    source_id: Annotated[str, Meta(description="The source whose events it gets, by its id or slug.")]
    metadata_id: Annotated[str, Meta(description="The destination's id in the catalogue, such as webhook.")]
    settings: Annotated[dict[str, Any], Meta(description="Its settings; the catalogue lists them.")]
    enabled: Annotated[bool, Meta(description="Whether events are sent to it.")] = True
    name: Name | None = None


@operation("POST", "/destinations", scope="destinations:write", tag="Destinations")
async def create_destination(desk: Desk, request: CreateDestination) -> DestinationAnswer:
    """Connect a destination of the catalogue to a source."""
    if request.metadata_id not in catalogue.names():
        raise invalid("metadataId", f'"metadataId" is not in the catalogue of destinations: {request.metadata_id}')
    name = request.name or catalogue.definition(request.metadata_id).name

    def work(connection: Connection) -> tuple[Destination, list[audit.Entry]]:
        made = workspaces.create_destination(
            connection,
            source_id=workspaces.source_named(connection, request.source_id).id,
            definition=request.metadata_id,
            name=name,
            enabled=request.enabled,
            settings=_settings(desk, request.metadata_id, {}, request.settings),
        )
        return made, [note(desk, "Integration Created", _KIND, made.id, made.name)]

    return DestinationAnswer(destination=show_destination(await change(desk, work)))


@operation("GET", "/destinations/{destinationId}", scope="destinations:read", tag="Destinations")
async def get_destination(desk: Desk, request: OneDestination) -> DestinationAnswer:
    """Show a destination."""
    workspace = await desk.workspace()
    found = next((one for one in workspace.destinations if one.id == request.destination_id), None)
    if found is None:
        raise missing("destination")
    return DestinationAnswer(destination=show_destination(found))


class UpdateDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a destination; what is absent stays."""

    destination_id: DestinationId
    name: Name | UnsetType | None = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether events are sent to it.")] = UNSET
    settings: Annotated[
        dict[str, Any] | UnsetType,
        Meta(description="Settings to change; null removes one, absent and masked ones stay."),
    ] = UNSET


@operation("PATCH", "/destinations/{destinationId}", scope="destinations:write", tag="Destinations")
async def update_destination(desk: Desk, request: UpdateDestination) -> DestinationAnswer:
    """Change a destination's name or settings, or switch it on or off."""

    def work(connection: Connection) -> tuple[Destination, list[audit.Entry]]:
        before = workspaces.find_destination(connection, request.destination_id)
        columns: dict[str, Any] = {}
        if isinstance(request.name, str) and request.name != before.name:
            columns["name"] = request.name
        if request.enabled is not UNSET and request.enabled != before.enabled:
            columns["enabled"] = request.enabled
        if request.settings is not UNSET:
            columns["settings"] = _settings(desk, before.definition, before.settings, request.settings)
        after = workspaces.update_destination(connection, before.id, **columns)
        types = ["Integration Modified"] if columns.keys() - {"enabled"} else []
        if "enabled" in columns:
            types.append("Integration Enabled" if after.enabled else "Integration Disabled")
        return after, [note(desk, type, _KIND, after.id, after.name) for type in types]

    return DestinationAnswer(destination=show_destination(await change(desk, work)))


@operation("DELETE", "/destinations/{destinationId}", scope="destinations:write", tag="Destinations")
async def delete_destination(desk: Desk, request: OneDestination) -> Done:
    """Remove a destination; nothing more is sent to it."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        gone = workspaces.find_destination(connection, request.destination_id)
        refuse_used(workspaces.load(connection).computations, gone.id, noun="destination")
        workspaces.delete_destination(connection, gone.id)
        return Done(), [note(desk, "Integration Deleted", _KIND, gone.id, gone.name)]

    return await change(desk, work)


@operation("POST", "/headwater/destinations/{destinationId}/pause", scope="destinations:write", tag="Destinations")
async def pause_destination(desk: Desk, request: OneDestination) -> DestinationAnswer:
    """Let a destination's events wait until it is resumed."""
    return await _pause(desk, request.destination_id, paused=True)


@operation("POST", "/headwater/destinations/{destinationId}/resume", scope="destinations:write", tag="Destinations")
async def resume_destination(desk: Desk, request: OneDestination) -> DestinationAnswer:
    """Send a destination the events that waited, and those that come."""
    return await _pause(desk, request.destination_id, paused=False)


async def _pause(desk: Desk, destination_id: str, *, paused: bool) -> DestinationAnswer:
    def work(connection: Connection) -> tuple[Destination, list[audit.Entry]]:
        after = workspaces.update_destination(connection, destination_id, paused=paused)
        return after, [note(desk, "Integration Modified", _KIND, after.id, after.name)]

    return DestinationAnswer(destination=show_destination(await change(desk, work)))


def _settings(desk: Desk, slug: str, before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    stored, opened = fill_in(fields_of(slug), before, changes, desk.secrets)
    try:
        catalogue.definition(slug).check(opened)
    except SetupError as error:
        raise invalid("settings", str(error)) from None
    return stored
