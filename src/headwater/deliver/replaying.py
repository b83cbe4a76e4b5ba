"""Replays from the archive: makes out deliveries at the pace that each replay has, and leaves the sending to the lanes.

A replay covers what was received before its end, however late the pipeline or the archive come to it: when it starts,
it notes how far collecting had come, and is over only when all of that is in the archive and has been read. Each step
is one transaction (`store/replays.py`), so a process may die at any instant.

Rows of replays wait in the store as all parked deliveries do. To flood nobody, no step is made while many deliveries
wait for the same destinations.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from headwater import telemetry
from headwater.deliver.backlog import PER_TRANSACTION
from headwater.deliver.replay import Receiver, counts, row, sort_out, stride
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.spec.errors import HeadwaterError, SenderError, Unavailable
from headwater.store import leases, replays
from headwater.store.replays import Place, Replay, Stride

if TYPE_CHECKING:
    from headwater.deliver.backlog import Backlog
    from headwater.deliver.lanes import Lanes
    from headwater.deliver.past import PastEvents
    from headwater.eventlog import EventLog
    from headwater.spec.destination import Item
    from headwater.spec.replay import PastPage
    from headwater.store import Store

LOOK_EVERY = 1.0
"""Seconds between two looks at what there is to do."""

AT_ONCE = 3
"""Replays that run side by side; others wait for their turn."""

MOST_WAITING = 2_000
"""While so many deliveries wait for a replay's destinations, it makes out no more."""

PATIENCE_SECONDS = 30.0
"""A replay that is held up for so long makes room for others, and has its turn again after them."""

_KEEP_PLACE_SECONDS = 2.0
_log = logging.getLogger("headwater.deliver")


class _Ports(msgspec.Struct, frozen=True):
    """What every replay works with."""

    log: EventLog
    store: Store
    lanes: Lanes
    backlog: Backlog
    past: PastEvents


class Replaying:
    """Looks after all replays."""

    def __init__(self, log: EventLog, store: Store, lanes: Lanes, backlog: Backlog, past: PastEvents) -> None:
        self._ports = _Ports(log, store, lanes, backlog, past)
        self._store = store
        self._backlog = backlog
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, float] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop; what is under way goes on where it stood, when the house starts again."""
        try:
            while not stopping.is_set():
                wait = LOOK_EVERY
                try:
                    found = await self._store.read(replays.unfinished)
                    self._turns = {each.id: self._turns.get(each.id, 0.0) for each in found}
                    for replay in sorted(found, key=lambda each: self._turns[each.id]):
                        await self._look_after(replay, stopping)
                except Unavailable as error:
                    wait = error.retry_after
                await _rest(stopping, wait)
        finally:
            for task in self._playing.values():
                task.cancel()
            await asyncio.gather(*self._playing.values(), return_exceptions=True)

    async def _look_after(self, replay: Replay, stopping: asyncio.Event) -> None:
        self._playing = {id: task for id, task in self._playing.items() if not task.done()}
        if replay.state == "cancelled":
            drop = partial(replays.drop_waiting, replay_id=replay.id, limit=PER_TRANSACTION)
            while not stopping.is_set() and await self._backlog.write(partial(drop, at=_now_ms())):
                continue
        elif replay.state != "paused" and replay.id not in self._playing and len(self._playing) < AT_ONCE:
            self._turns[replay.id] = time.monotonic()
            self._playing[replay.id] = asyncio.create_task(self._play(replay, stopping))

    async def _play(self, replay: Replay, stopping: asyncio.Event) -> None:
        """Play a replay, unless another process does."""
        with suppress(Unavailable):
            await leases.held(self._store, f"replay:{replay.id}", Playing(self._ports, replay).run, stopping)


class Playing:
    """One replay that runs, until it is over or somebody stops it."""

    def __init__(self, ports: _Ports, replay: Replay) -> None:
        self._log = ports.log
        self._store = ports.store
        self._lanes = ports.lanes
        self._backlog = ports.backlog
        self._past = ports.past
        self._replay = replay
        self._place: Place = replay.place
        self._kept: Place = replay.place
        self._due = 0.0
        self._saved = time.monotonic()
        self._detail = replay.detail

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until the replay is over, is stopped, or the house stops. What breaks it, fails it."""
        try:
            while not stopping.is_set():
                try:
                    await self._start()
                    await self._play(stopping)
                    return
                except Unavailable as error:
                    await self._say(str(error))
                    await _rest(stopping, error.retry_after)
        except _Stopped:
            return
        except Exception as error:
            detail = str(error) if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {error}"
            _log.warning("The replay %s failed: %s", self._replay.id, detail, exc_info=error)
            await self._end("failed", detail)

    async def _start(self) -> None:
        """Take its turn, and its place from the store: what a try that broke off had not kept is read again."""
        replay = await self._store.read(partial(replays.find, replay_id=self._replay.id))
        if replay.state == "waiting":
            begin = partial(replays.change_state, replay_id=replay.id, state="running", only=("waiting",))
            replay = await self._changed(partial(begin, at=_now_ms()))
        if replay.state != "running":
            raise _Stopped
        self._replay = replay
        self._place = self._kept = replay.place
        await self._lanes.look_again(set(replay.destination_ids))

    async def _changed(self, change: partial[Replay]) -> Replay:
        try:
            return await self._backlog.write(change)
        except SenderError as error:
            raise _Stopped from error

    async def _play(self, stopping: asyncio.Event) -> None:
        """Read what there is, again and again, until all that was meant has been read."""
        collected = {part: (await self._log.bounds(COLLECTED, part))[1] for part in self._log.partitions(COLLECTED)}
        ends: dict[int, int] | None = None
        counting: asyncio.Task[None] | None = None
        try:
            while not stopping.is_set():
                if ends is None and await self._processed(collected):
                    parts = self._log.partitions(PROCESSED)
                    ends = {part: (await self._log.bounds(PROCESSED, part))[1] for part in parts}
                if ends is not None and counting is None and self._replay.found < 0 and await self._past.reaches(ends):
                    counting = asyncio.create_task(self._count(ends))
                await self._read(ends, stopping)
                if ends is not None and all(self._place.get(str(part), 0) >= end for part, end in ends.items()):
                    await self._end("ended", "")
                    return
                await self._say("The newest events are not in the archive yet.")
                await _rest(stopping, LOOK_EVERY)
        finally:
            if counting is not None:
                counting.cancel()
                await asyncio.wait([counting])

    async def _read(self, ends: Mapping[int, int] | None, stopping: asyncio.Event) -> None:
        """Read what the archive holds now, from its place on."""
        place = {int(part): position for part, position in self._place.items()}
        async with aclosing(self._past.pages(self._replay.wanted, place, ends)) as pages:
            async for page in pages:
                await self._take(page, stopping)
        await self._keep_place()

    async def _processed(self, collected: dict[int, int]) -> bool:
        """Has everything that was collected up to there been processed?"""
        for partition, position in collected.items():
            for group in await self._log.groups(COLLECTED, partition):
                if await self._log.committed(group, COLLECTED, partition) < position:
                    return False
        return True

    async def _count(self, ends: Mapping[int, int]) -> None:
        """Find out how many events there are, so that progress can be shown. It does not matter when that fails."""
        with suppress(Unavailable):
            found = await self._past.count(self._replay.wanted, ends)
            await self._backlog.write(partial(replays.note, replay_id=self._replay.id, found=found))

    async def _take(self, page: PastPage, stopping: asyncio.Event) -> None:
        """Make out deliveries for a page, in steps that are as large as the replay's pace and a transaction allow."""
        receivers = self._receivers()
        items = page.items
        start = 0
        while start < len(items):
            size = stride(self._replay.per_second, receivers, PER_TRANSACTION)
            part = items[start : start + size]
            start += len(part)
            await self._turn(stopping)
            if stopping.is_set():
                raise _Stopped
            receivers = self._receivers()
            if all(receiver.plan is None for receiver in receivers):
                raise SenderError("None of its destinations is left.", code="gone", status=404)
            await self._step(page.partition, part, page.next if start >= len(items) else part[-1].position + 1)
        if not items:
            self._place = {**self._place, str(page.partition): page.next}
            if time.monotonic() - self._saved > _KEEP_PLACE_SECONDS:
                await self._keep_place()

    def _receivers(self) -> list[Receiver]:
        """The replay's destinations as they are set up now, whether they are switched on or not."""
        self._lanes.follow()
        lanes = {each: self._lanes.get(each) or self._lanes.aside(each) for each in self._replay.destination_ids}
        return [Receiver(each, None if lane is None else lane.plan) for each, lane in lanes.items()]

    async def _turn(self, stopping: asyncio.Event) -> None:
        """Wait until the replay's pace allows more, and few enough deliveries wait for its destinations."""
        await _rest(stopping, self._due - time.monotonic())
        waiting = partial(replays.waiting, destination_ids=self._replay.destination_ids, most=MOST_WAITING)
        held = time.monotonic()
        while not stopping.is_set() and await self._store.read(waiting) >= MOST_WAITING:
            if time.monotonic() - held > PATIENCE_SECONDS:
                raise _Stopped
            await self._say(f"{MOST_WAITING:,} deliveries wait for its destinations; it goes on when fewer do.")
            await self._still_runs()
            await _rest(stopping, LOOK_EVERY / 2)

    async def _step(self, partition: int, items: Sequence[Item], following: int) -> None:
        at = _now_ms()
        found = sort_out(items, self._receivers())
        here = {"replay_id": self._replay.id, "source_id": self._replay.wanted.source_id}
        place = {**self._place, str(partition): following}
        made = [row(each, partition=partition, at=at, **here) for each in found.taken]
        kept = counts(found, here["source_id"], at)
        self._due = max(self._due, time.monotonic() - LOOK_EVERY) + len(items) / self._replay.per_second
        await self._advance(Stride(before=self._kept, place=place, read=len(items), rows=made, kept=kept, at=at))
        self._backlog.due.set()

    async def _keep_place(self) -> None:
        """Note a place that was reached without finding anything."""
        if self._place != self._kept:
            await self._advance(Stride(before=self._kept, place=self._place, read=0, rows=(), kept=(), at=_now_ms()))

    async def _advance(self, step: Stride) -> None:
        if not await self._backlog.write(partial(replays.advance, replay_id=self._replay.id, stride=step)):
            raise _Stopped
        telemetry.DELIVER_REPLAYED.inc(step.read)
        self._place = self._kept = step.place
        self._saved = time.monotonic()
        self._detail = ""

    async def _still_runs(self) -> None:
        replay = await self._store.read(partial(replays.find, replay_id=self._replay.id))
        if replay.state != "running":
            raise _Stopped

    async def _say(self, detail: str) -> None:
        """Show why it does not go on, once."""
        if detail != self._detail:
            self._detail = detail
            await self._backlog.write(partial(replays.note, replay_id=self._replay.id, detail=detail))

    async def _end(self, state: replays.State, detail: str) -> None:
        end = partial(replays.change_state, replay_id=self._replay.id, state=state, only=("running",), detail=detail)
        try:
            await self._backlog.write(partial(end, at=_now_ms()))
        except SenderError:
            return


class _Stopped(Exception):
    """The replay was paused or cancelled, makes room for others, or the house stops."""


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    if seconds > 0:
        try:
            async with asyncio.timeout(seconds):
                await stopping.wait()
        except TimeoutError:
            pass


def _now_ms() -> int:
    return int(time.time() * 1000)
