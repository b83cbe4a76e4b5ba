"""What people want to be sent, by channel and address (contract: public-api, Spaces).

The house keeps what it is told and answers with it. It sends no messages itself, and no delivery goes by this: whoever
sends asks first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater.manage.answers import Shape
from headwater.manage.changing import change, note
from headwater.manage.desk import Desk
from headwater.manage.operation import operation
from headwater.manage.operations.spaces import KIND, SpaceId, find
from headwater.spec.timestamps import format_moment
from headwater.store import audit, messaging
from headwater.store.messaging import State

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Channel = Annotated[Literal["ANDROID_PUSH", "EMAIL", "IOS_PUSH", "SMS", "WHATSAPP"], Meta(description="The channel.")]
Status = Annotated[Literal["DID_NOT_SUBSCRIBE", "SUBSCRIBED", "UNSUBSCRIBED"], Meta(description="What they want.")]
# Both are in one index entry, which holds 2,704 bytes on PostgreSQL, and a letter may take four.
Key = Annotated[
    str,
    Meta(pattern="^[^\\0]+$", max_length=500, description="The address, number or token, compared letter for letter."),
]
GroupName = Annotated[str, Meta(pattern="^[^\\0]+$", max_length=100, description="The group's name.")]
_MOST = 1_000


class GroupStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What somebody wants of one group of messages."""

    name: GroupName
    status: Status


class WantedSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to keep of one address; a status or group that is absent stays."""

    key: Key
    type: Channel
    status: Status | UnsetType = UNSET
    groups: Annotated[list[GroupStatus], Meta(max_length=100, description="Groups of messages, by name.")] = []


class ReplaceSubscriptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What people want to be sent."""

    space_id: SpaceId
    subscriptions: Annotated[list[WantedSubscription], Meta(max_length=_MOST, description="One for each address.")]


class SubscriptionError(Shape, frozen=True, kw_only=True):
    """What is wrong with one of them."""

    code: str
    message: str


class KeptGroup(Shape, frozen=True, kw_only=True):
    """What somebody wants of one group. Its id is the same in the whole space."""

    name: str
    status: str
    id: str


class KeptSubscription(Shape, frozen=True, kw_only=True):
    """What is kept of one address, or why nothing is."""

    key: str
    type: str
    status: str | UnsetType = UNSET
    groups: list[KeptGroup] | UnsetType = UNSET
    errors: list[SubscriptionError] | UnsetType = UNSET


class ReplaceSubscriptionsAnswer(Shape, frozen=True, kw_only=True):
    """What is kept now, and what said nothing that could be kept."""

    successes: list[KeptSubscription]
    failures: list[KeptSubscription]


class AskedSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An address."""

    key: Key
    type: Channel


class QuerySubscriptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which addresses."""

    space_id: SpaceId
    subscriptions: Annotated[list[AskedSubscription], Meta(max_length=_MOST, description="The addresses.")]


class FoundGroup(Shape, frozen=True, kw_only=True):
    """What somebody wants of one group, and since when that is known."""

    name: str
    status: str
    id: str
    updated_at: str


class FoundSubscription(Shape, frozen=True, kw_only=True):
    """What is known of one address, and since when."""

    key: str
    type: str
    status: str | UnsetType = UNSET
    groups: list[FoundGroup] | UnsetType = UNSET
    updated_at: str


class UnknownSubscription(Shape, frozen=True, kw_only=True):
    """An address of which nothing is known."""

    key: str
    type: str
    errors: list[SubscriptionError]


class QuerySubscriptionsAnswer(Shape, frozen=True, kw_only=True):
    """What is known of addresses; `failures` are those of which nothing is."""

    successes: list[FoundSubscription]
    failures: list[UnknownSubscription]
    errors: list[SubscriptionError]


@operation("PUT", "/spaces/{spaceId}/messaging-subscriptions", scope="profiles:write", tag="Spaces")
async def replace_messaging_subscriptions_in_spaces(
    desk: Desk, request: ReplaceSubscriptions
) -> ReplaceSubscriptionsAnswer:
    """Keep what people want to be sent, by channel and address; the house tells it and does not act on it."""
    space = find(await desk.workspace(), request.space_id)
    wanted = [one for one in request.subscriptions if one.status is not UNSET or one.groups]
    states: list[State] = []
    for one in wanted:
        if one.status is not UNSET:
            states.append(State(one.type, one.key, "", one.status, desk.now))
        states += [State(one.type, one.key, group.name, group.status, desk.now) for group in one.groups]
    places = list(dict.fromkeys((one.type, one.key) for one in wanted))

    def work(connection: Connection) -> tuple[dict[messaging.Place, list[State]], list[audit.Entry]]:
        messaging.put(connection, space.id, states)
        told = [note(desk, "Messaging Subscriptions Modified", KIND, space.id, space.name)] if states else []
        return messaging.find(connection, space.id, places), told

    kept = await change(desk, work)
    error = SubscriptionError(code="invalid", message="Neither a status nor a group is given.")
    return ReplaceSubscriptionsAnswer(
        successes=[_kept(kept[place], space.id) for place in places],
        failures=[
            KeptSubscription(key=one.key, type=one.type, errors=[error])
            for one in request.subscriptions
            if one.status is UNSET and not one.groups
        ],
    )


@operation(
    "POST", "/spaces/{spaceId}/messaging-subscriptions/batch", scope="profiles:read", tag="Spaces", changes=False
)
async def batch_query_messaging_subscriptions_for_space(
    desk: Desk, request: QuerySubscriptions
) -> QuerySubscriptionsAnswer:
    """Show what people want to be sent, as it was told last, for some channels and addresses."""
    space = find(await desk.workspace(), request.space_id)
    places = list(dict.fromkeys((one.type, one.key) for one in request.subscriptions))
    found = await desk.store.read(lambda connection: messaging.find(connection, space.id, places))
    error = SubscriptionError(code="not_found", message="Nothing is known of this address in this channel.")
    return QuerySubscriptionsAnswer(
        successes=[_found(found[place], space.id) for place in places if place in found],
        failures=[
            UnknownSubscription(key=key, type=type, errors=[error]) for type, key in places if (type, key) not in found
        ],
        errors=[],
    )


def _kept(states: Sequence[State], space_id: str) -> KeptSubscription:
    groups = [
        KeptGroup(name=one.group, status=one.status, id=_group_id(space_id, one.group)) for one in states if one.group
    ]
    return KeptSubscription(key=states[0].key, type=states[0].type, status=_status(states), groups=groups or UNSET)


def _found(states: Sequence[State], space_id: str) -> FoundSubscription:
    groups = [
        FoundGroup(
            name=one.group, status=one.status, id=_group_id(space_id, one.group), updated_at=format_moment(one.at)
        )
        for one in states
        if one.group
    ]
    return FoundSubscription(
        key=states[0].key,
        type=states[0].type,
        status=_status(states),
        groups=groups or UNSET,
        updated_at=format_moment(max(one.at for one in states)),
    )


def _status(states: Sequence[State]) -> str | UnsetType:
    return next((one.status for one in states if not one.group), UNSET)


def _group_id(space_id: str, name: str) -> str:
    """The id of a group, which nobody makes: it is there as soon as somebody names it."""
    return "grp_" + hashlib.sha256(f"{space_id} {name}".encode()).hexdigest()[:24]
