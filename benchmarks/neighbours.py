"""What a destination that misbehaves costs its neighbours: the age of a good webhook's events, alone and beside each.

The good webhook gets 500 events a second. Its neighbour is well, hangs, refuses, or answers 429, 500 or half an answer.
Turns of a few seconds follow one another:

    alone, beside one, while that one is removed, alone, beside the next, while that one is removed, alone, ...

A turn is compared with the two alone that stand around it, so that what the machine does otherwise cancels out, and
the median over the rounds counts. A neighbour that is well costs something too, since it gets the same events: what its
failing costs is the turn beside a bad one over the turn beside one that is well, of the same round. A neighbour is
removed for good: its deliveries that wait are given up, and the next turn begins when none waits any more. Every
receiver has a process of its own, so that none slows the sender; the warehouse rests, so that its loads do not fall
into some turns and not into others. All people are known before; with `--newcomers` some events are of new ones, whom
the pipeline writes to the store on the way.
"""

import argparse
import asyncio
import base64
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.load import batches, event, paced, send_all
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.contracts.doubles import Answer, Recorder, refusing_port
from headwater.contracts.house import RunningHouse, running_house, until
from headwater.store import Store, backlogs

EVENTS_PER_SECOND, BATCH, PEOPLE = 500, 5, 10_000
SECONDS, ROUNDS = 3.0, 5
PAUSE = 1.0
LOOK_EVERY = 0.05
REST = {"WAREHOUSE_LOAD_EVERY_SECONDS": "3600", "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "3600"}
WAYS = {
    "is well": Answer(),
    "hangs": Answer(mischief="hang"),
    "answers 429": Answer(status=429, headers={"Retry-After": "1"}),
    "answers 500": Answer(status=500),
    "answers half": Answer(mischief="half"),
}
REFUSES = "refuses"


class Round(msgspec.Struct, frozen=True):
    """Ages in milliseconds: alone before, beside the neighbour, while it was removed, alone after; and how many seconds
    passed from the removal until none of its deliveries waited.
    """

    before: list[float]
    beside: list[float]
    removed: list[float]
    after: list[float]
    settled: float


@contextmanager
def receiver(answer: Answer) -> Generator[str]:
    """The address of a server, in a process of its own, that answers everything that way."""
    command = [sys.executable, "-m", "benchmarks.neighbours", "--receive", msgspec.json.encode(answer).decode()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


async def receive(answer: Answer) -> None:
    async with Recorder() as recorder:
        recorder.script("/receive", answer)
        print(recorder.url("/receive"), flush=True)
        await asyncio.Event().wait()


def asked(sink: str, query: str = "") -> dict[str, Any]:
    with urllib.request.urlopen(f"{sink}/{query}") as answer:
        return json.load(answer)


def meet(house: RunningHouse, sink: str) -> None:
    """Have the house know everybody whose events come later."""
    connected = house.connect("webhook", {"url": f"{sink}/count"}, name="first")
    time.sleep(PAUSE)
    bodies = batches(PEOPLE)
    key = base64.b64encode(f"{house.write_key}:".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {key}"}
    send_all(house.collect_url, "/v1/batch", bodies, headers)
    until(lambda: asked(sink)["events"] >= PEOPLE, seconds=120, what="for the webhook")
    house.ask("DELETE", f"/destinations/{connected}")
    time.sleep(PAUSE)


def ages(house: RunningHouse, sink: str, numbers: Iterator[int], *, seconds: float, newcomers: int) -> list[float]:
    """Send events for some seconds and return how old each was on arrival, in milliseconds."""
    before = len(asked(sink, "?ages=0")["ages"])
    connection = http.client.HTTPConnection(urlsplit(house.collect_url).netloc)

    def send(_: int) -> None:
        events = [event(next(numbers), sent=time.time()) for _ in range(BATCH)]
        for each in events[:newcomers]:
            each["userId"] = f"newcomer-{each['messageId']}"
        body = msgspec.json.encode({"batch": events, "writeKey": house.write_key})
        connection.request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status

    rate = EVENTS_PER_SECOND / BATCH
    paced(rate, seconds, send)
    connection.close()
    sent = int(rate * seconds) * BATCH
    until(lambda: len(asked(sink, f"?ages={before}")["ages"]) >= sent, seconds=60, what="for the webhook")
    return [age * 1000 for age in asked(sink, f"?ages={before}")["ages"]]


def remove(
    house: RunningHouse, store: Store, neighbour: str, measure: Callable[[], list[float]]
) -> tuple[list[float], float]:
    """Remove a neighbour. Returns what was measured meanwhile, and how long its deliveries still waited, in seconds."""
    house.ask("DELETE", f"/destinations/{neighbour}")
    removed = time.monotonic()

    def waits() -> bool:
        return neighbour in store.run(backlogs.first_due, write=False)

    def last_seen() -> float:
        last = removed
        while time.monotonic() < removed + PAUSE or waits():
            if waits():
                last = time.monotonic()
            time.sleep(LOOK_EVERY)
        return last - removed

    with ThreadPoolExecutor(1) as watching:
        settled = watching.submit(last_seen)
        measured = measure()
        return measured, settled.result()


def measured(ways: list[str], *, seconds: float, rounds: int, newcomers: int) -> dict[str, list[Round]]:
    """The rounds of each way."""
    found: dict[str, list[Round]] = {way: [] for way in ways}
    with ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        urls = {way: stack.enter_context(receiver(WAYS[way])) for way in ways if way != REFUSES}
        urls[REFUSES] = f"http://127.0.0.1:{stack.enter_context(refusing_port())}/"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        house = stack.enter_context(running_house(folder, **REST))
        store = Store.in_folder(folder / "data")
        stack.callback(store.close)
        meet(house, sink)
        numbers = count(PEOPLE)

        def turn() -> list[float]:
            return ages(house, sink, numbers, seconds=seconds, newcomers=newcomers)

        house.connect("webhook", {"url": f"{sink}/?age=1"}, name="good")
        time.sleep(PAUSE)
        turn()
        alone = turn()
        for _ in range(rounds):
            for way in ways:
                neighbour = house.connect("webhook", {"url": urls[way]}, name=way)
                time.sleep(PAUSE)
                beside = turn()
                removed, settled = remove(house, store, neighbour, turn)
                before, alone = alone, turn()
                found[way].append(Round(before, beside, removed, alone, settled))
    return found


def figures_of(found: dict[str, list[Round]]) -> dict[str, float | str]:
    turns = [each.before for rounds in found.values() for each in rounds]
    alone = [tail(turn) for turn in turns]
    figures: dict[str, float | str] = {
        "alone: p50, ms": statistics.median(age for turn in turns for age in turn),
        "alone: p99, ms": statistics.median(alone),
        "alone: widest p99 / narrowest": max(alone) / min(alone),
    }
    for way, rounds in found.items():
        for name, of in {"beside": _beside, "removed": _removed}.items():
            ratios = [tail(of(each)) / statistics.mean((tail(each.before), tail(each.after))) for each in rounds]
            figures[f"one that {way}, {name}: p99 / alone"] = statistics.median(ratios)
            figures[f"one that {way}, {name}: least to most"] = f"{min(ratios):.2f} to {max(ratios):.2f}"
        figures[f"one that {way}, removed: settled, s"] = statistics.median(each.settled for each in rounds)
    well = found.get("is well", [])
    for way, rounds in found.items():
        if way != "is well" and well:
            ratios = [tail(bad.beside) / tail(good.beside) for bad, good in zip(rounds, well, strict=True)]
            figures[f"one that {way} / one that is well: p99"] = statistics.median(ratios)
    return figures


def _beside(each: Round) -> list[float]:
    return each.beside


def _removed(each: Round) -> list[float]:
    return each.removed


def tail(turn: list[float]) -> float:
    return quantile(turn, 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(prog="neighbours", description=str(__doc__).splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long a turn is")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each neighbour has its turn")
    parser.add_argument("--only", action="append", choices=[*WAYS, REFUSES], help="only this neighbour")
    parser.add_argument("--newcomers", type=int, default=0, help=f"how many of {BATCH} events are of new people")
    parser.add_argument("--receive", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.receive:
        asyncio.run(receive(msgspec.json.decode(chosen.receive, type=Answer)))
        return
    found = measured(
        chosen.only or [*WAYS, REFUSES], seconds=chosen.seconds, rounds=chosen.rounds, newcomers=chosen.newcomers
    )
    report("neighbours", figures_of(found), target="p99 moves by less than 10 % when a neighbour turns bad")


if __name__ == "__main__":
    main()
