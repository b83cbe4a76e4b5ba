"""A replay without sending: which events it would find, what each destination would get, and a few of the requests.

Deliver's own heart decides, over what the archive holds now. Nothing is counted, parked, kept or sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec

from headwater.eventlog.streams import PROCESSED
from headwater.manage.attempting import try_way
from headwater.manage.desk import Desk
from headwater.manage.previewing import secrets_behind
from headwater.manage.trials import ports
from headwater.spec.errors import Unavailable
from headwater.warehouse.replay.archived import ArchivedEvents

if TYPE_CHECKING:
    from headwater.deliver.performing import Perform
    from headwater.deliver.plan import LanePlan
    from headwater.deliver.replay import Receiver, Taken
    from headwater.manage.attempting import Tried
    from headwater.spec.replay import Wanted
    from headwater.spec.workspace import Destination

MOST_EVENTS: Final = 50_000
"""Events that are decided on at most; what a larger replay does is told from these."""

LOOK_SECONDS: Final = 15.0
_COUNT_SECONDS: Final = 15.0
_SAMPLE_SECONDS: Final = 5.0


class Sample(msgspec.Struct, frozen=True):
    """What would be sent for one event, or in `problem` why nothing can be shown."""

    message_id: str
    way_id: str
    tried: Tried | None
    problem: str = ""


class Rehearsed(msgspec.Struct, frozen=True):
    """What a replay would do. `found` events are in the archive, None if counting takes too long.

    Of the first `read` of them: deliveries by destination and way, and events kept back by destination and reason.
    `whole` says that these are all; `archived` that everything that was published is in the archive.
    """

    found: int | None
    read: int
    whole: bool
    archived: bool
    deliveries: Counter[tuple[str, str]]
    kept: Counter[tuple[str, str]]
    samples: dict[str, list[Sample]]


async def rehearse(desk: Desk, wanted: Wanted, destinations: Sequence[Destination], *, samples: int) -> Rehearsed:
    """Take events from the archive as far as a sending replay would, for as long as it may take.

    Raises Unavailable when the archive cannot be read.
    """
    from headwater.deliver.replay import Receiver

    past = ArchivedEvents(desk.log, desk.settings.warehouse, desk.folder)
    ends = {part: (await desk.log.bounds(PROCESSED, part))[1] for part in desk.log.partitions(PROCESSED)}
    archived = await past.reaches(ends)
    plans = {each.id: plan_of(desk, each) for each in destinations}
    look = _Look([Receiver(each, plan) for each, plan in plans.items()], samples)
    whole = await look.over(past, wanted, ends)
    found = look.read if whole else await _counted(past, wanted, ends)
    shown = {each.id: await _samples(desk, each, look.first[each.id]) for each in destinations if look.first[each.id]}
    return Rehearsed(found, look.read, whole, archived, look.deliveries, look.kept, shown)


def plan_of(desk: Desk, destination: Destination, perform: Perform | None = None) -> LanePlan | None:
    """A destination as a replay finds it: as if it were switched on. Without `perform` it can only decide."""
    from headwater.deliver.plan import compile_lane

    switched_on = msgspec.structs.replace(destination, enabled=True)
    return compile_lane(switched_on, desk.secrets, desk.settings.deliver, perform)


class _Look:
    """What was found so far."""

    def __init__(self, receivers: list[Receiver], samples: int) -> None:
        self._receivers = receivers
        self._samples = samples
        self.read = 0
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.kept: Counter[tuple[str, str]] = Counter()
        self.first: dict[str, list[Taken]] = {receiver.destination_id: [] for receiver in receivers}

    async def over(self, past: ArchivedEvents, wanted: Wanted, ends: dict[int, int]) -> bool:
        """Decide on what there is. Returns whether that was all."""
        from headwater.deliver.replay import sort_out

        try:
            async with asyncio.timeout(LOOK_SECONDS), aclosing(past.pages(wanted, {}, ends)) as pages:
                async for page in pages:
                    items = page.items[: MOST_EVENTS - self.read]
                    found = await asyncio.to_thread(sort_out, items, self._receivers)
                    self.read += len(items)
                    self.kept += found.kept
                    for taken in found.taken:
                        self.deliveries[taken.destination_id, taken.way_id] += 1
                        first = self.first[taken.destination_id]
                        if len(first) < self._samples:
                            first.append(taken)
                    if len(items) < len(page.items):
                        return False
        except TimeoutError:
            return False
        return True


async def _counted(past: ArchivedEvents, wanted: Wanted, ends: dict[int, int]) -> int | None:
    try:
        async with asyncio.timeout(_COUNT_SECONDS):
            return await past.count(wanted, ends)
    except (TimeoutError, Unavailable):
        return None


async def _samples(desk: Desk, destination: Destination, taken: Sequence[Taken]) -> list[Sample]:
    async with ports(desk) as opened:
        plan = plan_of(desk, destination, opened.perform)
        assert plan is not None, "what is taken has a plan"
        hidden = await secrets_behind(opened, destination)
        return [await _sample(plan, one, hidden) for one in taken]


async def _sample(plan: LanePlan, taken: Taken, hidden: Sequence[str]) -> Sample:
    """What the way would ask for if every answer were an empty 200."""
    way = plan.ways[taken.way_id]
    if plan.broken or way.broken:
        return Sample(taken.item.message_id, way.id, None, plan.broken or way.broken)
    try:
        async with asyncio.timeout(_SAMPLE_SECONDS):
            tried = await try_way(plan, way, taken.item, None, hidden)
    except TimeoutError:
        return Sample(taken.item.message_id, way.id, None, "It took too long to find out.")
    return Sample(taken.item.message_id, way.id, tried, tried.detail or tried.reason)
