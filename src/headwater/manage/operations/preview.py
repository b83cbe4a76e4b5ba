"""What a destination would make of an event, and what it answers (contract: connections 8.6). Headwater's own.

With a subscription as it is being edited this is Segment's mapping tester, with `send` its event tester.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headwater.manage import scopes, subscribing
from headwater.manage.answers import Shape
from headwater.manage.attempting import Answered, Tried
from headwater.manage.changing import note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.destinations import DestinationId
from headwater.manage.operations.failures import meaning, payload
from headwater.manage.operations.subscriptions import (
    action_named_in,
    action_of,
    find_destination,
    find_subscription,
)
from headwater.manage.previewing import Check, Made, Taken, Wanted, preview
from headwater.manage.problems import Problem, Refused, invalid, missing
from headwater.manage.trail import find_processed
from headwater.spec.errors import SenderError
from headwater.spec.wire import JSON
from headwater.spec.workspace import Destination, Subscription
from headwater.store import audit

EventGiven = Annotated[
    dict[str, Any] | None,
    Meta(description="A call of the spec; without a type, one with an `event` is a track call, any other refused."),
]


class DraftSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A subscription to try, saved or not: what is given takes the place of what is saved under the id."""

    id: str | None = None
    action_id: str | None = None
    trigger: Annotated[str, Meta(max_length=5_120)] | None = None
    settings: dict[str, Any] | None = None


class PreviewDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event, and whether to really send it."""

    destination_id: DestinationId
    event: EventGiven = None
    message_id: Annotated[
        str | None, Meta(description="A processed event to take instead of one that is given, as it was published.")
    ] = None
    send: Annotated[bool, Meta(description="Send it to the destination; otherwise only show what would be sent.")] = (
        False
    )
    ignore_filters: Annotated[bool, Meta(description="Leave the destination's filters out.")] = False
    subscription: Annotated[
        DraftSubscription | None, Meta(description="Try this subscription alone, also if it is off or not saved.")
    ] = None


class PreviewStep(Shape, frozen=True, kw_only=True):
    """One decision on the way to the destination, in order.

    `step` is source, validation, destination, client side, event type, integrations, filter, settings, subscriptions
    or request; `name` is that of the filter. One that did not pass has a reason and what it means; those after it that
    depend on it are absent.
    """

    step: str
    name: str = ""
    passed: bool
    reason: str
    meaning: str


class PreviewRequest(Shape, frozen=True, kw_only=True):
    """A request, with secrets redacted. `body` is JSON where it can be read, and text otherwise."""

    method: str
    url: str
    headers: dict[str, str]
    body: JSON


class PreviewResponse(Shape, frozen=True, kw_only=True):
    """What came of sending. `status` is 0 when there was no answer; `took` is in milliseconds.

    `step`, `reason` and `meaning` are the outcome that the delivery would have: delivered, failed_delivery or pending.
    `body` is cut to 4 KB.
    """

    status: int
    headers: dict[str, str]
    body: JSON
    took: float
    step: str
    reason: str
    meaning: str
    detail: str


class PreviewSubscription(Shape, frozen=True, kw_only=True):
    """What one subscription does with the event, whether it is switched on or not.

    `why` says why it does not match. `payload` is what the mapping makes of the event, as the action gets it, and
    `problems` what is wrong with it. `reason` and `detail` say why no request can be made.
    """

    id: str
    name: str
    action_slug: str
    enabled: bool
    matched: bool
    why: str
    payload: JSON
    problems: list[str]
    reason: str
    detail: str
    requests: list[PreviewRequest]
    response: PreviewResponse | None


class PreviewDeliveryAnswer(Shape, frozen=True, kw_only=True):
    """What would happen, or with `send` did happen. `event` is the event as it would be published, or null, and
    `filteredEvent` what the destination's filters leave of it.

    `requests` and `response` are those of all subscriptions, and of the first one that sent. Without `send`, requests
    after the first of a subscription are those after an empty answer of 200. `sent` says whether anything was.
    """

    event: JSON
    filtered_event: JSON
    steps: list[PreviewStep]
    subscriptions: list[PreviewSubscription]
    requests: list[PreviewRequest]
    sent: bool
    response: PreviewResponse | None


@operation("POST", "/headwater/destinations/{destinationId}/preview", scope="destinations:write", tag="Destinations")
async def preview_delivery(desk: Desk, request: PreviewDelivery) -> PreviewDeliveryAnswer:
    """Show what a destination would be sent for an event, and on demand send it and show the answer."""
    workspace = await desk.workspace()
    destination = find_destination(workspace, request.destination_id)
    only = () if request.subscription is None else (_draft(destination, request.subscription),)
    event, published = await given_event(desk, request.event, request.message_id)
    wanted = Wanted(event=event, published=published, send=request.send, unfiltered=request.ignore_filters, only=only)
    made = await preview(desk, workspace, destination, wanted)
    if made.sent:
        line = note(desk, "Integration Tested", "DESTINATION", destination.id, destination.name)
        await desk.store.write(lambda connection: audit.add(connection, line))
    return _show(made)


async def given_event(desk: Desk, event: dict[str, Any] | None, message_id: str | None) -> tuple[dict[str, Any], bytes]:
    """The event to try, and its published form if it was. Raises Refused, and SenderError 404 for an unknown one."""
    if message_id is None:
        if event is None:
            raise invalid("event", '"event" is required')
        return event, b""
    if not scopes.allows(desk.caller.scopes, "events:read"):
        raise SenderError(f"{desk.caller.title} lacks the scope events:read.", code="unauthorized", status=401)
    found = await find_processed(desk.log, desk.indexes, message_id)
    if found is None:
        raise missing("event in what the log still holds")
    return msgspec.json.decode(found.body), found.body


def _draft(destination: Destination, given: DraftSubscription) -> Subscription:
    """The subscription to try. Raises Refused for what cannot be used, with the fields where they stand."""
    before = (
        find_subscription(destination, given.id) if given.id else Subscription(id="", name="", action="", trigger="")
    )
    try:
        action = action_named_in(destination, given.action_id or before.action)
        subscribing.check(given.trigger, given.settings)
    except Refused as refused:
        inside = [msgspec.structs.replace(one, field=f"subscription.{one.field}") for one in refused.problems]
        raise Refused(inside) from None
    if not (given.trigger or before.trigger):
        raise Refused([Problem("input-validation", '"subscription.trigger" is required', "subscription.trigger")])
    mapping = before.mapping if before.id else subscribing.defaults(action)
    if given.settings is not None:
        mapping = subscribing.unmasked(action_of(destination, action.slug), before.mapping, given.settings)
    return msgspec.structs.replace(before, action=action.slug, trigger=given.trigger or before.trigger, mapping=mapping)


def _show(made: Made) -> PreviewDeliveryAnswer:
    tried = [one.tried for one in made.taken if one.tried is not None]
    answered = next((one.answered for one in tried if one.answered is not None), None)
    return PreviewDeliveryAnswer(
        event=payload(made.event),
        filtered_event=payload(made.left),
        steps=[_step(one) for one in made.checks],
        subscriptions=[_subscription(one, one.subscription) for one in made.taken if one.subscription is not None],
        requests=[request for one in tried for request in show_requests(one)],
        sent=made.sent,
        response=None if answered is None else _response(answered),
    )


def show_requests(tried: Tried | None) -> list[PreviewRequest]:
    """Requests as they are answered."""
    return [
        PreviewRequest(method=one.method, url=one.url, headers=one.headers, body=payload(one.body))
        for one in (tried.requests if tried is not None else ())
    ]


def _subscription(taken: Taken, subscription: Subscription) -> PreviewSubscription:
    tried = taken.tried
    return PreviewSubscription(
        id=subscription.id,
        name=subscription.name,
        action_slug=subscription.action,
        enabled=subscription.enabled,
        matched=taken.matched,
        why=taken.why,
        payload=taken.payload,
        problems=list(taken.problems),
        reason=tried.reason if tried else "",
        detail=tried.detail if tried else "",
        requests=show_requests(tried),
        response=_response(tried.answered) if tried and tried.answered else None,
    )


def _step(check: Check) -> PreviewStep:
    said = check.detail or (meaning(check.outcome, check.reason) if check.reason else "")
    return PreviewStep(step=check.step, name=check.name, passed=not check.reason, reason=check.reason, meaning=said)


def _response(answered: Answered) -> PreviewResponse:
    verdict = answered.verdict
    return PreviewResponse(
        status=verdict.status,
        headers=answered.headers,
        body=payload(answered.body),
        took=round(answered.took * 1000, 1),
        step=verdict.step,
        reason=verdict.reason,
        meaning=meaning(verdict.step, verdict.reason) if verdict.reason else "",
        detail=verdict.detail,
    )
