"""What a destination that misbehaves costs its neighbours: the age of a good webhook's events, alone and beside each.

The good webhook gets 500 events a second; its neighbour is well, hangs, refuses, or answers 429, 500 or half an
answer. Every receiver has a process of its own, so that none slows the sender; the warehouse rests, so that its loads
do not fall into some turns and not into others. Rounds go through all neighbours in turn, and the median of a
neighbour's turns counts, since a tail moves by itself. "Alone" follows the one that is well, which leaves nothing
behind that is still tried again.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks.load import event, paced, send_all
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.contracts.doubles import Answer, Recorder, refusing_port
from headwater.contracts.house import RunningHouse, running_house, until

EVENTS_PER_SECOND, SECONDS, BATCH, ROUNDS = 500, 5, 5, 4
REST = {"WAREHOUSE_LOAD_EVERY_SECONDS": "3600", "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "3600"}
WAYS = {
    "is well": Answer(),
    "hangs": Answer(mischief="hang"),
    "answers 429": Answer(status=429, headers={"Retry-After": "1"}),
    "answers 500": Answer(status=500),
    "answers half": Answer(mischief="half"),
}


@contextmanager
def receiver(answer: Answer) -> Iterator[str]:
    """The address of a server, in a process of its own, that answers everything that way."""
    command = [sys.executable, "-m", "benchmarks.neighbours", msgspec.json.encode(answer).decode()]
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


def ages(house: RunningHouse, sink: str, first: int) -> list[float]:
    """Send events for some seconds and return how old each was on arrival, in milliseconds."""

    def get(query: str = "") -> dict[str, list[float]]:
        with urllib.request.urlopen(f"{sink}/{query}") as answer:
            return json.load(answer)

    before = get()["events"]

    def send(number: int) -> None:
        events = [event(first + number * BATCH + index, sent=time.time()) for index in range(BATCH)]
        body = msgspec.json.encode({"batch": events, "writeKey": house.write_key})
        send_all(house.collect_url, "/v1/batch", [body], {"Content-Type": "application/json"}, connections=1)

    paced(EVENTS_PER_SECOND / BATCH, SECONDS, send)
    until(lambda: get()["events"] >= before + EVENTS_PER_SECOND * SECONDS, seconds=60, what="for the webhook")
    return [age * 1000 for age in get(f"?ages={before}")["ages"]]


def main() -> None:
    found: dict[str, list[list[float]]] = {}
    with ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        urls = {way: stack.enter_context(receiver(answer)) for way, answer in WAYS.items()}
        urls["refuses"] = f"http://127.0.0.1:{stack.enter_context(refusing_port())}/"
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        house = stack.enter_context(running_house(Path(folder), **REST))
        house.connect("webhook", {"url": f"{sink}/?age=1"}, name="good")
        neighbours = {way: house.connect("webhook", {"url": url}, name=way) for way, url in urls.items()}
        for neighbour in neighbours.values():
            house.ask("PATCH", f"/destinations/{neighbour}", {"enabled": False})
        turn = 0
        for _ in range(ROUNDS):
            for way in ("is well", "alone", *(bad for bad in neighbours if bad != "is well")):
                turn += 1
                found.setdefault(way, []).append(beside(house, sink, neighbours.get(way), turn * 100_000))
    report("neighbours", figures_of(found), target="p99 of the others moves by less than 10 %")


def beside(house: RunningHouse, sink: str, neighbour: str | None, first: int) -> list[float]:
    """The good webhook's ages while that neighbour, if any, is connected."""
    for enabled in (True, False):
        if neighbour:
            house.ask("PATCH", f"/destinations/{neighbour}", {"enabled": enabled})
        if enabled:
            time.sleep(1)
            measured = ages(house, sink, first)
    return measured


def figures_of(found: dict[str, list[list[float]]]) -> dict[str, float]:
    tails = {way: [quantile(turn, 0.99) for turn in turns] for way, turns in found.items()}
    alone = tails.pop("alone")
    figures = {
        "alone: p50, ms": statistics.median(age for turn in found["alone"] for age in turn),
        "alone: p99, ms": statistics.median(alone),
        "alone: widest p99 / narrowest": max(alone) / min(alone),
    }
    ratios = {way: statistics.median(turns) / statistics.median(alone) for way, turns in tails.items()}
    return figures | {f"beside one that {way}: p99 / alone": ratio for way, ratio in ratios.items()}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(receive(msgspec.json.decode(sys.argv[1], type=Answer)))
    else:
        main()
