"""A lane by itself: what shares a request, whose turn it is, and what becomes of what cannot be sent."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.deliver import lane as lanes
from headwater.deliver.attempt import Attempted, item_verdict
from headwater.deliver.backlog import Backlog
from headwater.deliver.classify import Verdict
from headwater.deliver.fates import Fate, parked_row
from headwater.deliver.lane import Job, Lane, Ports, run
from headwater.deliver.passage import Passage, Portion
from headwater.deliver.plan import LanePlan
from headwater.deliver.queues import Queue
from headwater.deliver.samples import Samples
from headwater.deliver.slots import Slots
from headwater.deliver.tally import Tally
from headwater.deliver.ways import Way
from headwater.spec.destination import Batch, DestinationDefinition, Exchange, Failed, Item, Request
from headwater.spec.outcome import Step
from headwater.spec.settings import DeliverSettings
from headwater.spec.workspace import Destination
from headwater.store.parked import Change, ParkedDelivery

DELIVERED = Verdict(Step.DELIVERED, status=200)
ENDS = (
    DELIVERED,
    DELIVERED,
    Verdict(Step.PENDING, "RETRY", "busy", 503, retry_after=3.0),
    Verdict(Step.FAILED_DELIVERY, "BAD_REQUEST", "bad", 400),
)
Answering = Callable[[Sequence[Item]], Verdict]


class Notebook:
    """Writes down what a backlog is ordered."""

    def __init__(self) -> None:
        self.due = asyncio.Event()
        self.parked: list[ParkedDelivery] = []
        self.changes: list[Change] = []
        self.released: list[str] = []
        self.paused: list[str] = []

    def park(self, deliveries: Sequence[ParkedDelivery], *, epoch: int) -> int:
        self.parked += deliveries
        return len(self.parked)

    def settle(self, changes: Sequence[Change]) -> int:
        self.changes += changes
        return 0

    def release(self, rows: Sequence[ParkedDelivery], due_at: int) -> int:
        self.released += [row.id for row in rows]
        return 0

    def pause(self, destination_id: str) -> int:
        self.paused.append(destination_id)
        return 0


class Bay:
    """A lane over a notebook. `sent` are the batches that were tried, by message ids, each with its way."""

    def __init__(self, *ways: Way) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.notebook = Notebook()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        slots = Slots[Job](8, 0.5, lambda job: self._start(run(job)))
        ports = Ports(
            cast("Exchange", None),
            cast("Backlog", self.notebook),
            DeliverSettings(),
            self._start,
            slots,
            Tally(),
            Samples(times=10),
        )
        self.passage = Passage(0, 0, 100, time.monotonic())
        self.lane = Lane(plan(*ways), ports)

    def _start(self, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(request)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def way(self, id: str, batch: Batch, answer: Answering | None = None, **more: Any) -> Way:
        async def tried(items: Sequence[Item], exchange: Exchange) -> Attempted:
            self.sent.append((id, [item.message_id for item in items]))
            self._changed.set()
            verdict = answer(items) if answer is not None else DELIVERED
            return Attempted(verdict, 0.0, Request("POST", "https://a.example", secrets=("tok-123",)))

        return Way(id, batch, tried, **more)

    def enter(self, way_id: str, *items: Item, key: str = "") -> Portion:
        self.passage.begin(len(items))
        portion = Portion(self.passage, self.lane, "s", list(items), way_id=way_id, key=key)
        self.lane.enter(portion)
        return portion

    async def until_sent(self, *ways: str) -> None:
        async with asyncio.timeout(10):
            while not set(ways) <= {way for way, _ in self.sent}:
                self._changed.clear()
                await self._changed.wait()

    async def settled(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))


def plan(*ways: Way, **more: Any) -> LanePlan:
    definition = DestinationDefinition(
        name="Tool",
        description="",
        website="",
        categories=(),
        fields=(),
        event_types=frozenset({"track"}),
        check=lambda settings: None,
        concurrency=2,
    )
    destination = Destination(id="d", source_id="s", definition="tool", name="Tool")
    by_id = {way.id: way for way in ways}
    return LanePlan(destination, definition, {}, (), by_id, None, 3_600_000, **more)


def bay(make: Callable[[Bay], Sequence[Way]]) -> Bay:
    """A bay with ways of its own."""
    made = Bay()
    made.lane.change(plan(*make(made)))
    return made


def event(number: int, **body: Any) -> Item:
    return Item(msgspec.json.encode(body), "track", "A", f"m{number}", number, 0)


def by_url(event: dict[str, Any]) -> str:
    return event["url"]


def row(item: Item, way_id: str) -> ParkedDelivery:
    return parked_row(
        item,
        destination_id="d",
        subscription_id=way_id,
        source_id="s",
        partition=0,
        fate=Fate("waiting", "RETRY"),
        at=1,
        horizon_ms=10**15,
    )


def test_a_batch_that_waits_long_holds_up_none_that_waits_less() -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("slow", Batch(items=9, wait=600.0)), it.way("quick", Batch(items=9, wait=0.01))])
        dock.enter("slow", event(1))
        dock.enter("quick", event(2))
        await dock.until_sent("quick")
        assert dock.sent == [("quick", ["m2"])]
        dock.lane.hurry()
        await dock.until_sent("slow")
        await dock.settled()
        assert dock.passage.open == 0

    asyncio.run(scenario())


def test_a_batch_goes_when_it_is_full_and_what_is_left_over_waits_again() -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("w", Batch(items=3, wait=600.0))])
        dock.enter("w", event(1), event(2))
        dock.enter("w", event(3), event(4), key="other")
        assert dock.sent == []
        dock.enter("w", event(5), event(6))
        await dock.settled()
        assert dock.sent == [("w", ["m1", "m2", "m5"])]
        assert (dock.lane.queued, dock.passage.open) == (3, 3)

    asyncio.run(scenario())


def test_what_came_back_is_tried_while_a_batch_of_new_events_fills() -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("w", Batch(items=9, wait=600.0))])
        dock.enter("w", event(1))
        assert dock.lane.room() > 0
        dock.lane.offer([row(event(2), "w"), row(event(3), "w")])
        await dock.settled()
        assert dock.sent == [("w", ["m2", "m3"])]
        assert [change.state for change in dock.notebook.changes] == ["delivered", "delivered"]
        assert dock.lane.queued == 1

    asyncio.run(scenario())


def test_what_came_back_too_long_ago_is_given_back_and_strands_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("one", Batch()), it.way("two", Batch())])
        monkeypatch.setattr(lanes, "LEASE_SECONDS", -1.0)
        dock.lane.flying = 2
        dock.lane.offer([row(event(1), "one")])
        dock.enter("two", event(2))
        dock.lane.flying = 0
        dock.lane.pump()
        await dock.settled()
        assert dock.sent == [("two", ["m2"])]
        assert dock.notebook.released == ["d.0.1.one"]

    asyncio.run(scenario())


def test_what_makes_way_before_its_batch_is_full_comes_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        at = 1_000_000_123
        monkeypatch.setattr(lanes, "_now_ms", lambda: at)
        dock = bay(lambda it: [it.way("slow", Batch(items=9, wait=600.0))])
        dock.lane.flying = 2
        portions = [dock.enter("slow", event(1)), dock.enter("slow", event(2)), dock.enter("slow", event(3), key="k")]
        for portion in portions:
            dock.lane.park_rest(portion)
        assert {one.due_at for one in dock.notebook.parked} == {at - at % 600_000 + 600_000}
        dock.passage.entered -= 601
        dock.lane.park_rest(dock.enter("slow", event(4)))
        assert dock.notebook.parked[-1].due_at == at
        dock.lane.hurry()
        assert (dock.passage.open, dock.lane.queued) == (0, 0)

    asyncio.run(scenario())


def test_what_is_still_under_way_is_not_sent_again_beside_itself() -> None:
    async def scenario() -> None:
        held = asyncio.Event()

        async def waits(items: Sequence[Item], exchange: Exchange) -> Attempted:
            dock.sent.append(("w", [item.message_id for item in items]))
            await held.wait()
            return Attempted(DELIVERED, 0.0)

        dock = bay(lambda it: [Way("w", Batch(), waits)])
        dock.lane.offer([row(event(1), "w")])
        live = dock.enter("w", event(2))
        await asyncio.sleep(0)
        dock.lane.park_rest(live)
        dock.lane.offer([row(event(1), "w"), row(event(2), "w")])
        held.set()
        await dock.settled()
        assert dock.sent == [("w", ["m1"]), ("w", ["m2"])]
        assert [change.id for change in dock.notebook.changes] == ["d.0.1.w", "d.0.2.w"]
        assert dock.passage.open == 0

    asyncio.run(scenario())


def test_what_comes_back_while_the_house_stops_is_given_back() -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("w", Batch())])
        dock.lane.hurry()
        dock.lane.offer([row(event(1), "w"), row(event(2), "gone")])
        await dock.settled()
        assert dock.sent == []
        assert dock.notebook.released == ["d.0.1.w", "d.0.2.gone"]

    asyncio.run(scenario())


def test_a_change_puts_what_waits_together_anew() -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("w", Batch(items=4, wait=600.0)), it.way("gone", Batch(items=4, wait=600.0))])
        portion = dock.enter("w", *(event(number, url=f"/{number % 2}") for number in range(1, 6)))
        dock.enter("gone", event(7))
        await dock.settled()
        assert dock.sent == [("w", ["m1", "m2", "m3", "m4"])]
        dock.enter("w", event(8, url="/0"))
        keyed = dock.way("w", Batch(items=4, wait=600.0), key=by_url)
        dock.lane.change(plan(keyed))
        dock.enter("w", event(9, url="/1"), event(11, url="/1"), event(13, url="/1"), key="/1")
        await dock.settled()
        assert dock.sent[1:] == [("w", ["m5", "m9", "m11", "m13"])]
        assert [(one.message_id, one.reason) for one in dock.notebook.parked] == [("m7", "UNKNOWN_INTEGRATION")]
        dock.lane.hurry()
        await dock.settled()
        assert dock.sent[2:] == [("w", ["m8"])]
        assert (dock.passage.open, dock.lane.queued, len(portion.pieces)) == (0, 0, 0)
        assert dock.lane.in_window == len(dock.passage.portions)

    asyncio.run(scenario())


def test_a_portion_of_many_keys_is_parted_when_the_key_changes() -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("w", Batch(items=9, wait=600.0))])
        dock.enter("w", *(event(number, url=f"/{number % 2}") for number in range(4)))
        dock.lane.change(plan(dock.way("w", Batch(items=9, wait=600.0), key=by_url)))
        dock.lane.hurry()
        await dock.settled()
        assert sorted(dock.sent) == [("w", ["m0", "m2"]), ("w", ["m1", "m3"])]
        assert (dock.passage.open, dock.lane.queued) == (0, 0)
        assert dock.lane.in_window == len(dock.passage.portions) == 3

    asyncio.run(scenario())


def test_a_way_that_breaks_fails_what_it_tried_and_the_lane_goes_on() -> None:
    async def scenario() -> None:
        def breaks(items: Sequence[Item]) -> Verdict:
            raise KeyError("secret")

        dock = bay(lambda it: [it.way("bad", Batch(), breaks), it.way("good", Batch())])
        dock.enter("bad", event(1))
        dock.enter("good", event(2))
        await dock.settled()
        assert [way for way, _ in dock.sent] == ["bad", "good"]
        (kept,) = dock.notebook.parked
        assert (kept.state, kept.reason, kept.detail) == (
            "failed",
            "INTERNAL",
            "The request could not be made: KeyError.",
        )
        assert (dock.passage.open, dock.lane.flying) == (0, 0)

    asyncio.run(scenario())


def test_credentials_refused_for_one_of_a_batch_pause_the_destination_once() -> None:
    async def scenario() -> None:
        refused = Verdict(Step.PENDING, "PAUSED", "401", 401, refused=True)
        dock = bay(
            lambda it: [
                it.way("w", Batch(items=2), lambda items: msgspec.structs.replace(DELIVERED, items={1: refused}))
            ]
        )
        dock.enter("w", *(event(number) for number in range(6)))
        await dock.settled()
        assert dock.notebook.paused == ["d"]
        assert dock.lane.room() == 0
        assert {(one.state, one.reason) for one in dock.notebook.parked} == {("waiting", "PAUSED")}
        assert dock.passage.open == 0

    asyncio.run(scenario())


def test_each_of_a_batch_notes_its_own_end_and_tells_no_secret() -> None:
    async def scenario() -> None:
        bad = item_verdict(Failed("no email for tok-123", status=422))
        dock = bay(
            lambda it: [it.way("w", Batch(items=2), lambda items: Verdict(Step.DELIVERED, status=207, items={1: bad}))]
        )
        dock.enter("w", event(1), event(2))
        await dock.settled()
        dock.lane.offer([row(event(3), "w"), row(event(4), "w")])
        await dock.settled()
        (kept,) = dock.notebook.parked
        assert (kept.message_id, kept.detail) == ("m2", "no email for [redacted]")
        told = {"step": "failed_delivery", "reason": "MESSAGE_REJECTED", "status": 422, "detail": kept.detail}
        assert told.items() <= kept.notes[0].items()
        well, ill = (change.attempt or {} for change in dock.notebook.changes)
        assert (well["step"], well["status"]) == ("delivered", 207)
        assert told.items() <= ill.items()

    asyncio.run(scenario())


@settings(max_examples=30)
@given(st.sets(st.integers(0, 12), min_size=1), st.integers(1, 13))
def test_the_notes_tell_where_each_event_stands(places: set[int], batch: int) -> None:
    async def scenario() -> None:
        dock = bay(lambda it: [it.way("w", Batch(items=batch))])
        dock.enter("w", *(event(place) for place in sorted(places)))
        await dock.settled()
        notes = dock.passage.outcomes(0).attempts
        assert sorted(position for note in notes for position in note.positions) == sorted(places)
        assert all(len(note.positions) <= batch for note in notes)

    asyncio.run(scenario())


def test_many_keys_are_told_apart_without_looking_at_each_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        looks = 0
        dock = bay(lambda it: [it.way("w", Batch(items=9, wait=600.0))])
        before = Queue.ripe_at

        def counted(queue: Queue) -> float:
            nonlocal looks
            looks += 1
            return before(queue)

        monkeypatch.setattr(Queue, "ripe_at", counted)
        for number in range(300):
            dock.enter("w", event(number), key=str(number))
        dock.lane.hurry()
        await dock.settled()
        assert len(dock.sent) == 300
        assert looks < 10 * 300

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_each_delivery_is_counted_once(seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)

        def answer(items: Sequence[Item]) -> Verdict:
            found = {index: chance.choice(ENDS) for index in range(len(items)) if chance.random() < 0.3}
            return msgspec.structs.replace(chance.choice(ENDS), items=found)

        def ways(it: Bay) -> list[Way]:
            wait = chance.choice((0.0, 600.0))
            made = [it.way(id, Batch(items=chance.choice((1, 3, 8)), wait=wait, body_bytes=40), answer) for id in "abc"]
            return [
                msgspec.structs.replace(way, key=by_url) if chance.random() < 0.5 else way
                for way in made
                if chance.random() < 0.9
            ]

        dock = bay(ways)
        portions: list[Portion] = []
        number = 0
        for _ in range(60):
            way = dock.lane.plan.ways.get(chance.choice("abc"))
            if way is not None:
                items = [event(number + more, url=f"/{chance.randrange(3)}") for more in range(chance.randrange(1, 6))]
                number += len(items)
                parts: dict[str, list[Item]] = {}
                for item in items:
                    parts.setdefault(way.key(item.read()) if way.key else "", []).append(item)
                portions += [dock.enter(way.id, *part, key=key) for key, part in parts.items()]
            if chance.random() < 0.2:
                dock.lane.offer(
                    [row(event(10_000 + number + more, url="/1"), chance.choice("abc")) for more in range(3)]
                )
            if chance.random() < 0.2 and portions:
                dock.lane.park_rest(chance.choice(portions))
            if chance.random() < 0.1:
                dock.lane.change(plan(*ways(dock)))
            await asyncio.sleep(0)
        dock.lane.hurry()
        await dock.settled()
        assert (dock.passage.open, dock.lane.queued, dock.lane.flying) == (0, 0, 0)
        assert dock.lane.in_window == len(dock.passage.portions)
        sums = Counter[str]()
        for count in dock.passage.outcomes(0).counts:
            sums[count.step] += count.events
        assert sums["delivered"] + sums["pending"] == number
        ids = [each.id for each in dock.notebook.parked]
        assert len(ids) == len(set(ids)) == sums["pending"]

    asyncio.run(scenario())
