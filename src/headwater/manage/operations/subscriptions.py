"""Subscriptions: what a destination does with which events (contract: public-api 9, Destinations; connections 6.8).

What Segment calls `settings` of a subscription is its mapping: for each field of the action a value or a directive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage import subscribing
from headwater.manage.answers import Done, Name, Shape
from headwater.manage.changing import change, note
from headwater.manage.describing import action_id, action_named, find_definition
from headwater.manage.desk import Desk
from headwater.manage.forms import MASK
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import Problem, Refused, invalid, missing
from headwater.spec.destination import Action
from headwater.spec.timestamps import format_moment
from headwater.spec.workspace import Destination, Subscription, Workspace
from headwater.store import audit
from headwater.store import subscriptions as kept
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

_KIND = "DESTINATION"
_NO_MODELS = "Headwater has no reverse ETL, so there is no model or schedule to set."
SubscriptionId = Annotated[str, Meta(min_length=1, max_length=255, description="The subscription's id.")]
Trigger = Annotated[str, Meta(max_length=5_120, description='Which events it takes, in FQL, such as `type = "track"`.')]
MappingGiven = Annotated[
    dict[str, Any], Meta(description="For each field of the action a value, or a directive such as {'@path': '$.x'}.")
]
On = Annotated[bool, Meta(description="Whether it takes events.")]


class SubscriptionShape(Shape, frozen=True, kw_only=True):
    """A subscription. It never has a model or schedule of reverse ETL. What follows these is Headwater's own.

    `version` grows with each change of trigger or mapping. `problems` are what the action will not like about the
    mapping, a sentence each; `hooks` what its hooks answered when they were run.
    """

    id: str
    name: str
    action_id: str
    action_slug: str
    destination_id: str
    enabled: bool
    settings: dict[str, Any]
    trigger: str
    model_id: str | UnsetType = UNSET
    reverse_etl_schedule: dict[str, Any] | UnsetType = msgspec.field(name="reverseETLSchedule", default=UNSET)
    version: int
    problems: list[str]
    hooks: dict[str, Any]
    created_at: str
    updated_at: str


class OneSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A subscription of a destination."""

    destination_id: DestinationId
    id: SubscriptionId


class SubscriptionAnswer(Shape, frozen=True, kw_only=True):
    """A subscription."""

    subscription: SubscriptionShape


class ListSubscriptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a destination's subscriptions."""

    destination_id: DestinationId
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class ListSubscriptionsAnswer(Shape, frozen=True, kw_only=True):
    """Subscriptions, oldest first."""

    subscriptions: list[SubscriptionShape]
    pagination: Page


@operation("GET", "/destinations/{destinationId}/subscriptions", scope="destinations:read", tag="Destinations")
async def list_subscriptions_from_destination(desk: Desk, request: ListSubscriptions) -> ListSubscriptionsAnswer:
    """List what a destination does with which events."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    found, place = page(destination.subscriptions, request.pagination)
    return ListSubscriptionsAnswer(subscriptions=[show(destination, one) for one in found], pagination=place)


class CreateDestinationSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A subscription to make. Without `settings` the mapping is the one that the action proposes."""

    destination_id: DestinationId
    name: Name
    action_id: Annotated[str, Meta(description="The action's id in the catalogue, or its slug.")]
    trigger: Trigger
    enabled: On
    settings: MappingGiven | None = None
    model_id: Annotated[str | None, Meta(description="A reverse ETL model; Headwater has none.")] = None


class CreateDestinationSubscriptionAnswer(Shape, frozen=True, kw_only=True):
    """The subscription."""

    destination_subscription: SubscriptionShape


@operation("POST", "/destinations/{destinationId}/subscriptions", scope="destinations:write", tag="Destinations")
async def create_destination_subscription(
    desk: Desk, request: CreateDestinationSubscription
) -> CreateDestinationSubscriptionAnswer:
    """Have a destination do something with the events that a trigger chooses, at most 50 for each."""
    if request.model_id:
        raise invalid("modelId", _NO_MODELS)
    destination = find_destination(await desk.workspace(), request.destination_id)
    action = action_named_in(destination, request.action_id)
    subscribing.check(request.trigger, request.settings)
    mapping = subscribing.defaults(action) if request.settings is None else request.settings
    _refuse_masks(action, mapping)

    def work(connection: Connection) -> tuple[Subscription, list[audit.Entry]]:
        before = workspaces.find_destination(connection, destination.id)
        if len(before.subscriptions) >= subscribing.MOST:
            raise invalid("destinationId", f"The destination has {subscribing.MOST} subscriptions, and none has more")
        made = kept.create(
            connection,
            before.id,
            name=request.name,
            action=action.slug,
            trigger=request.trigger,
            mapping=subscribing.sealed(action, mapping, desk.secrets),
            enabled=request.enabled,
        )
        return made, [note(desk, "Integration Modified", _KIND, before.id, before.name)]

    made = await change(desk, work)
    return CreateDestinationSubscriptionAnswer(destination_subscription=show(destination, made))


@operation("GET", "/destinations/{destinationId}/subscriptions/{id}", scope="destinations:read", tag="Destinations")
async def get_subscription_from_destination(desk: Desk, request: OneSubscription) -> SubscriptionAnswer:
    """Show a subscription of a destination."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    return SubscriptionAnswer(subscription=show(destination, find_subscription(destination, request.id)))


class SubscriptionInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change; what is absent stays. `settings` takes the place of the whole mapping."""

    name: Name | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    enabled: On | UnsetType = UNSET
    settings: MappingGiven | UnsetType = UNSET
    reverse_etl_model_id: Annotated[Any, Meta(description="Headwater has no reverse ETL.")] = msgspec.field(
        name="reverseETLModelId", default=None
    )
    reverse_etl_schedule: Annotated[Any, Meta(description="Headwater has no reverse ETL.")] = msgspec.field(
        name="reverseETLSchedule", default=None
    )


class UpdateSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a subscription."""

    destination_id: DestinationId
    id: SubscriptionId
    input: Annotated[SubscriptionInput, Meta(description="What to change.")]


@operation("PATCH", "/destinations/{destinationId}/subscriptions/{id}", scope="destinations:write", tag="Destinations")
async def update_subscription_for_destination(desk: Desk, request: UpdateSubscription) -> SubscriptionAnswer:
    """Change a subscription's name, trigger or mapping, or switch it on or off."""
    given = request.input
    if given.reverse_etl_model_id is not None or given.reverse_etl_schedule is not None:
        raise invalid("input", _NO_MODELS)
    _check(given)

    def work(connection: Connection) -> tuple[tuple[Destination, Subscription], list[audit.Entry]]:
        destination = workspaces.find_destination(connection, request.destination_id)
        before = kept.find(connection, destination.id, request.id)
        columns: dict[str, Any] = {
            name: value for name in ("name", "trigger", "enabled") if (value := getattr(given, name)) is not UNSET
        }
        if not isinstance(given.settings, UnsetType):
            action = action_of(destination, before.action)
            columns["mapping"] = _kept(desk, action, before, given.settings)
        after = kept.update(connection, destination.id, before.id, **columns)
        lines = [note(desk, "Integration Modified", _KIND, destination.id, destination.name)] if after != before else []
        return (destination, after), lines

    destination, after = await change(desk, work)
    return SubscriptionAnswer(subscription=show(destination, after))


@operation("DELETE", "/destinations/{destinationId}/subscriptions/{id}", scope="destinations:write", tag="Destinations")
async def remove_subscription_from_destination(desk: Desk, request: OneSubscription) -> Done:
    """Remove a subscription; what it has under way or waiting is given up."""

    def work(connection: Connection) -> tuple[Done, list[audit.Entry]]:
        destination = workspaces.find_destination(connection, request.destination_id)
        kept.delete(connection, destination.id, request.id)
        return Done(), [note(desk, "Integration Modified", _KIND, destination.id, destination.name)]

    return await change(desk, work)


def find_destination(workspace: Workspace, destination_id: str) -> Destination:
    """A destination of the workspace. Raises SenderError 404."""
    for one in workspace.destinations:
        if one.id == destination_id:
            return one
    raise missing("destination")


def find_subscription(destination: Destination, subscription_id: str) -> Subscription:
    """A subscription of the destination. Raises SenderError 404."""
    for one in destination.subscriptions:
        if one.id == subscription_id:
            return one
    raise missing("subscription of this destination")


def show(destination: Destination, one: Subscription) -> SubscriptionShape:
    """A subscription, with what is secret in its mapping masked."""
    action = action_of(destination, one.action)
    problems = ["The destination no longer has this action."] if action is None else []
    if action is not None:
        problems = subscribing.missing(action, one.mapping)
    return SubscriptionShape(
        id=one.id,
        name=one.name,
        action_id=action_id(destination.definition, one.action),
        action_slug=one.action,
        destination_id=destination.id,
        enabled=one.enabled,
        settings=subscribing.masked(action, one.mapping),
        trigger=one.trigger,
        version=one.version,
        problems=problems,
        hooks=one.hooks,
        created_at=format_moment(one.created_at),
        updated_at=format_moment(one.updated_at),
    )


def action_of(destination: Destination, name: str) -> Action | None:
    """An action of a destination's definition by its id or slug; None when it has none of that name."""
    definition = find_definition(destination.definition)
    return None if definition is None else action_named(destination.definition, definition, name)


def action_named_in(destination: Destination, name: str) -> Action:
    """The same. Raises Refused."""
    found = action_of(destination, name)
    if found is None:
        definition = find_definition(destination.definition)
        has = ", ".join(one.slug for one in definition.actions) if definition else ""
        raise invalid("actionId", f'"actionId" is no action of the destination; it has {has or "none to subscribe to"}')
    return found


def _check(given: SubscriptionInput) -> None:
    """Raises Refused as `subscribing.check` does, with the fields where they stand in the request."""
    try:
        subscribing.check(
            None if isinstance(given.trigger, UnsetType) else given.trigger,
            None if isinstance(given.settings, UnsetType) else given.settings,
        )
    except Refused as refused:
        problems = [msgspec.structs.replace(one, field=f"input.{one.field}") for one in refused.problems]
        raise Refused(problems) from None


def _kept(desk: Desk, action: Action | None, before: Subscription, given: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping as it is kept, with what came back masked as it was."""
    mapping = subscribing.unmasked(action, before.mapping, given)
    return mapping if action is None else subscribing.sealed(action, mapping, desk.secrets)


def _refuse_masks(action: Action, mapping: Mapping[str, Any]) -> None:
    wrong = [key for key in subscribing.secret_keys(action) if mapping.get(key) == MASK]
    if wrong:
        message = '"settings.{0}" is masked; enter the secret itself'
        raise Refused([Problem("input-validation", message.format(key), f"settings.{key}") for key in sorted(wrong)])
