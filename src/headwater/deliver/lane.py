"""One destination's lane: what waits for it, what is under way, and when the next request may start.

Live events wait as portions of chunks (`queues.py`); deliveries that come back from the store are taken in only while
no live event waits for a request. An idle lane holds no task; a busy one as many as it has requests under way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
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
from headwater.deliver.passage import Portion
from headwater.deliver.plan import LanePlan
from headwater.deliver.queues import Queue, Queues, Returned
from headwater.deliver.samples import Samples
from headwater.deliver.settle import Books, Work
from headwater.deliver.slots import Slots
from headwater.deliver.tally import Tally
from headwater.deliver.ways import Way
from headwater.spec.destination import Exchange, Item
from headwater.spec.outcome import Step
from headwater.spec.settings import DeliverSettings
from headwater.store.parked import ParkedDelivery

LEASE_SECONDS = 120.0
_ROOM = 500
_log = logging.getLogger("headwater.deliver")


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
        self.in_window = 0
        self._ports = ports
        self._books = Books(ports.backlog, ports.settings, ports.tally, ports.samples)
        self._breaker: Breaker = breakers.CLOSED
        self._pace = Pace(plan.definition.requests_per_second)
        self._queues = Queues()
        self._works: list[Work] = []
        self._refused = self._gone = self._hurried = False
        self._timer: asyncio.Handle | None = None
        self._looks_at = 0.0
        self._progressed = 0.0
        self._took = telemetry.DELIVER_ATTEMPT.labels(plan.destination.id)
        self._latency = telemetry.DELIVER_LATENCY.labels(plan.destination.id)

    @property
    def queued(self) -> int:
        return self._queues.live

    def enter(self, portion: Portion) -> None:
        """Take live events: have them sent, or park them at once when there is no use in waiting."""
        portion.passage.portions.append(portion)
        self.in_window += 1
        if stop := self._closed_for():
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, portion.items, stop, _now_ms())
            return
        now = time.monotonic()
        if not self.queued and not self.flying:
            self._progressed = now
        if broken := self._broken(portion.way_id):
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, portion.items, broken, _now_ms())
            return
        self._queues.enter(portion, self.plan.ways[portion.way_id], now)
        self.pump()

    def offer(self, rows: Sequence[ParkedDelivery]) -> None:
        """Take deliveries that came back from the store, claimed for LEASE_SECONDS.

        Those that a request is still under way for, as it has outlived its lease, end with that request, which goes on
        under the new claim.
        """
        claimed = time.monotonic()
        flying = self._claim_anew({row.id: row for row in rows})
        parts: dict[tuple[str, str], Returned] = {}
        lost: list[ParkedDelivery] = []
        for row in rows:
            if row.id in flying:
                continue
            way = self.plan.ways.get(row.subscription_id)
            if way is None or way.broken:
                lost.append(row)
                continue
            item = _item(row)
            part = parts.setdefault((way.id, way.key(item.read()) if way.key else ""), Returned([], [], claimed))
            part.rows.append(row)
            part.items.append(item)
        for (way_id, key), part in parts.items():
            self._queues.offer(part, self.plan.ways[way_id], key)
        if self._hurried or self._closed_for():
            self._release([*self._queues.give_back(), *lost])
        elif lost:
            self._books.give_up(self.plan, lost, self._broken, _now_ms())
        self.pump()

    def change(self, plan: LanePlan) -> None:
        """Go on under other settings; requests under way end under the old ones."""
        self.plan = plan
        self._pace = Pace(plan.definition.requests_per_second)
        self._refused = False
        self._breaker = breakers.CLOSED
        self._clear()
        self._regroup()
        self.pump()

    def close(self) -> None:
        """The destination is gone or switched off: nothing more is sent, and what waits is parked for its fate."""
        self._gone = True
        self._clear()

    def hurry(self) -> None:
        """The house is stopping: batches wait for nobody, and what came back from the store is given back."""
        self._hurried = True
        self._release(self._queues.give_back())
        self._queues.hurry(time.monotonic())
        self.pump()

    def room(self) -> int:
        """How many deliveries may come back from the store now: none while live events wait for a request."""
        if self._hurried or self._queues.returned or self._closed_for() or self._queues.behind(time.monotonic()):
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
        if rest := self._queues.leave(portion):
            at = _now_ms()
            self._books.park(self.plan, portion, rest, Fate("waiting", "OVERFLOW", due_at=self._due(portion, at)), at)
        self._park_flying(portion, float("inf"))

    def _due(self, portion: Portion, at: int) -> int:
        """When what is parked at an instant (milliseconds) comes back: at once, or together with what it waited for.

        Those whose batch had not waited long enough come back at the next multiple of its time, to share requests.
        """
        way = self.plan.ways.get(portion.way_id)
        wait = int(way.batch.wait * 1000) if way is not None and way.batch.items > 1 else 0
        if (time.monotonic() - portion.passage.entered) * 1000 >= wait:
            return at
        return (at // wait + 1) * wait

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
        if rows := self._flying_rows():
            self._ports.backlog.release(rows, _now_ms())

    def _flying_rows(self) -> list[ParkedDelivery]:
        """The rows of requests that are under way."""
        rows = [row for work in self._works for row in work.rows]
        return rows + [row for work in self._works for piece in work.pieces for row in piece.rows]

    def _claim_anew(self, rows: Mapping[str, ParkedDelivery]) -> set[str]:
        """Put claims in the place of older ones of requests that are under way. Returns the ids of those."""
        found: set[str] = set()
        for held in [work.rows for work in self._works] + [piece.rows for work in self._works for piece in work.pieces]:
            for place, row in enumerate(held):
                if row.id in rows:
                    found.add(row.id)
                    held[place] = msgspec.structs.replace(row, due_at=rows[row.id].due_at)
        return found

    def drop(self, portion: Portion) -> None:
        """Send no more of a portion: its chunk is another worker's by now."""
        self._queues.leave(portion)

    def pump(self) -> None:
        """Start requests as far as there is something to send and the destination may be asked."""
        while self.wants() and self._ports.slots.free(self):
            job = self.job()
            if job is None:
                return
            self._ports.start(run(job))

    def wants(self) -> bool:
        """Is there something to send, and not too much under way?"""
        return self.flying < self.plan.definition.concurrency and self._ripe()

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
        try:
            tried = await work.way.run(work.items, self._ports.exchange)
        except Exception as error:
            _log.exception("A request of the destination %s could not be made", self.plan.destination.id)
            why = f"The request could not be made: {type(error).__name__}."
            tried = Attempted(Verdict(Step.FAILED_DELIVERY, "INTERNAL", why), 0.0)
        self._works.remove(work)
        self._settle(work, tried)
        slots.leave(job.ticket)
        self.flying -= 1
        if work.rows and self.room():
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
            rows: list[ParkedDelivery] = []
            for queue in self._queues.empty():
                for portion in queue.live:
                    self._park_queued(portion, stop)
                for returned in queue.back:
                    rows += returned.rest
            self._release(rows)

    def _regroup(self) -> None:
        """Put what waits together anew as the plan has it now; what waits for a way that cannot be taken ends."""
        now = time.monotonic()
        for queue in self._queues.empty():
            if (end := self._broken(queue.way.id)) is not None:
                for portion in queue.live:
                    self._park_queued(portion, end)
                for returned in queue.back:
                    self._books.give_up(self.plan, returned.rest, self._broken, _now_ms())
                continue
            way = self.plan.ways[queue.way.id]
            for portion in queue.live:
                for part in self._parted(portion, way):
                    self._queues.enter(part, way, now)
            for returned in queue.back:
                if way.key is None:
                    self._queues.offer(returned, way, "")
                else:
                    self._release(returned.rest)

    def _parted(self, portion: Portion, way: Way) -> list[Portion]:
        """What a portion still holds, by the keys that a way gives its items."""
        rest = portion.items[portion.taken :]
        if way.key is None or not rest:
            portion.key = ""
            return [portion] if rest else []
        parts: dict[str, list[Item]] = {}
        for item in rest:
            parts.setdefault(way.key(item.read()), []).append(item)
        if len(parts) == 1:
            (portion.key,) = parts
            return [portion]
        portion.items = portion.items[: portion.taken]
        passage, source_id = portion.passage, portion.source_id
        made = [Portion(passage, self, source_id, items, way_id=way.id, key=key) for key, items in parts.items()]
        passage.portions += made
        self.in_window += len(made)
        return made

    def _park_queued(self, portion: Portion, end: Fate) -> None:
        if rest := portion.items[portion.taken :]:
            portion.taken = len(portion.items)
            self._books.park(self.plan, portion, rest, end, _now_ms())

    def _release(self, rows: Sequence[ParkedDelivery]) -> None:
        """Give back untried what came back from the store."""
        if rows:
            stop = self._closed_for()
            due_at = stop.due_at if stop is not None and stop.due_at else _now_ms()
            self._ports.backlog.release(rows, due_at)

    def _ripe(self) -> bool:
        """May a request start, as far as what waits is concerned? If not yet, there will be a look in time."""
        queues = self._queues
        if queues.ripening and (wait := queues.ripen(time.monotonic())) is not None:
            self._later(wait)
        return bool(queues.ready)

    def _take(self) -> Work | None:
        """What the next request carries, of the queue whose turn it is, or None when it is nobody's yet."""
        now = time.monotonic()
        if not self._breaker.allows(now):
            return None
        if (wait := self._pace.wait(now)) > 0:
            self._later(wait)
            return None
        while (queue := self._queues.next(now)) is not None:
            work = self._carried(queue, now)
            self._queues.done(queue, now)
            if work is not None:
                self._pace.start(now)
                self._breaker = breakers.started(self._breaker)
                return work
        return None

    def _carried(self, queue: Queue, now: float) -> Work | None:
        """What a request of that queue carries; None when all that it held has been given back meanwhile."""
        items, pieces = self._queues.take(queue, now)
        if items:
            return Work(self.plan, queue.way, now, items, pieces=pieces)
        if queue.back and now - queue.back[0].claimed > LEASE_SECONDS / 2:
            self._release(self._queues.give_back())
        if not queue.back:
            return None
        items, rows = self._queues.take_back(queue)
        return Work(self.plan, queue.way, now, items, rows=rows)

    def _later(self, seconds: float) -> None:
        """Look again after so long, unless there is a look before."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._looks_at <= at:
                return
            self._timer.cancel()
        self._timer, self._looks_at = loop.call_at(at, self._wake), at

    def _wake(self) -> None:
        self._timer = None
        self.pump()


def _item(row: ParkedDelivery) -> Item:
    return Item(row.payload, row.event_type, row.event_name, row.message_id, row.position, row.received_at)


def _now_ms() -> int:
    return int(time.time() * 1000)
