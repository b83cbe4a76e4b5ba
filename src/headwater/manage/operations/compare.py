"""Two configurations on the same events, without sending: what each would send, and where that differs.

So a move from one tool or mapping to another can be looked at before it is made. Headwater's own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headwater.eventlog.streams import PROCESSED
from headwater.manage import scopes, subscribing
from headwater.manage.answers import Shape
from headwater.manage.attempting import Shown
from headwater.manage.comparing import Difference, compare
from headwater.manage.describing import find_definition
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.destination_filters import FilterAction, If, read_actions
from headwater.manage.operations.destinations import DestinationId, settings_after
from headwater.manage.operations.recent import newest
from headwater.manage.operations.subscriptions import action_named_in, find_destination
from headwater.manage.previewing import Taken, compile_trial, filtered, publish, secrets_behind, take, take_whole
from headwater.manage.problems import Refused, invalid
from headwater.manage.tail import Wanted
from headwater.manage.trials import ports
from headwater.spec.errors import SenderError
from headwater.spec.filters import MOST_FILTERS
from headwater.spec.typed import converter
from headwater.spec.wire import JSON
from headwater.spec.workspace import Destination, DestinationFilter, Source, Subscription, Workspace

if TYPE_CHECKING:
    from headwater.deliver.plan import LanePlan
    from headwater.manage.previewing import Check
    from headwater.manage.trials import Open

MOST_EVENTS = 200
MOST_SECONDS = 20.0
Result = Literal["equal", "differs", "onlyFirst", "onlySecond", "neither"]


class SubscriptionToCompare(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A subscription that is not kept. Without `settings` the mapping is the one that the action proposes."""

    action_id: str
    trigger: Annotated[str, Meta(max_length=5_120)]
    settings: dict[str, Any] | None = None


class FilterToCompare(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A filter that is not kept."""

    condition: If = msgspec.field(name="if")
    actions: Annotated[list[FilterAction], Meta(max_length=20)]


class DraftDestination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is different from the first destination; what is absent is as there. With another `metadataId` it is one of
    that kind, with these settings alone, and with the subscriptions that it proposes unless they are given.
    """

    metadata_id: str | None = None
    settings: dict[str, Any] = {}
    subscriptions: Annotated[list[SubscriptionToCompare], Meta(max_length=subscribing.MOST)] | None = None
    filters: Annotated[list[FilterToCompare], Meta(max_length=MOST_FILTERS)] | None = None


class CompareDestinations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Two configurations, and the events to try them on."""

    destination_id: DestinationId
    other_id: Annotated[str | None, Meta(description="The other destination.")] = None
    draft: Annotated[
        DraftDestination | None, Meta(description="Or how the first one, changed, would be: it is not kept.")
    ] = None
    events: Annotated[
        Annotated[list[dict[str, Any]], Meta(max_length=MOST_EVENTS)] | None,
        Meta(description="The events; else the newest ones of the destination's source."),
    ] = None
    count: Annotated[int, Meta(ge=1, le=MOST_EVENTS, description="How many of the newest events.")] = 50
    ignore: Annotated[
        list[str], Meta(max_length=50, description="Places in bodies that may differ, such as `batch[].sentAt`.")
    ] = []


class DifferenceShape(Shape, frozen=True, kw_only=True):
    """One place in which the requests differ.

    `request` counts from 0. `where` is request, method, url, header or body; `path` is the header's name or the place
    in the body. What a side lacks is null.
    """

    request: int
    where: str
    path: str
    first: JSON
    second: JSON


class Compared(Shape, frozen=True, kw_only=True):
    """What became of one event. `first` and `second` are how many requests each side would make, and the reasons why
    a side makes none. `differences` are at most 50.
    """

    message_id: str
    type: str
    name: str
    result: Result
    first: int
    second: int
    first_reason: str
    second_reason: str
    differences: list[DifferenceShape]


class CompareDestinationsAnswer(Shape, frozen=True, kw_only=True):
    """How many events were compared, how many of them with each result, and each of them, newest first.

    After 20 seconds no more are compared.
    """

    events: int
    counts: dict[str, int]
    compared: list[Compared]


class _Given(msgspec.Struct, frozen=True):
    event: dict[str, Any]
    published: bytes = b""


class _Side(msgspec.Struct, frozen=True):
    """One configuration, compiled."""

    destination: Destination
    plan: LanePlan
    hidden: list[str]


class _Made(msgspec.Struct, frozen=True):
    """What a side makes of an event, and the event's own facts."""

    requests: list[Shown]
    reason: str
    message_id: str = ""
    type: str = ""
    name: str = ""


@operation(
    "POST",
    "/headwater/destinations/{destinationId}/compare",
    scope="destinations:write",
    tag="Destinations",
    changes=False,
)
async def compare_destinations(desk: Desk, request: CompareDestinations) -> CompareDestinationsAnswer:
    """Show on events where two destinations, or one and a change of it, would send something else; nothing is sent."""
    workspace = await desk.workspace()
    first = find_destination(workspace, request.destination_id)
    second = _second(desk, workspace, first, request)
    source = next(one for one in workspace.sources if one.id == first.source_id)
    given = await _given(desk, source, request)
    compared: list[Compared] = []
    async with ports(desk) as opened:
        sides = [await _side(desk, opened, one) for one in (first, second)]
        until = time.monotonic() + MOST_SECONDS
        for each in given:
            if time.monotonic() > until:
                break
            one, other = [await _make(desk, workspace, source, side, each) for side in sides]
            compared.append(_compared(one, other, request.ignore))
            await asyncio.sleep(0)
    counts = Counter(one.result for one in compared)
    return CompareDestinationsAnswer(events=len(compared), counts=dict(counts), compared=compared)


async def _given(desk: Desk, source: Source, request: CompareDestinations) -> list[_Given]:
    if request.events is not None:
        return [_Given(one) for one in request.events]
    if not scopes.allows(desk.caller.scopes, "events:read"):
        raise SenderError(f"{desk.caller.title} lacks the scope events:read.", code="unauthorized", status=401)
    seen = [
        one
        for partition in desk.log.partitions(PROCESSED)
        for one in (await newest(desk.log, partition, Wanted(source_id=source.id), request.count))[0]
    ]
    seen.sort(key=lambda one: (one.header.received_at, one.position), reverse=True)
    return [_Given(msgspec.json.decode(one.body), one.body) for one in seen[: request.count]]


def _second(desk: Desk, workspace: Workspace, first: Destination, request: CompareDestinations) -> Destination:
    """The other configuration. Raises Refused, and SenderError 404."""
    if request.other_id is not None:
        return find_destination(workspace, request.other_id)
    if request.draft is None:
        raise invalid("draft", 'One of "otherId" and "draft" is required')
    try:
        return _drafted(desk, first, request.draft)
    except Refused as refused:
        raise Refused([msgspec.structs.replace(one, field=f"draft.{one.field}") for one in refused.problems]) from None


def _drafted(desk: Desk, first: Destination, draft: DraftDestination) -> Destination:
    drafted = first
    if draft.metadata_id is not None and draft.metadata_id != first.definition:
        definition = find_definition(draft.metadata_id)
        if definition is None:
            raise invalid("metadataId", '"metadataId" is not in the catalogue of destinations')
        proposed = tuple(
            Subscription(id=str(number), name=one.name, action=one.action, trigger=one.trigger, mapping=one.mapping)
            for number, one in enumerate(subscribing.automatic(definition))
        )
        drafted = msgspec.structs.replace(
            first, definition=draft.metadata_id, settings={}, subscriptions=proposed, tokens_version=0
        )
    settings = settings_after(desk, drafted.definition, drafted.settings, draft.settings)
    drafted = msgspec.structs.replace(drafted, settings=settings)
    if draft.subscriptions is not None:
        drafted = msgspec.structs.replace(drafted, subscriptions=_subscriptions(drafted, draft.subscriptions))
    if draft.filters is not None:
        drafted = msgspec.structs.replace(drafted, filters=_filters(draft.filters))
    return drafted


def _subscriptions(drafted: Destination, given: list[SubscriptionToCompare]) -> tuple[Subscription, ...]:
    made: list[Subscription] = []
    for number, one in enumerate(given):
        try:
            action = action_named_in(drafted, one.action_id)
            subscribing.check(one.trigger, one.settings)
        except Refused as refused:
            inside = f"subscriptions[{number}]"
            problems = [msgspec.structs.replace(each, field=f"{inside}.{each.field}") for each in refused.problems]
            raise Refused(problems) from None
        mapping = subscribing.defaults(action) if one.settings is None else one.settings
        made.append(
            Subscription(id=str(number), name=action.name, action=action.slug, trigger=one.trigger, mapping=mapping)
        )
    return tuple(made)


def _filters(given: list[FilterToCompare]) -> tuple[DestinationFilter, ...]:
    return tuple(
        DestinationFilter(
            id=str(number),
            title=f"filter {number + 1}",
            condition=one.condition,
            actions=read_actions(one.condition, one.actions, inside=f"filters[{number}]."),
        )
        for number, one in enumerate(given)
    )


async def _side(desk: Desk, opened: Open, destination: Destination) -> _Side:
    """Compile a configuration. Raises Refused when it cannot work."""
    enabled = tuple(one for one in destination.subscriptions if one.enabled)
    destination = msgspec.structs.replace(destination, subscriptions=enabled)
    plan = compile_trial(desk, opened, destination, enabled)
    if plan is None or plan.broken:
        why = plan.broken if plan is not None else "it is no longer in the catalogue"
        raise invalid("settings", f"{destination.name} cannot work as it is set up: {why}")
    return _Side(destination, plan, await secrets_behind(opened, destination))


async def _make(desk: Desk, workspace: Workspace, source: Source, side: _Side, given: _Given) -> _Made:
    """What a side would send for an event, or why nothing."""
    item, checks = publish(given.event, source, side.destination, workspace, desk)
    if item is None:
        return _Made([], _reason(checks), name=str(given.event.get("event", "")))
    if given.published:
        item = msgspec.structs.replace(item, body=given.published)
    facts = (item.message_id, item.type, item.name)
    item = filtered(side.destination, item, checks)
    if reason := _reason(checks):
        return _Made([], reason, *facts)
    if side.plan.definition.action is not None:
        taken = [await take_whole(side.plan, item, None, checks)]
    else:
        taken = [
            await take(side.plan, one, item, None, hidden=side.hidden, secrets=desk.secrets)
            for one in side.destination.subscriptions
        ]
    requests = [request for one in taken if one.tried is not None for request in one.tried.requests]
    return _Made(requests, "" if requests else _why_nothing(taken), *facts)


def _reason(checks: list[Check]) -> str:
    return next((check.reason for check in checks if check.reason and check.step != "destination"), "")


def _why_nothing(taken: list[Taken]) -> str:
    tried = [one.tried for one in taken if one.tried is not None]
    return next((one.reason or one.detail for one in tried), "NO_MATCHING_MAPPING")


def _compared(one: _Made, other: _Made, ignored: list[str]) -> Compared:
    differences = compare(one.requests, other.requests, ignored) if one.requests and other.requests else []
    return Compared(
        message_id=one.message_id,
        type=one.type,
        name=one.name,
        result=_result(one, other, differences),
        first=len(one.requests),
        second=len(other.requests),
        first_reason=one.reason,
        second_reason=other.reason,
        differences=[_as_shape(each) for each in differences],
    )


def _result(one: _Made, other: _Made, differences: list[Difference]) -> Result:
    if one.requests and other.requests:
        return "differs" if differences else "equal"
    if one.requests:
        return "onlyFirst"
    return "onlySecond" if other.requests else "neither"


_as_shape = converter(DifferenceShape, from_attributes=True)
