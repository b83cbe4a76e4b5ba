"""What a destination does with an event: the ways that it can take, each compiled once for every change.

A destination that takes whole events has one way, with an empty id; one with actions has a way for each subscription
that is switched on (`subscribed.py`). A way knows how its items are grouped and what it takes to try them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headwater.deliver.attempt import Attempted, attempt
from headwater.spec.destination import Action, Batch, DestinationDefinition, Exchange, Item
from headwater.spec.fql import Holds

if TYPE_CHECKING:
    from headwater.deliver.performing import Performer

Run = Callable[[Sequence[Item], Exchange], Awaitable[Attempted]]
"""Try to deliver items once, in one go. Raises nothing but bugs."""


class Way(msgspec.Struct, frozen=True):
    """`holds` says which events take it; None: all. `key` says which events may share a request; None: any.

    `broken` says why the subscription cannot work as it is set up, or is empty.
    """

    id: str
    batch: Batch
    run: Run
    holds: Holds | None = None
    key: Callable[[dict[str, Any]], str] | None = None
    broken: str = ""


def whole_way(definition: DestinationDefinition, settings: dict[str, Any], performer: Performer | None) -> Way:
    """The one way of a destination that takes whole events."""
    action = definition.action
    assert action is not None, "a destination has one action or several"
    batch = definition.batch(settings) if definition.batch is not None else Batch()
    return Way("", batch, plain_run(definition, action, settings, performer))


def idle_way() -> Way:
    """The way of a destination that cannot work as it is set up: it takes everything, and nothing is tried."""
    return Way("", Batch(), never)


async def never(items: Sequence[Item], exchange: Exchange) -> Attempted:
    raise AssertionError("a way that is broken is never tried")


def plain_run(
    definition: DestinationDefinition, action: Action, settings: dict[str, Any], performer: Performer | None
) -> Run:
    if action.writer is not None and performer is not None:
        return performer.writing(definition, action, settings)

    async def run(items: Sequence[Item], exchange: Exchange) -> Attempted:
        return await attempt(action, settings, items, exchange, credentials=definition.credentials)

    return run
