"""A vendor that is down for hours, or for a month, with the settings that the house has: in simulated time.

Deliveries are tried again further and further apart and far from each other, the vendor is asked now and then by one
request, nothing is lost, and what outlasts the horizon is kept and can be sent again.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater import catalogue
from headwater.catalogue import Answer as Answered
from headwater.catalogue import Call, Workers
from headwater.catalogue.worker import Pace
from headwater.contracts.delivering import Bench
from headwater.contracts.doubles import Answer, Recorder
from headwater.contracts.simulated_time import SimulatedTime, simulate
from headwater.deliver.classify import classify
from headwater.deliver.fates import back_off, fate
from headwater.spec.destination import Exchange, Response
from headwater.spec.settings import CatalogueSettings, DeliverSettings
from headwater.store import redriving, subscriptions
from headwater.store.redriving import Filter

MINUTE, HOUR = 60.0, 3_600.0
ROOMS = ("headwater.deliver", "headwater.contracts")
HOUSE = DeliverSettings(allowed_addresses=("127.0.0.0/8",))
NO_BREAKER = msgspec.structs.replace(HOUSE, breaker_failures=1_000_000)
DOWN = Answer(503, body=b"Down for maintenance.")


def timed(clock: SimulatedTime) -> type[Workers]:
    """Workers for whose process of Node.js the clock stands still."""

    class Timed(Workers):
        def __init__(self, settings: CatalogueSettings, *, environment: Any) -> None:
            super().__init__(settings, environment=environment, pace=Pace(ping=1e9))

        async def deliver(self, call: Call, exchange: Exchange, **more: Any) -> Answered:
            with clock.standing_still():
                return await super().deliver(call, exchange, **more)

        async def __aexit__(self, *how: Any) -> None:
            with clock.standing_still():
                await super().__aexit__(*how)

    return Timed


Connect = Callable[..., str]


def native(bench: Bench, url: str, **settings: Any) -> str:
    return bench.connect(url=url, **settings)


def of_the_catalogue(bench: Bench, url: str, **settings: Any) -> str:
    made = bench.connect("actions-webhook", **settings)
    mapping = {"url": url, "method": "POST", "data": {"@path": "$."}}
    subscribe = partial(subscriptions.create, destination_id=made, name="All", action="send", trigger='type = "track"')
    bench.store.run(partial(subscribe, mapping=mapping, enabled=True))
    return made


missing = catalogue.missing()
KINDS = [
    pytest.param(native, id="native"),
    pytest.param(
        of_the_catalogue,
        id="catalogue",
        marks=pytest.mark.skipif(bool(missing), reason=f"the catalogue is not built: {missing}"),
    ),
]


@asynccontextmanager
async def running(
    bench: Bench, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch, settings: DeliverSettings = HOUSE
) -> AsyncGenerator[None]:
    """The role, whose clock takes strides only where the test says so."""
    with monkeypatch.context() as patched:
        patched.setattr("headwater.deliver.loop.Workers", timed(clock))
        async with bench.delivering(settings, fresh_every=1.0):
            yield
            clock.stride = 0.0


async def waited(bench: Bench, states: dict[str, int], *, seconds: float = HOUR) -> None:
    """Look every few seconds whether all deliveries have come to stand so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while bench.states() != states:
            await asyncio.sleep(10.0)


def gaps(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


@pytest.mark.parametrize("connect", KINDS)
def test_what_waited_for_hours_all_arrives_once_the_vendor_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    async def scenario(clock: SimulatedTime) -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool, running(bench, clock, monkeypatch):
            tool.script("/hook", DOWN)
            hook, began = connect(bench, tool.url("/hook")), clock.monotonic()
            await bench.put(100, hook)
            clock.stride = 5.0
            await asyncio.sleep(10 * MINUTE)
            probes = [request.at for request in tool.at("/hook") if request.at > began + MINUTE]
            assert min(gaps(probes)) >= HOUSE.breaker_seconds - 1, "one request asks, and the others are not tried"
            assert len(probes) >= 5
            clock.stride = 5 * MINUTE
            await asyncio.sleep(HOUR)
            await bench.put(100, hook, first=100)
            await asyncio.sleep(2.5 * HOUR)
            books = (await bench.books())[hook]
            assert books.pop(("matched", "")) == 200
            assert {step for step, _ in books} == {"pending"}
            assert bench.states() == {"waiting": 200}
            asked = len(tool.at("/hook"))
            tool.script("/hook", Answer(200))
            clock.stride = 5.0
            await waited(bench, {"delivered": 200}, seconds=2 * HOUSE.max_backoff_seconds)
            arrived = Counter(request.json()["messageId"] for request in tool.at("/hook")[asked:])
            assert arrived == {f"m{number}": 1 for number in range(200)}
            assert (await bench.books())[hook] == {("matched", ""): 200, ("delivered", ""): 200}

    simulate(scenario, *ROOMS)


@pytest.mark.parametrize("connect", KINDS)
def test_what_outlasts_a_month_has_expired_with_the_last_error_and_arrives_when_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    async def scenario(clock: SimulatedTime) -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool:
            tool.script("/hook", DOWN)
            hook = connect(bench, tool.url("/hook"), horizon_hours=720)
            await bench.put(50, hook)
            async with running(bench, clock, monkeypatch):
                clock.stride = 10 * HOUR
                await asyncio.sleep(29 * 24 * HOUR)
                assert bench.states() == {"waiting": 50}
            async with running(bench, clock, monkeypatch):
                clock.stride = HOUR
                await waited(bench, {"failed": 50}, seconds=24 * HOUR)
                rows = bench.rows()
                assert {row.reason for row in rows} == {"EXPIRED"}
                assert all("Down for maintenance." in row.detail for row in rows if row.attempts)
                assert any("Down for maintenance." in row.detail for row in rows)
                assert all(row.ended_at is not None and row.ended_at >= row.expires_at for row in rows)
                assert all(row.expires_at - row.parked_at == 720 * 3_600_000 for row in rows)
                failed = ("failed_delivery", "EXPIRED")
                assert (await bench.books())[hook] == {("matched", ""): 50, failed: 50}
                tool.script("/hook", Answer(200))
                clock.stride = 0.0
                asked, now = len(tool.at("/hook")), int(clock.time() * 1_000)
                again = partial(redriving.redrive, chosen=Filter(destination_id=hook), now=now, horizon_ms=3_600_000)
                assert bench.store.run(again) == 50
                await waited(bench, {"delivered": 50})
                assert len({request.json()["messageId"] for request in tool.at("/hook")[asked:]}) == 50
                assert len(tool.at("/hook")) == asked + 50
                assert (await bench.books())[hook] == {("matched", ""): 50, ("delivered", ""): 50}

    simulate(scenario, *ROOMS)


def test_waits_grow_to_the_longest_and_each_is_anywhere_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(clock: SimulatedTime) -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool, running(bench, clock, monkeypatch, NO_BREAKER):
            tool.script("/hook", Answer(mischief="hang"))
            hook, began = bench.connect(url=tool.url("/hook")), clock.monotonic()
            await bench.put(12, hook)
            clock.stride = 30.0
            await asyncio.sleep(3.5 * HOUR)
            rows = bench.rows()
            assert {(row.state, row.reason) for row in rows} == {("waiting", "TIMEOUT")}
            longest = HOUSE.max_backoff_seconds
            for row in rows:
                at = [note["at"] / 1_000 for note in row.notes]
                assert 10 <= row.attempts <= 100
                assert max(gaps(at[1:])) <= longest + 70, "a wait, the request that hangs, and two strides"
                assert max(gaps(at[1:])) > longest / 4
            late = [request.at - began for request in tool.at("/hook") if request.at > began + HOUR]
            assert max(Counter(int(at / (10 * MINUTE)) for at in late).values()) < len(late) / 4, "none come together"
            await waited(bench, {"failed": 12})
            assert all(row.detail.startswith(f"TIMEOUT after {row.attempts} attempts: ") for row in bench.rows())
            assert (await bench.books())[hook] == {("matched", ""): 12, ("failed_delivery", "EXPIRED"): 12}

    simulate(scenario, *ROOMS)


@pytest.mark.parametrize("connect", KINDS)
def test_a_vendor_that_names_an_hour_is_asked_again_after_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    async def scenario(clock: SimulatedTime) -> None:
        bench = Bench(tmp_path)
        async with Recorder() as tool, running(bench, clock, monkeypatch):
            tool.script("/hook", Answer(429, {"Retry-After": "3600"}), Answer(200))
            hook, began = connect(bench, tool.url("/hook")), clock.monotonic()
            await bench.put(1, hook)
            clock.stride = 30.0
            await waited(bench, {"delivered": 1}, seconds=2 * HOUR)
            first, second = (request.at - began for request in tool.at("/hook"))
            assert first < 5
            assert HOUR <= second - first < HOUR + 2 * MINUTE

    simulate(scenario, *ROOMS)


def test_a_thousand_deliveries_that_fail_together_stay_apart_until_the_horizon() -> None:
    """The pieces alone, over the whole horizon: what `deliver` does with an answer, and when."""
    horizon = int(HOUSE.horizon_hours * HOUR * 1_000)
    verdict = classify(Response(503, {}, b""), credentials=False, now=0.0)
    due = [(0, number, 1) for number in range(1_000)]
    chance = random.Random(4)
    tried: Counter[int] = Counter()
    ends: list[int] = []
    while due:
        at, number, attempts = heapq.heappop(due)
        tried[at // 60_000] += 1
        wait = back_off(HOUSE, attempts, chance.random())
        assert wait <= min(HOUSE.first_backoff_seconds * 2 ** (attempts - 1), HOUSE.max_backoff_seconds)
        end = fate(verdict, 0, attempts=attempts, at=at, expires_at=horizon, wait=wait)
        if end.state == "failed":
            assert (end.reason, end.detail) == ("EXPIRED", f"RETRY after {attempts} attempts: 503")
            ends.append(at)
        else:
            heapq.heappush(due, (end.due_at, number, attempts + 1))
    assert ends == [horizon] * 1_000, "the last try is at the horizon"
    settled = [tried[minute] for minute in range(60, 220)]
    assert max(settled) < 2 * sum(settled) / len(settled)
