"""What a destination of the catalogue is asked beside deliveries: credentials, choices, audiences, hooks.

Headwater's own; Segment's app asks its destinations the same (contract: connections 6.8, 6.14).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from msgspec import Meta

from headwater.manage.answers import Choice, Shape
from headwater.manage.asking import ask, catalogued, connect, connects
from headwater.manage.changing import change, note
from headwater.manage.describing import find_definition
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId, OneDestination
from headwater.manage.operations.subscriptions import (
    SubscriptionAnswer,
    SubscriptionId,
    action_named_in,
    find_destination,
    find_subscription,
    show,
)
from headwater.manage.problems import invalid
from headwater.spec.errors import SetupError
from headwater.spec.workspace import Subscription
from headwater.store import audit
from headwater.store import subscriptions as kept
from headwater.store import workspace as workspaces

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.spec.wire import JSON

_BELOW = "/headwater/destinations/{destinationId}"


class CheckAuthenticationAnswer(Shape, frozen=True, kw_only=True):
    """Whether the tool accepts the credentials, and what it said if not. `tested` is False where it cannot be asked."""

    tested: bool
    accepted: bool
    message: str


@operation("POST", f"{_BELOW}/authentication", scope="destinations:write", tag="Destinations", changes=False)
async def check_authentication(desk: Desk, request: OneDestination) -> CheckAuthenticationAnswer:
    """Ask a destination's tool whether it can be reached and accepts the credentials in its settings."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    definition = find_definition(destination.definition)
    if definition is None or not (definition.tests_authentication or connects(definition)):
        said = "This destination cannot be asked; an event that is tried tells."
        return CheckAuthenticationAnswer(tested=False, accepted=False, message=said)
    try:
        if definition.worker:
            await ask(desk, destination, "testAuth", {})
        else:
            await connect(desk, destination, definition)
    except SetupError as error:
        return CheckAuthenticationAnswer(tested=True, accepted=False, message=str(error))
    return CheckAuthenticationAnswer(tested=True, accepted=True, message="")


class ListFieldChoices(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A field whose choices the tool knows."""

    destination_id: DestinationId
    action_id: Annotated[str, Meta(description="The action's id in the catalogue, or its slug.")]
    field: Annotated[
        str, Meta(min_length=1, max_length=255, description="The field's key, such as `list_id`, or a path of keys.")
    ]
    payload: Annotated[dict[str, Any], Meta(description="What is mapped so far, as values.")] = {}
    page: Annotated[str | None, Meta(description="`nextPage` of the answer before.")] = None
    hook: Annotated[str | None, Meta(description="The hook, if the field is one of its inputs.")] = None
    hook_inputs: Annotated[dict[str, Any], Meta(description="What was entered for the hook so far.")] = {}


class ListFieldChoicesAnswer(Shape, frozen=True, kw_only=True):
    """The choices, and why there are none if the tool said so."""

    choices: list[Choice]
    next_page: str | None
    error: str


@operation("POST", f"{_BELOW}/field-choices", scope="destinations:write", tag="Destinations", changes=False)
async def list_field_choices(desk: Desk, request: ListFieldChoices) -> ListFieldChoicesAnswer:
    """Ask a destination's tool for the choices of a field, such as its lists or its own fields."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    action = action_named_in(destination, request.action_id)
    args: dict[str, Any] = {"action": action.slug, "field": request.field, "payload": request.payload}
    if request.page is not None:
        args["page"] = request.page
    if request.hook is not None:
        args |= {"hook": request.hook, "hookInputs": request.hook_inputs}
    try:
        found = _object(await ask(desk, destination, "dynamicField", args))
    except SetupError as error:
        return ListFieldChoicesAnswer(choices=[], next_page=None, error=str(error))
    return ListFieldChoicesAnswer(
        choices=[_choice(one) for one in cast("list[JSON]", found.get("choices") or [])],
        next_page=str(found["nextPage"]) if found.get("nextPage") else None,
        error=_said(found.get("error")),
    )


class AudienceAtDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience to make in the tool."""

    destination_id: DestinationId
    name: Annotated[str, Meta(min_length=1, max_length=255, description="Its name there.")]
    settings: Annotated[dict[str, Any], Meta(description="What the destination asks for about audiences.")] = {}


class ExternalAudience(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An audience of the tool."""

    destination_id: DestinationId
    external_id: Annotated[str, Meta(min_length=1, max_length=1_000, description="The tool's own id of it.")]
    settings: Annotated[dict[str, Any], Meta(description="What the destination asks for about audiences.")] = {}


class ExternalAudienceAnswer(Shape, frozen=True, kw_only=True):
    """The audience's id in the tool."""

    external_id: str


@operation("POST", f"{_BELOW}/audiences", scope="destinations:write", tag="Destinations")
async def create_audience_in_destination(desk: Desk, request: AudienceAtDestination) -> ExternalAudienceAnswer:
    """Make an audience in a destination's tool, to be filled by a subscription."""
    args: dict[str, Any] = {"audienceName": request.name, "audienceSettings": request.settings}
    found = await _audience(desk, request.destination_id, "createAudience", args)
    destination = find_destination(desk.snapshot.current, request.destination_id)
    line = note(desk, "Integration Modified", "DESTINATION", destination.id, destination.name)
    await desk.store.write(lambda connection: audit.add(connection, line))
    return found


@operation("POST", f"{_BELOW}/audiences/find", scope="destinations:write", tag="Destinations", changes=False)
async def get_audience_of_destination(desk: Desk, request: ExternalAudience) -> ExternalAudienceAnswer:
    """Ask a destination's tool whether it has an audience."""
    args: dict[str, Any] = {"externalId": request.external_id, "audienceSettings": request.settings}
    return await _audience(desk, request.destination_id, "getAudience", args)


class RunHook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A hook of a subscription's action."""

    destination_id: DestinationId
    id: SubscriptionId
    hook: Annotated[str, Meta(description="Its name, such as onMappingSave.")]
    inputs: Annotated[dict[str, Any], Meta(description="What it asks for.")] = {}


@operation("POST", f"{_BELOW}/subscriptions/{{id}}/hooks/{{hook}}", scope="destinations:write", tag="Destinations")
async def run_hook_of_subscription(desk: Desk, request: RunHook) -> SubscriptionAnswer:
    """Run a hook of a subscription's action, such as making a list in the tool, and keep what it answers."""
    destination = find_destination(await desk.workspace(), request.destination_id)
    before = find_subscription(destination, request.id)
    action = action_named_in(destination, before.action)
    if request.hook not in action.hooks:
        raise invalid("hook", f'"hook" is none of the action; it has {", ".join(action.hooks) or "none"}')
    args: dict[str, Any] = {"action": action.slug, "hook": request.hook, "hookInputs": request.inputs}
    answer = _object(await ask(desk, destination, "hook", {**args, "payload": before.mapping}))
    if said := _said(answer.get("error")):
        raise SetupError(said)
    outputs = _object(answer.get("savedData"))

    def work(connection: Connection) -> tuple[Subscription, list[audit.Entry]]:
        found = workspaces.find_destination(connection, destination.id)
        hooks = {**kept.find(connection, found.id, before.id).hooks, request.hook: outputs}
        after = kept.update(connection, found.id, before.id, hooks=hooks)
        return after, [note(desk, "Integration Modified", "DESTINATION", found.id, found.name)]

    return SubscriptionAnswer(subscription=show(destination, await change(desk, work)))


async def _audience(desk: Desk, destination_id: str, method: str, args: dict[str, Any]) -> ExternalAudienceAnswer:
    destination = find_destination(await desk.workspace(), destination_id)
    if not catalogued(destination).audience.get("creates"):
        raise invalid("destinationId", "This destination makes no audiences.")
    found = _object(await ask(desk, destination, method, args))
    return ExternalAudienceAnswer(external_id=str(found.get("externalId") or ""))


def _object(value: JSON) -> dict[str, JSON]:
    return cast("dict[str, JSON]", value) if isinstance(value, dict) else {}


def _said(error: JSON) -> str:
    """What an error says. Some destinations put in the place of the sentence the whole error that they met."""
    while isinstance(error, dict):
        error = cast("dict[str, JSON]", error).get("message")
    return str(error or "")


def _choice(value: JSON) -> Choice:
    known = _object(value)
    return Choice(value=str(known.get("value", "")), label=str(known.get("label") or known.get("value", "")))
