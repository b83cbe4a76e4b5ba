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
from headwater.deliver.attempt import Attempted, Exchange, attempt
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
from headwater.spec.destination import Item
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

    rows: Sequence[ParkedDelivery]
    items: list[Item]
    claimed: float
    taken: int = 0


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
        self._live: deque[Portion] = deque()
        self._back: deque[Returned] = deque()
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
        self._live.append(portion)
        self.queued += len(portion.items)
        self.pump()

    def offer(self, rows: Sequence[ParkedDelivery]) -> None:
        """Take deliveries that came back from the store, claimed for LEASE_SECONDS."""
        items = [
            Item(row.payload, row.event_type, row.event_name, row.message_id, row.position, row.received_at)
            for row in rows
        ]
        self._back.append(Returned(rows, items, time.monotonic()))
        if self._closed_for():
            self._give_back()
        self.pump()

    def change(self, plan: LanePlan) -> None:
        """Go on under other settings; requests under way end under the old ones."""
        self.plan = plan
        self._pace = Pace(plan.definition.requests_per_second)
        self._refused = False
        self._breaker = breakers.CLOSED
        self._clear()
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
        if self._hurried or self._live or self._back or self._closed_for():
            return 0
        size = self.plan.batch.items
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
        return bool(self._live or self._back) and self.flying < self.plan.definition.concurrency

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
        tried = await attempt(work.plan.definition, work.plan.settings, work.items, self._ports.exchange)
        self._works.remove(work)
        self._settle(work, tried)
        slots.leave(job.ticket)
        self.flying -= 1
        if work.rows and not self._live and not self._back:
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
        if verdict.refused and not self._refused and not self.plan.destination.paused:
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

    def _clear(self) -> None:
        """Park and give back what waits, if it cannot be sent now."""
        if (stop := self._closed_for()) is not None:
            for portion in self._live:
                self._park_queued(portion, stop)
            self._live.clear()
            self._give_back()

    def _park_queued(self, portion: Portion, end: Fate) -> None:
        if rest := portion.items[portion.taken :]:
            self.queued -= len(rest)
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, rest, end, _now_ms())

    def _give_back(self) -> None:
        ids = [row.id for returned in self._back for row in returned.rows[returned.taken :]]
        self._back.clear()
        if ids:
            stop = self._closed_for()
            self._ports.backlog.release(ids, stop.due_at if stop is not None and stop.due_at else _now_ms())

    def _take(self) -> Work | None:
        now = time.monotonic()
        if not self._breaker.allows(now):
            return None
        while self._live and self._live[0].taken >= len(self._live[0].items):
            self._live.popleft()
        if not self._live and not self._back:
            return None
        if (wait := max(self._pace.wait(now), self._unripe(now))) > 0:
            self._later(wait)
            return None
        work = self._take_live(now) if self._live else self._take_back(now)
        if work is not None:
            self._pace.start(now)
            self._breaker = breakers.started(self._breaker)
        return work

    def _unripe(self, now: float) -> float:
        """How long the events at hand may still wait for others to share their request."""
        batch = self.plan.batch
        if batch.items == 1 or not self._live or self.queued >= batch.items or self._hurried:
            return 0.0
        return batch.wait - (now - self._live[0].passage.entered)

    def _take_live(self, now: float) -> Work:
        batch = self.plan.batch
        items: list[Item] = []
        pieces: list[Piece] = []
        left = batch.body_bytes
        while self._live and len(items) < batch.items:
            portion = self._live[0]
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
            self._live.popleft()
        self.queued -= len(items)
        return Work(self.plan, now, items, pieces=pieces)

    def _take_back(self, now: float) -> Work | None:
        returned = self._back[0]
        if now - returned.claimed > LEASE_SECONDS / 2:
            self._give_back()
            return None
        batch = self.plan.batch
        start = returned.taken
        stop, _ = _fitting(returned.items, start, batch.items, batch.body_bytes, at_least=1)
        returned.taken = stop
        if stop == len(returned.items):
            self._back.popleft()
        return Work(self.plan, now, returned.items[start:stop], rows=list(returned.rows[start:stop]))

    def _later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.pump()


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
