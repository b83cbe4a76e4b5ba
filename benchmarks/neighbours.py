"""What a destination that misbehaves costs its neighbours: the age of a good webhook's events, alone and beside each.

The good webhook gets 500 events a second; the bad one hangs, refuses, answers 429, 500 or half an answer.
"""

import asyncio
import json
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

EVENTS_PER_SECOND, SECONDS, BATCH = 500, 8, 5
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
        ages(house, sink, 0)
        alone = quantile(ages(house, sink, 100_000), 0.99)
        figures["alone: p99, ms"] = alone
        for number, (way, answer) in enumerate(WAYS.items(), 2):
            with bad_receiver(answer) as url:
                figures[f"beside one that {way}: p99 / alone"] = beside(house, sink, url, number) / alone
        with refusing_port() as port:
            refused = beside(house, sink, f"http://127.0.0.1:{port}/", 9)
            figures["beside one that refuses: p99 / alone"] = refused / alone
        figures["alone again: p99 / alone"] = quantile(ages(house, sink, 2_000_000), 0.99) / alone
    report("neighbours", figures, target="p99 of the others moves by less than 10 %")


def beside(house: RunningHouse, sink: str, url: str, number: int) -> float:
    """The 99th percentile of the good webhook's ages while the other is connected."""
    bad = house.connect("webhook", {"url": url}, name=f"bad {number}")
    time.sleep(1)
    try:
        return quantile(ages(house, sink, number * 100_000), 0.99)
    finally:
        house.ask("DELETE", f"/destinations/{bad}")


if __name__ == "__main__":
    main()
