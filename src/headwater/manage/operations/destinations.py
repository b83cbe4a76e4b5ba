"""Destinations: connecting a tool of the catalogue to a source (contract: public-api 9, Destinations)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater import destinations as catalogue
from headwater.catalogue import HANDED_BACK, hands_back
from headwater.manage import subscribing
from headwater.manage.answers import DestinationShape, Done, Name, Shape
from headwater.manage.authorizing import end_if_moved
from headwater.manage.changing import change, note
from headwater.manage.connecting import refuse_used
from headwater.manage.describing import fields_of, find_definition
from headwater.manage.desk import Desk
from headwater.manage.forms import fill_in
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import Problem, Refused, invalid, missing
from headwater.manage.showing import show_destination
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.workspace import OWN_KINDS, Destination, Workspace
from headwater.store import audit, subscriptions
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

MOST_ALIKE = 25
"""Destinations of one kind at one source (connections 6.1)."""

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
    """Connect a destination of the catalogue to a source, with the subscriptions that it proposes."""
    definition = find_definition(request.metadata_id)
    if definition is None:
        raise invalid("metadataId", f'"metadataId" is not in the catalogue of destinations: {request.metadata_id}')
    if hands_back(request.metadata_id):
        raise invalid("metadataId", HANDED_BACK)

    def work(connection: Connection) -> tuple[Destination, list[audit.Entry]]:
        source = workspaces.source_named(connection, request.source_id)
        others = _alike(workspaces.load(connection), source.id, request.metadata_id)
        if len(others) >= MOST_ALIKE:
            raise invalid("sourceId", f"The source has {MOST_ALIKE} destinations of this kind, and none has more")
        made = workspaces.create_destination(
            connection,
            source_id=source.id,
            definition=request.metadata_id,
            name=_free(request.name, others) if request.name else _new_name(definition.name, others),
            enabled=request.enabled,
            settings=settings_after(desk, request.metadata_id, {}, request.settings),
        )
        if source.kind not in OWN_KINDS:  # of sources of spaces, who is told what is chosen for each audience
            for one in subscribing.automatic(definition)[: subscribing.MOST]:
                subscriptions.create(
                    connection,
                    made.id,
                    name=one.name,
                    action=one.action,
                    trigger=one.trigger,
                    mapping=one.mapping,
                    enabled=True,
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
            columns["name"] = _free(
                request.name, _alike(workspaces.load(connection), before.source_id, before.definition)
            )
        if request.enabled is not UNSET and request.enabled != before.enabled:
            columns["enabled"] = request.enabled
        if request.settings is not UNSET:
            columns["settings"] = settings_after(desk, before.definition, before.settings, request.settings)
            end_if_moved(connection, before, columns["settings"], fields_of(before.definition))
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


def _alike(workspace: Workspace, source_id: str, definition: str) -> set[str]:
    """The names of a source's destinations of one kind, which are told apart by them (connections 6.1)."""
    return {one.name for one in workspace.destinations if one.source_id == source_id and one.definition == definition}


def _free(name: str, others: set[str]) -> str:
    """The name, if none of the others has it. Raises SenderError 409."""
    if name in others:
        message = f'Another destination of this kind is named "{name}" at the same source.'
        raise SenderError(message, code="conflict", status=409, field="name")
    return name


def _new_name(name: str, others: set[str]) -> str:
    """The name of the kind, with the first number that is free when others have it."""
    names = (name, *(f"{name} {number}" for number in range(2, len(others) + 3)))
    return next(one for one in names if one not in others)


def settings_after(desk: Desk, slug: str, before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings after a change. Those that are only for reading stay; a change of nothing else is refused (9)."""
    fields = fields_of(slug)
    fixed = {field.key for field in fields if field.read_only}
    if before and changes and changes.keys() <= fixed:
        raise Refused([Problem("bad-request", "These settings are only for reading.", "settings")], status=400)
    changes = {key: value for key, value in changes.items() if key not in fixed}
    stored, opened = fill_in(fields, before, changes, desk.secrets)
    try:
        catalogue.definition(slug).check(opened)
    except SetupError as error:
        raise invalid("settings", str(error)) from None
    return stored
