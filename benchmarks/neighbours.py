"""What a destination that misbehaves costs its neighbours: the age of a good webhook's events, alone and beside each.

The good webhook gets 500 events a second; the bad one hangs, refuses, answers 429, 500 or half an answer. Turns alone
and beside follow each other in pairs, and the median of the pairs' ratios counts, since a tail moves by itself.
"""

import asyncio
import json
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.load import event, paced, send_all
from benchmarks.report import quantile, report
from benchmarks.sink import running_sink
from headwater.contracts.doubles import Answer, Recorder, refusing_port
from headwater.contracts.house import RunningHouse, running_house, until

EVENTS_PER_SECOND, SECONDS, BATCH, PAIRS = 500, 4, 5, 3
WAYS = {
    "hangs": Answer(mischief="hang"),
    "answers 429": Answer(status=429, headers={"Retry-After": "1"}),
    "answers 500": Answer(status=500),
    "answers half": Answer(mischief="half"),
}


@contextmanager
def bad_receiver(answer: Answer) -> Generator[str]:
    """The address of a server in a thread that answers everything that way."""
    started, stop = threading.Event(), asyncio.Event()
    found: list[str] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with Recorder() as recorder:
            recorder.script("/bad", answer)
            found.append(recorder.url("/bad"))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def ages(house: RunningHouse, sink: str, first: int) -> list[float]:
    """Send events for some seconds and return how old each was on arrival, in milliseconds."""

    def known() -> list[float]:
        with urllib.request.urlopen(sink) as answer:
            return json.load(answer)["ages"]

    before = len(known())

    def send(number: int) -> None:
        events = [event(first + number * BATCH + index, sent=time.time()) for index in range(BATCH)]
        body = msgspec.json.encode({"batch": events, "writeKey": house.write_key})
        send_all(house.collect_url, "/v1/batch", [body], {"Content-Type": "application/json"}, connections=1)

    paced(EVENTS_PER_SECOND / BATCH, SECONDS, send)
    until(lambda: len(known()) >= before + EVENTS_PER_SECOND * SECONDS, seconds=60, what="for the webhook")
    return [age * 1000 for age in known()[before:]]


def main() -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, running_sink() as sink, running_house(Path(folder)) as house:
        house.connect("webhook", {"url": f"{sink}/?age=1"}, name="good")
        time.sleep(1)
        tails = [quantile(ages(house, sink, turn * 100_000), 0.99) for turn in range(PAIRS)]
        figures["alone: p99, ms"] = statistics.median(tails)
        figures["alone: widest p99 / narrowest"] = max(tails) / min(tails)
        for number, (way, answer) in enumerate(WAYS.items(), 2):
            with bad_receiver(answer) as url:
                figures[f"beside one that {way}: p99 / alone"] = ratio(house, sink, url, number)
        with refusing_port() as port:
            figures["beside one that refuses: p99 / alone"] = ratio(house, sink, f"http://127.0.0.1:{port}/", 9)
    report("neighbours", figures, target="p99 of the others moves by less than 10 %")


def ratio(house: RunningHouse, sink: str, url: str, number: int) -> float:
    """The good webhook's 99th percentile beside the other, by that without it: the median of some pairs."""
    bad = house.connect("webhook", {"url": url}, name=f"bad {number}")
    found: list[float] = []
    for turn in range(PAIRS):
        tails: list[float] = []
        for enabled in (False, True):
            house.ask("PATCH", f"/destinations/{bad}", {"enabled": enabled})
            time.sleep(1)
            first = (number * 100 + turn * 2 + enabled) * 100_000
            tails.append(quantile(ages(house, sink, first), 0.99))
        found.append(tails[1] / tails[0])
    house.ask("DELETE", f"/destinations/{bad}")
    return statistics.median(found)


if __name__ == "__main__":
    main()
