"""Activations: which calls tell a destination of an audience (contract: public-api 9, Activations).

An activation is one call of a connection. Those that a connection begins with are listed too, under ids of their own;
the first one that is added takes their place.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater import destinations as catalogue
from headwater.manage.answers import Done, Shape
from headwater.manage.changing import change
from headwater.manage.computations import hold, told, with_run
from headwater.manage.connecting import (
    ACTIVATED,
    activate,
    activation_id,
    activations,
    find_activation,
    find_connection,
    new_id,
    put,
    read_settings,
    with_calls,
)
from headwater.manage.defining import NO_LINKED
from headwater.manage.describing import show_definition
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.audiences import AudienceType, level_of
from headwater.manage.operations.connections import AudienceId
from headwater.manage.operations.spaces import SpaceId, find
from headwater.manage.paging import Page, Pagination, page, page_of
from headwater.manage.problems import Problem, Refused, invalid
from headwater.spec.computation import Call, Computation, When, whole_call
from headwater.spec.computation import Connection as Told
from headwater.spec.typed import converter
from headwater.store import audit
from headwater.store import computations as kept
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_ON: dict[str, When] = {
    "Audience Entered": "entered",
    "Audience Exited": "exited",
    "Audience Membership Changed": "changed",
}
_LINKED_ONLY = ("Entity Added", "Entity Removed", "Entity Values Changed", "All Events")
ActivationId = Annotated[str, Meta(min_length=1, max_length=255, description="The activation's id.")]
EventName = Annotated[str, Meta(min_length=1, max_length=200, description="The event's name in a track call.")]


class Entity(Shape, frozen=True, kw_only=True):
    """Properties of a linked entity; only linked audiences have them."""

    properties: list[str]
    relationship_slug: str


class ProfileTraits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Traits of the profile that go along, and the names that they go under where these differ."""

    properties: Annotated[list[str], Meta(max_length=100)] = []
    mapping: dict[str, str] = {}


class Personalization(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What goes along with the call."""

    profile: ProfileTraits = ProfileTraits()
    entities: list[Entity] = []
    sync_entity_property_changes: bool = False


class DestinationMapping(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An action of the destination. Each has one, so that its settings are kept and shown, and nothing more."""

    action_id: str
    settings: dict[str, Any] = {}


class ActivationShape(Shape, frozen=True, kw_only=True):
    """An activation."""

    id: str
    enabled: bool
    workspace_id: str
    space_id: str
    audience_id: str
    connection_id: str
    activation_type: str
    activation_name: str
    display_name: str | None
    personalization: Personalization
    destination_mapping: DestinationMapping | UnsetType
    perform_resync: bool


class ActivationAnswer(Shape, frozen=True, kw_only=True):
    """An activation."""

    activation: ActivationShape


class AddActivationToAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A call to be made when an audience changes."""

    space_id: SpaceId
    audience_id: AudienceId
    connection_id: Annotated[str, Meta(description="The connection's or destination's id.")]
    perform_resync: Annotated[bool, Meta(description="Whether everything is told again.")]
    activation_type: Annotated[
        str, Meta(description="Audience Entered, Audience Exited or Audience Membership Changed.")
    ]
    activation_name: EventName
    enabled: Annotated[bool, Meta(description="Whether the call is made.")] = True
    display_name: Annotated[str | None, Meta(description="A name for people.")] = None
    personalization: Annotated[Personalization, Meta(description="What goes along.")] = Personalization()
    destination_mapping: Annotated[DestinationMapping | None, Meta(description="An action of the destination.")] = None


class ListActivationsFromAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience."""

    space_id: SpaceId
    audience_id: AudienceId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListActivationsAnswer(Shape, frozen=True, kw_only=True):
    """The activations of an audience, by connection; those that a connection began with too."""

    activations: list[ActivationShape]
    pagination: Page


class OneActivation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An activation."""

    space_id: SpaceId
    audience_id: AudienceId
    id: ActivationId


class UpdateActivationForAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of an activation; what is absent stays."""

    space_id: SpaceId
    audience_id: AudienceId
    id: ActivationId
    enabled: Annotated[bool | UnsetType, Meta(description="Whether the call is made.")] = UNSET
    activation_name: EventName | UnsetType = UNSET
    display_name: Annotated[str | UnsetType | None, Meta(description="A name for people.")] = UNSET
    personalization: Annotated[Personalization | UnsetType, Meta(description="What goes along.")] = UNSET
    destination_mapping: Annotated[
        DestinationMapping | UnsetType, Meta(description="An action of the destination.")
    ] = UNSET
    perform_resync: Annotated[bool, Meta(description="Whether everything is told again.")] = False


class ListSupportedDestinations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which destinations of the catalogue."""

    space_id: SpaceId
    audience_type: AudienceType
    slug: Annotated[str, Meta(description="Only the destination of this slug.")] = ""
    action_id: Annotated[str, Meta(description="Only destinations with this action.")] = ""


class ListSupportedDestinationsAnswer(Shape, frozen=True, kw_only=True):
    """Destinations of the catalogue that can be told of audiences, by slug."""

    destinations: dict[str, Any]
    pagination: Page


_ONE = "/spaces/{spaceId}/audiences/{audienceId}/activations/{id}"


@operation(
    "GET",
    "/spaces/{spaceId}/audienceType/{audienceType}/supported-destinations",
    scope="audiences:read",
    tag="Activations",
)
async def list_supported_destinations_from_audience(
    desk: Desk, request: ListSupportedDestinations
) -> ListSupportedDestinationsAnswer:
    """List the destinations of the catalogue that can be told of audiences."""
    find(await desk.workspace(), request.space_id)
    level_of(request.audience_type)
    shown = await asyncio.to_thread(_supported, request)
    return ListSupportedDestinationsAnswer(destinations=shown, pagination=page_of(Pagination(), len(shown)))


@operation(
    "POST",
    "/spaces/{spaceId}/audiences/{audienceId}/destination-connections/{connectionId}/activations",
    scope="audiences:write",
    tag="Activations",
)
async def add_activation_to_audience(desk: Desk, request: AddActivationToAudience) -> ActivationAnswer:
    """Have one more call made when an audience changes; the first takes the place of the default ones."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    on = _read_type(request.activation_type)
    _check_personalization(request.personalization)

    def work(connection: Connection) -> tuple[tuple[Computation, Told, Call], list[audit.Entry]]:
        before = hold(connection, space, request.audience_id, "audience")
        target = find_connection(before, request.connection_id)
        call = Call(
            id=new_id(ACTIVATED),
            on=on,
            type="track" if on != "changed" else whole_call(before.level, read_settings(target.settings).accounts_as),
            name=request.activation_name,
            display_name=request.display_name or "",
            enabled=request.enabled,
            traits=tuple(request.personalization.profile.properties),
            mapping=request.personalization.profile.mapping,
            settings=_mapping(connection, target, request.destination_mapping),
        )
        made = activate(target, call)
        made = with_calls(made, made.calls, resync=request.perform_resync)
        return (before, made, call), [_save(desk, connection, before, made)]

    found, made, call = await change(desk, work)
    shown = _show(found, made, call, workspace.id, resync=request.perform_resync)
    return ActivationAnswer(activation=shown)


@operation("GET", "/spaces/{spaceId}/audiences/{audienceId}/activations", scope="audiences:read", tag="Activations")
async def list_activations_from_audience(desk: Desk, request: ListActivationsFromAudience) -> ListActivationsAnswer:
    """List the calls by which destinations are told of an audience."""
    workspace = await desk.workspace()
    found, _ = await with_run(desk, find(workspace, request.space_id), request.audience_id, "audience")
    shown, place = page(activations(found), request.pagination)
    return ListActivationsAnswer(activations=[_show(found, *one, workspace.id) for one in shown], pagination=place)


@operation("GET", _ONE, scope="audiences:read", tag="Activations")
async def get_activation_from_audience(desk: Desk, request: OneActivation) -> ActivationAnswer:
    """Show an activation."""
    workspace = await desk.workspace()
    found, _ = await with_run(desk, find(workspace, request.space_id), request.audience_id, "audience")
    return ActivationAnswer(activation=_show(found, *find_activation(found, request.id), workspace.id))


@operation("PATCH", _ONE, scope="audiences:write", tag="Activations")
async def update_activation_for_audience(desk: Desk, request: UpdateActivationForAudience) -> ActivationAnswer:
    """Change an activation, or switch it on or off."""
    workspace = await desk.workspace()
    space = find(workspace, request.space_id)
    columns = _columns(request)

    def work(connection: Connection) -> tuple[tuple[Computation, Told, Call], list[audit.Entry]]:
        before = hold(connection, space, request.audience_id, "audience")
        target, call = find_activation(before, request.id)
        after = msgspec.structs.replace(call, **columns)
        if not isinstance(request.destination_mapping, UnsetType):
            after = msgspec.structs.replace(after, settings=_mapping(connection, target, request.destination_mapping))
        calls = (after if one.id == call.id else one for one in target.calls)
        made = with_calls(target, calls, resync=request.perform_resync)
        return (before, made, after), [_save(desk, connection, before, made)] if made != target else []

    found, made, call = await change(desk, work)
    return ActivationAnswer(activation=_show(found, made, call, workspace.id, resync=request.perform_resync))


@operation("DELETE", _ONE, scope="audiences:write", tag="Activations")
async def remove_activation_from_audience(desk: Desk, request: OneActivation) -> Done:
    """Make a call no more; a connection whose last one is removed tells nothing."""
    space = find(await desk.workspace(), request.space_id)

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        before = hold(connection, space, request.audience_id, "audience")
        target, call = find_activation(before, request.id)
        made = with_calls(target, (one for one in target.calls if one.id != call.id))
        return Done(), [_save(desk, connection, before, made)]

    return await change(desk, work)


def _supported(request: ListSupportedDestinations) -> dict[str, Any]:
    found = {name: show_definition(name) for name in catalogue.names() if request.slug in ("", name)}
    return {
        name: msgspec.to_builtins(one)
        for name, one in found.items()
        if not request.action_id or any(action.id == request.action_id for action in one.actions)
    }


def _read_type(text: str) -> When:
    if text in _LINKED_ONLY:
        raise Refused(
            [Problem("bad-request", f'"{text}" is of linked audiences. {NO_LINKED}', "activationType")], status=400
        )
    if text not in _ON:
        raise invalid("activationType", f'"activationType" must be one of {", ".join(_ON)}')
    return _ON[text]


def _check_personalization(given: Personalization) -> None:
    if given.entities or given.sync_entity_property_changes:
        raise invalid("personalization.entities", f'"personalization.entities" is of linked audiences. {NO_LINKED}')
    unknown = given.profile.mapping.keys() - set(given.profile.properties)
    if unknown:
        where = "personalization.profile.mapping"
        raise invalid(where, f'"{where}" names a trait that is not in "properties": {min(unknown)[:100]!r}')


def _mapping(connection: Connection, target: Told, given: DestinationMapping | None) -> dict[str, Any]:
    """The mapping as a call keeps it. Raises Refused for an action that the destination does not have."""
    if given is None:
        return {}
    names: set[str] = set()
    if target.kind == "destination":
        destination = workspaces.find_destination(connection, target.destination_id)
        names = {one for action in show_definition(destination.definition).actions for one in (action.id, action.slug)}
    if given.action_id not in names:
        where = "destinationMapping.actionId"
        raise invalid(where, f'"{where}" is no action of the destination; it has {", ".join(sorted(names)) or "none"}')
    return {"destinationMapping": msgspec.to_builtins(given)}


def _columns(request: UpdateActivationForAudience) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if not isinstance(request.enabled, UnsetType):
        columns["enabled"] = request.enabled
    if not isinstance(request.activation_name, UnsetType):
        columns["name"] = request.activation_name
    if not isinstance(request.display_name, UnsetType):
        columns["display_name"] = request.display_name or ""
    if not isinstance(request.personalization, UnsetType):
        _check_personalization(request.personalization)
        columns["traits"] = tuple(request.personalization.profile.properties)
        columns["mapping"] = request.personalization.profile.mapping
    return columns


def _save(desk: Desk, connection: Connection, before: Computation, made: Told) -> audit.Entry:
    after = kept.update(connection, before.id, connections=put(before, made), updated_by=desk.caller.actor)
    return told(desk, after, "Modified")


def _show(
    found: Computation, connection: Told, call: Call, workspace_id: str, *, resync: bool = False
) -> ActivationShape:
    mapping = call.settings.get("destinationMapping")
    types = {on: type for type, on in _ON.items()}
    return ActivationShape(
        id=activation_id(connection, call),
        enabled=call.enabled,
        workspace_id=workspace_id,
        space_id=found.space_id,
        audience_id=found.id,
        connection_id=connection.id,
        activation_type=types[call.on],
        activation_name=call.name or types[call.on],
        display_name=call.display_name or None,
        personalization=Personalization(
            profile=ProfileTraits(properties=list(call.traits), mapping=dict(call.mapping))
        ),
        destination_mapping=UNSET if mapping is None else _as_mapping(mapping),
        perform_resync=resync,
    )


_as_mapping = converter(DestinationMapping)
