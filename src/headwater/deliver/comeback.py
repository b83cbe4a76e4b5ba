"""How parked deliveries come back: claims those that are due for lanes with room, and tends to those with no hope.

However many wait, a transaction takes some of them only, and between two everybody else has a turn at the store. What
is left over comes with the next look, or when it is tended to again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from headwater import telemetry
from headwater.deliver.backlog import PER_TRANSACTION
from headwater.deliver.lane import LEASE_SECONDS
from headwater.spec.errors import Unavailable
from headwater.store import backlogs, parked

if TYPE_CHECKING:
    from headwater.deliver.backlog import Backlog
    from headwater.deliver.lanes import Lanes
    from headwater.deliver.tally import Tally
    from headwater.spec.settings import DeliverSettings
    from headwater.store import Store
    from headwater.store.parked import ParkedDelivery

_LOOK_EVERY = 1.0
_TOGETHER = 0.5
"""What becomes due within so many seconds is claimed together: retries are spread, and each claim is a transaction."""

_PAUSE = 0.02
"""The least time between two looks while there is more for a destination that works than it has room for."""

_CLAIMED_SECONDS = 1.25 * LEASE_SECONDS
"""No claim ends later than so many seconds from now, by whatever clock of another process it was made."""

_TEND_EVERY = 15.0
_TENDING_SECONDS = 2.0
_GONE = "The destination was removed or switched off."


class Comeback:
    """`committed` are deliver's cursors by partition, kept fresh by whoever commits; nothing beyond is forgotten."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        backlog: Backlog,
        settings: DeliverSettings,
        *,
        tally: Tally,
        committed: Mapping[int, int],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._backlog = backlog
        self._settings = settings
        self._tally = tally
        self._committed = committed
        self._shown: set[str] = set()
        self._more = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. A store that is away is waited for."""
        tended = 0.0
        while not stopping.is_set():
            wait = _LOOK_EVERY
            try:
                self._lanes.follow()
                self._lanes.serve()
                self._tally.tell(time.monotonic())
                wait = await self._look()
                if time.monotonic() - tended >= _TEND_EVERY:
                    tended = time.monotonic()
                    await self._tend()
            except Unavailable as error:
                wait = error.retry_after
            await self._rest(wait)

    async def _rest(self, seconds: float) -> None:
        """Wait until something may be due, and at least so long that a look finds enough of it."""
        least = _PAUSE if self._more else _TOGETHER
        await asyncio.sleep(least)
        try:
            async with asyncio.timeout(max(seconds - least, 0)):
                await self._backlog.due.wait()
        except TimeoutError:
            pass

    async def _look(self) -> float:
        """Claim what is due and has room. Returns the seconds until there may be more."""
        self._backlog.due.clear()
        self._more = False
        await self._hasten()
        waiting = await self._store.read(backlogs.first_due)
        now = _now_ms()
        limits: dict[str, int] = {}
        next_due = now + _LOOK_EVERY * 1000
        if any(self._lanes.get(destination_id) is None for destination_id in waiting):
            await self._lanes.refresh()  # another process may know a newer workspace, and park for what is new in it
        for destination_id, due_at in waiting.items():
            lane = self._lanes.get(destination_id) or self._lanes.aside(destination_id)
            if lane is None:
                await self._fail(destination_id)
                next_due, self._more = now, True
            elif self._lanes.get(destination_id) is None and await self._fail_unreplayed(destination_id):
                next_due, self._more = now, True
            elif due_at > now:
                next_due = min(next_due, due_at)
            elif room := lane.room():
                limits[destination_id] = room
        if limits:
            await self._claim(limits, now)
        return max((next_due - now) / 1000, 0.0)

    async def _hasten(self) -> None:
        """Make some of what waits for changed destinations due: perhaps the change was what it waited for."""
        now = _now_ms()
        for destination_id in sorted(self._lanes.changed):
            hasten = partial(
                parked.hasten,
                destination_id=destination_id,
                beyond=now + int(_CLAIMED_SECONDS * 1000),
                now=now,
                limit=PER_TRANSACTION,
            )
            if await self._backlog.write(hasten) < PER_TRANSACTION:
                self._lanes.changed.discard(destination_id)
            else:
                self._more = True

    async def _claim(self, limits: dict[str, int], now: int) -> None:
        """Claim as much as there is room for, and bring it to the lanes, each in its turn: what is due at once for
        many destinations would hold up everybody else's requests.
        """
        left = list(limits)
        while left:
            claim = partial(
                parked.claim,
                limits={destination_id: limits[destination_id] for destination_id in left},
                now=now,
                lease_ms=int(LEASE_SECONDS * 1000),
                most=PER_TRANSACTION,
            )
            claimed = await self._backlog.write(claim)
            full = sum(map(len, claimed.values())) >= PER_TRANSACTION
            left = left[left.index(list(claimed)[-1]) + 1 :] if full else []
            self._more |= full
            for destination_id, rows in claimed.items():
                await asyncio.sleep(0)
                self._offer(destination_id, rows, now)
                if len(rows) == limits[destination_id]:
                    lane = self._lanes.get(destination_id)
                    self._more |= lane is not None and not lane.waiting_in_vain()

    def _offer(self, destination_id: str, rows: list[ParkedDelivery], now: int) -> None:
        lane = self._lanes.get(destination_id)
        if lane is None and (lane := self._lanes.aside(destination_id)) is not None:
            self._backlog.release([row for row in rows if not row.replay_id], now)
            lane.offer([row for row in rows if row.replay_id])
        elif lane is None:
            self._backlog.release(rows, now)
        else:
            lane.offer(rows)

    async def _fail(self, destination_id: str, *, expired: bool = False, replayed: bool = True) -> int:
        """Give up some of what waits for a destination, or only what no replay sends. Returns how many."""
        fail = partial(
            parked.fail_waiting,
            destination_id=destination_id,
            reason="EXPIRED" if expired else "UNKNOWN_INTEGRATION",
            detail="" if expired else _GONE,
            now=_now_ms(),
            expired=expired,
            replayed=replayed,
            limit=PER_TRANSACTION,
        )
        return await self._backlog.write(fail)

    async def _fail_unreplayed(self, destination_id: str) -> int:
        """Give up some of what waits for a destination that is switched off, but for replays. Returns how many."""
        if not await self._store.read(partial(backlogs.unreplayed, destination_id=destination_id)):
            return 0
        return await self._fail(destination_id, replayed=False)

    async def _tend(self) -> None:
        """Fail what expired while nobody could try it, forget what ended long ago, and show how much waits."""
        until = time.monotonic() + _TENDING_SECONDS
        in_vain = [lane.plan.destination.id for lane in self._lanes.made() if lane.waiting_in_vain()]
        look = partial(backlogs.expired, destination_ids=in_vain, now=_now_ms())
        for destination_id in await self._store.read(look) if in_vain else ():
            while await self._fail(destination_id, expired=True):
                if time.monotonic() > until:
                    break
        before = _now_ms() - self._settings.keep_parked_hours * 3_600_000
        purge = partial(parked.purge, ended_before=before, committed=dict(self._committed), limit=PER_TRANSACTION)
        while await self._backlog.write(purge) and time.monotonic() <= until:
            continue
        sizes = await self._store.read(backlogs.sizes)
        for destination_id in self._shown | sizes.keys():
            telemetry.DELIVER_PARKED.labels(destination_id).set(sizes.get(destination_id, 0))
        self._shown = set(sizes)


def _now_ms() -> int:
    return int(time.time() * 1000)
