"""One destination's lane: what waits for it, what is under way, and when the next request may start.

Live events wait in `_live` as portions of chunks; deliveries that come back from the store wait in `_back` and go only
when no live event does. An idle lane holds no task; a busy one as many as it has requests under way.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from headwater import telemetry
from headwater.deliver import breaker as breakers
from headwater.deliver.attempt import Attempted
from headwater.deliver.backlog import Backlog
from headwater.deliver.breaker import Breaker
from headwater.deliver.classify import Verdict
from headwater.deliver.fates import Fate
from headwater.deliver.pace import Pace
from headwater.deliver.passage import Piece, Portion
from headwater.deliver.plan import LanePlan
from headwater.deliver.samples import Samples
from headwater.deliver.settle import Books, Work
from headwater.deliver.slots import Slots
from headwater.deliver.tally import Tally
from headwater.spec.destination import Exchange, Item
from headwater.spec.outcome import Step
from headwater.spec.settings import DeliverSettings
from headwater.store.parked import ParkedDelivery

LEASE_SECONDS = 120.0
_ROOM = 500


class Ports(msgspec.Struct, frozen=True):
    """What all lanes share: `start` runs a request's task, `slots` says how many there may be, `tally` counts events,
    and `samples` is the budget of all lanes together.
    """

    exchange: Exchange
    backlog: Backlog
    settings: DeliverSettings
    start: Callable[[Coroutine[Any, Any, None]], object]
    slots: Slots[Job]
    tally: Tally
    samples: Samples


class Returned(msgspec.Struct):
    """Deliveries that came back from the store together. `taken` of them are under way or ended."""

    rows: list[ParkedDelivery]
    items: list[Item]
    claimed: float
    taken: int = 0


class Queue(msgspec.Struct):
    """What waits to share requests: of one way, and with one key. `waiting` live events have not been taken yet."""

    way_id: str
    live: deque[Portion]
    back: deque[Returned]
    waiting: int = 0


class Job(msgspec.Struct, frozen=True):
    """A request of a lane that holds a slot."""

    lane: Lane
    work: Work
    ticket: int


async def run(job: Job | None) -> None:
    """Make a request, and then whichever comes next: a task goes from lane to lane instead of making another."""
    while job is not None:
        job = await job.lane.work_off(job)


class Lane:
    """`flying` requests are under way, `queued` live events wait, `in_window` chunks not yet committed touch it."""

    def __init__(self, plan: LanePlan, ports: Ports) -> None:
        self.plan = plan
        self.flying = 0
        self.queued = 0
        self.in_window = 0
        self._ports = ports
        self._books = Books(ports.backlog, ports.settings, ports.tally, ports.samples)
        self._breaker: Breaker = breakers.CLOSED
        self._pace = Pace(plan.definition.requests_per_second)
        self._queues: dict[tuple[str, str], Queue] = {}
        self._returned = 0
        self._works: list[Work] = []
        self._refused = self._gone = self._hurried = False
        self._timer: asyncio.TimerHandle | None = None
        self._progressed = 0.0
        self._took = telemetry.DELIVER_ATTEMPT.labels(plan.destination.id)
        self._latency = telemetry.DELIVER_LATENCY.labels(plan.destination.id)

    def enter(self, portion: Portion) -> None:
        """Take live events: have them sent, or park them at once when there is no use in waiting."""
        portion.passage.portions.append(portion)
        self.in_window += 1
        if stop := self._closed_for():
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, portion.items, stop, _now_ms())
            return
        if not self.queued and not self.flying:
            self._progressed = time.monotonic()
        if broken := self._broken(portion.way_id):
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, portion.items, broken, _now_ms())
            return
        queue = self._queue(portion.way_id, portion.key)
        queue.live.append(portion)
        queue.waiting += len(portion.items)
        self.queued += len(portion.items)
        self.pump()

    def offer(self, rows: Sequence[ParkedDelivery]) -> None:
        """Take deliveries that came back from the store, claimed for LEASE_SECONDS."""
        claimed = time.monotonic()
        parts: dict[tuple[str, str], Returned] = {}
        lost: list[ParkedDelivery] = []
        for row in rows:
            way = self.plan.ways.get(row.subscription_id)
            if way is None or way.broken:
                lost.append(row)
                continue
            item = _item(row)
            part = parts.setdefault((way.id, way.key(item) if way.key else ""), Returned([], [], claimed))
            part.rows.append(row)
            part.items.append(item)
        for (way_id, key), part in parts.items():
            self._queue(way_id, key).back.append(part)
            self._returned += len(part.rows)
        if self._closed_for():
            self._give_back()
        elif lost:
            self._books.give_up(self.plan, lost, self._broken, _now_ms())
        self.pump()

    def _queue(self, way_id: str, key: str) -> Queue:
        queue = self._queues.get((way_id, key))
        if queue is None:
            queue = self._queues[way_id, key] = Queue(way_id, deque(), deque())
        return queue

    def change(self, plan: LanePlan) -> None:
        """Go on under other settings; requests under way end under the old ones."""
        self.plan = plan
        self._pace = Pace(plan.definition.requests_per_second)
        self._refused = False
        self._breaker = breakers.CLOSED
        self._clear()
        self._drop_broken()
        self.pump()

    def close(self) -> None:
        """The destination is gone or switched off: nothing more is sent, and what waits is parked for its fate."""
        self._gone = True
        self._clear()

    def hurry(self) -> None:
        """The house is stopping: batches wait for nobody, and what came back from the store is given back."""
        self._hurried = True
        self._give_back()
        self.pump()

    def room(self) -> int:
        """How many deliveries may come back from the store now: none while live events wait."""
        if self._hurried or self.queued or self._returned or self._closed_for():
            return 0
        size = self.plan.most
        if not self._breaker.closed:
            return size if self._breaker.allows(time.monotonic()) else 0
        free = self.plan.definition.concurrency - self.flying
        room = max(size, min(4 * free * size, _ROOM)) if free > 0 else 0
        rate = self.plan.definition.requests_per_second
        return min(room, max(int(rate * size * LEASE_SECONDS / 4), 1)) if rate else room

    def flowing(self, now: float) -> bool:
        """Does the destination answer, so that what waits for it is only a matter of time?"""
        patience = self._ports.slots.patience
        return not self._works or now - self._works[0].started <= patience or now - self._progressed <= patience

    def hungry(self) -> bool:
        """Could it do with more events than the chunks at hand hold for it?"""
        return self.in_window > 0 and not self.queued and not self.flying and self._closed_for() is None

    def waiting_in_vain(self) -> bool:
        """Are its parked deliveries not being tried, so that their horizon has to be watched?"""
        return bool(self.plan.broken) or not self._breaker.closed

    def park_rest(self, portion: Portion) -> None:
        """Park what a portion still has open. What is under way goes on, and ends its rows when it ends."""
        self._park_queued(portion, Fate("waiting", "OVERFLOW", due_at=_now_ms()))
        self._park_flying(portion, float("inf"))

    def park_late(self, portion: Portion, now: float) -> None:
        """Park what of a portion is late at an instant of the monotonic clock."""
        self._park_flying(portion, now - self._ports.slots.patience)

    def _park_flying(self, portion: Portion, before: float) -> None:
        now = _now_ms()
        leased = Fate("waiting", "OVERFLOW", due_at=now + int(LEASE_SECONDS * 1000))
        for piece in portion.pieces:
            if not piece.rows and piece.started < before:
                piece.rows = self._books.park(self.plan, portion, piece.items, leased, now)

    def abandon(self) -> None:
        """The requests under way are cut off: have what is parked of them tried again soon."""
        rows = [row for work in self._works for row in work.rows]
        rows += [row for work in self._works for piece in work.pieces for row in piece.rows]
        if rows:
            self._ports.backlog.release([row.id for row in rows], _now_ms())

    def pump(self) -> None:
        """Start requests as far as there is something to send and the destination may be asked."""
        while self.wants() and self._ports.slots.free(self):
            job = self.job()
            if job is None:
                return
            self._ports.start(run(job))

    def wants(self) -> bool:
        """Is there something to send, and not too much under way?"""
        return bool(self.queued or self._returned) and self.flying < self.plan.definition.concurrency

    def job(self) -> Job | None:
        """The next request, which starts now, or None when there is none to start."""
        work = self._take() if self.wants() else None
        if work is None:
            return None
        self.flying += 1
        return Job(self, work, self._ports.slots.enter())

    async def work_off(self, job: Job) -> Job | None:
        """Make a request. Returns the next one, of whichever lane's turn it is."""
        work, slots = job.work, self._ports.slots
        self._works.append(work)
        tried = await work.way.run(work.items, self._ports.exchange)
        self._works.remove(work)
        self._settle(work, tried)
        slots.leave(job.ticket)
        self.flying -= 1
        if work.rows and not self.queued and not self._returned:
            self._ports.backlog.due.set()
        if slots.crowded:
            if self.wants():
                slots.line_up(self)
            return slots.following()
        following = self.job()
        if following is not None:
            self.pump()
        return following

    def _settle(self, work: Work, tried: Attempted) -> None:
        at = _now_ms()
        self._took.observe(tried.took)
        if tried.verdict.step is Step.DELIVERED:
            self._progressed = time.monotonic()
            self._ports.slots.took(tried.took)
            if not work.rows or not work.rows[0].replay_id:  # how old a replayed event is says nothing of its way
                self._latency.observe(max(at - work.items[0].received_at, 0) / 1000)
        self._books.settle(work, tried, at)
        if work.plan is self.plan:
            self._judge(tried.verdict)

    def _judge(self, verdict: Verdict) -> None:
        """What the answer says of the destination as a whole."""
        now = time.monotonic()
        if verdict.ill:
            settings, rest = self._ports.settings, verdict.retry_after
            self._breaker = breakers.failed(
                self._breaker,
                now,
                limit=settings.breaker_failures,
                seconds=min(rest, settings.breaker_seconds) if rest else settings.breaker_seconds,
                at_once=bool(rest),
            )
        elif verdict.refused or (verdict.step is Step.FAILED_DELIVERY and not verdict.status):
            self._breaker = breakers.abandoned(self._breaker)
        else:
            self._breaker = breakers.succeeded(self._breaker)
        if verdict.refuses and not self._refused and not self.plan.destination.paused:
            self._refused = True
            self._ports.backlog.pause(self.plan.destination.id)
        self._clear()

    def _closed_for(self) -> Fate | None:
        """What becomes of events that cannot be sent now, or None when they can."""
        if self._gone or self._refused or self.plan.destination.paused:
            return Fate("waiting", "PAUSED", due_at=_now_ms())
        if self.plan.broken:
            return Fate("failed", "INVALID_SETTINGS", self.plan.broken)
        if not self._breaker.closed and (rest := self._breaker.open_until - time.monotonic()) > 0:
            return Fate("waiting", "CIRCUIT_OPEN", due_at=_now_ms() + int(rest * 1000))
        return None

    def _broken(self, way_id: str) -> Fate | None:
        """What becomes of events whose way is gone or cannot work, or None when it is well."""
        way = self.plan.ways.get(way_id)
        if way is None:
            return Fate("failed", "UNKNOWN_INTEGRATION", "The subscription was removed or switched off.")
        return Fate("failed", "INVALID_SETTINGS", way.broken) if way.broken else None

    def _clear(self) -> None:
        """Park and give back what waits, if it cannot be sent now."""
        if (stop := self._closed_for()) is not None:
            for queue in self._queues.values():
                for portion in queue.live:
                    self._park_queued(portion, stop)
            self._give_back()
            self._queues.clear()

    def _drop_broken(self) -> None:
        """Park what waits for a way that is gone, or that cannot work any more."""
        for queue in list(self._queues.values()):
            if (end := self._broken(queue.way_id)) is not None:
                for portion in queue.live:
                    self._park_queued(portion, end)
                for returned in queue.back:
                    rest = returned.rows[returned.taken :]
                    self._returned -= len(rest)
                    self._books.give_up(self.plan, rest, self._broken, _now_ms())
                queue.live.clear()
                queue.back.clear()

    def _park_queued(self, portion: Portion, end: Fate) -> None:
        if rest := portion.items[portion.taken :]:
            self.queued -= len(rest)
            if (queue := self._queues.get((portion.way_id, portion.key))) is not None:
                queue.waiting -= len(rest)
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, rest, end, _now_ms())

    def _give_back(self) -> None:
        ids = [
            row.id
            for queue in self._queues.values()
            for returned in queue.back
            for row in returned.rows[returned.taken :]
        ]
        for queue in self._queues.values():
            queue.back.clear()
        self._returned = 0
        if ids:
            stop = self._closed_for()
            self._ports.backlog.release(ids, stop.due_at if stop is not None and stop.due_at else _now_ms())

    def _take(self) -> Work | None:
        """What the next request carries, of the queue whose turn it is, or None when it is nobody's yet."""
        now = time.monotonic()
        if not self._breaker.allows(now):
            return None
        if (wait := self._pace.wait(now)) > 0:
            self._later(wait)
            return None
        soonest = float("inf")
        for place, queue in list(self._queues.items()):
            _trim(queue)
            if not queue.live and not queue.back:
                del self._queues[place]
                continue
            if (wait := self._unripe(queue, now)) > 0:
                soonest = min(soonest, wait)
                continue
            if len(self._queues) > 1:
                self._queues[place] = self._queues.pop(place)
            work = self._take_live(queue, now) if queue.live else self._take_back(queue, now)
            if work is None:
                return None
            self._pace.start(now)
            self._breaker = breakers.started(self._breaker)
            return work
        if soonest < float("inf"):
            self._later(soonest)
        return None

    def _unripe(self, queue: Queue, now: float) -> float:
        """How long the events at hand may still wait for others to share their request."""
        batch = self.plan.ways[queue.way_id].batch
        if batch.items == 1 or not queue.live or queue.waiting >= batch.items or self._hurried:
            return 0.0
        return batch.wait - (now - queue.live[0].passage.entered)

    def _take_live(self, queue: Queue, now: float) -> Work:
        way = self.plan.ways[queue.way_id]
        batch = way.batch
        items: list[Item] = []
        pieces: list[Piece] = []
        left = batch.body_bytes
        while queue.live and len(items) < batch.items:
            portion = queue.live[0]
            start = portion.taken
            stop, left = _fitting(portion.items, start, batch.items - len(items), left, at_least=0 if items else 1)
            if stop > start:
                piece = Piece(portion, start, stop, now)
                portion.pieces.append(piece)
                pieces.append(piece)
                items += piece.items
                portion.taken = stop
            if stop < len(portion.items):
                break
            queue.live.popleft()
        queue.waiting -= len(items)
        self.queued -= len(items)
        return Work(self.plan, way, now, items, pieces=pieces)

    def _take_back(self, queue: Queue, now: float) -> Work | None:
        returned = queue.back[0]
        if now - returned.claimed > LEASE_SECONDS / 2:
            self._give_back()
            return None
        way = self.plan.ways[queue.way_id]
        start = returned.taken
        stop, _ = _fitting(returned.items, start, way.batch.items, way.batch.body_bytes, at_least=1)
        returned.taken = stop
        if stop == len(returned.items):
            queue.back.popleft()
        self._returned -= stop - start
        return Work(self.plan, way, now, returned.items[start:stop], rows=returned.rows[start:stop])

    def _later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.pump()


def _trim(queue: Queue) -> None:
    """Forget portions that are taken to their end."""
    while queue.live and queue.live[0].taken >= len(queue.live[0].items):
        queue.live.popleft()


def _item(row: ParkedDelivery) -> Item:
    return Item(row.payload, row.event_type, row.event_name, row.message_id, row.position, row.received_at)


def _fitting(items: Sequence[Item], start: int, count: int, size: int, *, at_least: int) -> tuple[int, int]:
    """Where to stop so that at most `count` items and `size` bytes are taken, and the bytes left."""
    stop = start
    end = min(len(items), start + count)
    while stop < end:
        rest = size - len(items[stop].body)
        if rest < 0 and stop - start >= at_least:
            break
        size = rest
        stop += 1
    return stop, size


def _now_ms() -> int:
    return int(time.time() * 1000)
