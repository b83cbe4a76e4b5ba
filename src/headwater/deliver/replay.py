"""From events of the archive to the deliveries of a replay, as the destinations are set up today. Pure.

The order of decisions is that of live events (contract: connections 6.2). What the sender wished for other tools does
not matter: a replay's `integrations` names its own destination alone (9.13). Everything else of the event stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headwater.spec.integrations import bundled
from headwater.spec.outcome import Count, Step
from headwater.store.parked import ParkedDelivery, delivery_id

if TYPE_CHECKING:
    from headwater.deliver.plan import LanePlan
    from headwater.spec.destination import Item

_REASON = "REPLAY"


class Receiver(msgspec.Struct, frozen=True):
    """A destination of a replay, with its plan as if it were switched on; None when it is gone."""

    destination_id: str
    plan: LanePlan | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that events may have for it; the first is its own."""
        if self.plan is None:
            return ()
        declared, destination = self.plan.definition, self.plan.destination
        return (declared.name, *declared.previous_names, destination.name, destination.id)

    @property
    def ways(self) -> int:
        """How many deliveries an event may come to."""
        return 0 if self.plan is None else len(self.plan.ways)


class Taken(msgspec.Struct, frozen=True):
    """An event as one destination gets it, and the way that it takes there (`deliver/ways.py`)."""

    destination_id: str
    way_id: str
    item: Item
    horizon_ms: int


class Sorted(msgspec.Struct, frozen=True):
    """What is sent of some events, and how many are not, by destination and reason."""

    taken: list[Taken]
    kept: Counter[tuple[str, str]]


def sort_out(items: Iterable[Item], receivers: Sequence[Receiver]) -> Sorted:
    """Decide for each event and destination."""
    found = Sorted([], Counter())
    names = {receiver.destination_id: receiver.names for receiver in receivers}
    for item in items:
        event = read(item)
        if event is None:
            continue
        served = bundled(event["_metadata"]) if "_metadata" in event else frozenset[str]()
        for receiver in receivers:
            plan, own = receiver.plan, names[receiver.destination_id]
            if plan is None:
                found.kept[receiver.destination_id, "UNKNOWN_INTEGRATION"] += 1
            elif not served.isdisjoint(own):
                found.kept[receiver.destination_id, "MESSAGE_SENT_CLIENT_SIDE"] += 1
            elif item.type not in plan.definition.event_types:
                found.kept[receiver.destination_id, "UNSUPPORTED_EVENT_TYPE"] += 1
            else:
                _decide(found, receiver.destination_id, plan, item, {**event, "integrations": _alone(own[0])})
    return found


def _decide(found: Sorted, destination_id: str, plan: LanePlan, item: Item, event: dict[str, Any]) -> None:
    item = msgspec.structs.replace(item, body=msgspec.json.encode(event))
    if plan.decide is None:
        found.taken.extend(Taken(destination_id, way_id, item, plan.horizon_ms) for way_id in plan.ways)
        return
    decision = plan.decide(item, event)
    if decision.reason:
        found.kept[destination_id, decision.reason] += 1
    found.taken.extend(Taken(destination_id, way.id, decision.item, plan.horizon_ms) for way in decision.ways)


def read(item: Item) -> dict[str, Any] | None:
    """The event, unless the archive holds none in its place."""
    try:
        event = msgspec.json.decode(item.body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _alone(name: str) -> dict[str, bool]:
    return {"All": False, name: True}


def row(taken: Taken, *, replay_id: str, source_id: str, partition: int, at: int) -> ParkedDelivery:
    """The delivery of an event, which waits for its turn from `at` on (milliseconds)."""
    item = taken.item
    return ParkedDelivery(
        id=delivery_id(
            taken.destination_id, partition, item.position, subscription_id=taken.way_id, replay_id=replay_id
        ),
        destination_id=taken.destination_id,
        source_id=source_id,
        partition=partition,
        position=item.position,
        message_id=item.message_id,
        event_type=item.type,
        event_name=item.name,
        received_at=item.received_at,
        payload=item.body,
        state="waiting",
        reason=_REASON,
        counted_at=at,
        parked_reason=_REASON,
        detail="",
        attempts=0,
        notes=[],
        parked_at=at,
        due_at=at,
        expires_at=at + taken.horizon_ms,
        subscription_id=taken.way_id,
        replay_id=replay_id,
    )


def counts(found: Sorted, source_id: str, at: int) -> list[Count]:
    """What is not sent, for the books: it matched, and was filtered."""
    minute = at // 60_000
    made: list[Count] = []
    for (destination_id, reason), events in found.kept.items():
        for step, why in ((Step.MATCHED, _REASON), (Step.FILTERED_AT_DESTINATION, reason)):
            made.append(Count(source_id, destination_id, minute, step, why, events))
    return made


def stride(per_second: int, receivers: Sequence[Receiver], most: int) -> int:
    """How many events to make out at once, so that no more than about `most` deliveries come of them."""
    ways = sum(receiver.ways for receiver in receivers)
    return max(1, min(per_second, most // max(ways, 1)))
