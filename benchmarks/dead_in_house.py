"""What 100 dead destinations of 1,000 cost the 900 others in a whole house: how old their events are at the webhook.

A thousand sources, each with a webhook of its own, get events in turn, one a request, at a steady rate from the first
turn to the last. A hundred webhooks are well in every other turn and dead in those between: a third refuse connections,
a third hang, a third answer 500. Each turn begins with new addresses for the hundred, and is told of in two halves: in
the first the house learns who is dead, in the second circuit breakers are open. A turn with the dead is compared with
the two well ones around it, so that what the machine does otherwise cancels out, and the median over the rounds counts.
After the dead a turn begins when nothing waits any more; attempts are at most 20 seconds apart, so that this comes
soon. The sender, the receiver and the house share the processors. Warehouses rest: loads for a thousand sources would
fall into some turns and not into others.
"""

import argparse
import http.client
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.dead_neighbours import DEAD, FAIL, GOOD, HALVES, HANG, NOTED, REFUSE, compared, receiving, taken
from benchmarks.load import event
from benchmarks.neighbours import REST
from benchmarks.report import quantile, report
from headwater.contracts.doubles import refusing_port
from headwater.contracts.house import RunningHouse, running_house, until
from headwater.store import Store, backlogs
from headwater.store import workspace as workspaces

CONNECTIONS = 1_000
RATE, SENDERS = 400, 4
PEOPLE = 1_000
WARM, SETTLE, SECONDS, ROUNDS = 20.0, 5.0, 50.0, 4
DRAINED = 120.0
SETTINGS = {**REST, "DELIVER_MAX_BACKOFF_SECONDS": "20"}
Ages = list[float]


def connect_all(store: Store, sink: str) -> list[str]:
    """A thousand sources with a webhook each, the hundred that will die first. Returns the webhooks' ids."""

    def make(connection: Any) -> list[str]:
        ids: list[str] = []
        for number in range(CONNECTIONS):
            source = workspaces.create_source(
                connection, slug=f"s{number}", name=f"Source {number}", write_key=f"key-{number}"
            )
            settings = {"url": f"{sink}/{GOOD if number < DEAD else NOTED}/{number}"}
            made = workspaces.create_destination(
                connection, source_id=source.id, definition="webhook", name=f"No. {number}", settings=settings
            )
            ids.append(made.id)
        return ids

    return store.run(make)


def point(store: Store, ids: Sequence[str], urls: Sequence[str]) -> None:
    """Give webhooks other addresses."""

    def change(connection: Any) -> None:
        for each, url in zip(ids, urls, strict=True):
            workspaces.update_destination(connection, each, settings={"url": url})

    store.run(change)


def nobody_waits(store: Store) -> bool:
    """Is nothing parked?"""
    return not store.run(backlogs.first_due, write=False)


@contextmanager
def sending(house: RunningHouse) -> Generator[None]:
    """Send events at a steady rate, each to the next source, until the block ends. Raises if one was not taken."""
    ended = threading.Event()
    refused: list[int] = []

    def work(share: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(house.collect_url).netloc)
        number, due = share, time.monotonic()
        while not ended.is_set():
            due += SENDERS / RATE
            time.sleep(max(due - time.monotonic(), 0.0))
            body = event(number, sent=round(time.time(), 4)) | {
                "writeKey": f"key-{number * 7 % CONNECTIONS}",
                "userId": f"user-{number % PEOPLE}",
            }
            connection.request("POST", "/v1/track", msgspec.json.encode(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                refused.append(answer.status)
            number += SENDERS
        connection.close()

    threads = [threading.Thread(target=work, args=(share,)) for share in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not refused, refused


def turn(store: Store, ids: Sequence[str], urls: Sequence[str], sink: str, name: str, seconds: float) -> list[Ages]:
    """Give the hundred these addresses. Returns the ages of the events of the 900 then, in milliseconds, by half."""
    point(store, ids[:DEAD], urls)
    found: list[Ages] = []
    for half in HALVES:
        taken(sink)
        time.sleep(seconds / 2)
        ages = taken(sink)
        told = f"{len(ages)} events, p50 {quantile(ages, 0.5):.1f} ms, p99 {quantile(ages, 0.99):.1f} ms"
        print(f"  (100 {name}, {half}: {told})", flush=True)
        found.append(ages)
    return found


def measured(*, seconds: float, rounds: int) -> dict[str, float | str]:
    each = DEAD // 3
    turns: list[list[Ages]] = []
    with tempfile.TemporaryDirectory() as folder, receiving() as sink, refusing_port() as port:
        well = [f"{sink}/{GOOD}/{number}" for number in range(DEAD)]
        mended = [f"{url}/mended" for url in well]
        dead = [f"http://127.0.0.1:{port}/{REFUSE}/{number}" for number in range(DEAD - 2 * each)]
        dead += [f"{sink}/{way}/{number}" for way in (HANG, FAIL) for number in range(each)]
        with running_house(Path(folder), **SETTINGS) as house:
            store = Store.in_folder(Path(folder) / "data")
            ids = connect_all(store, sink)
            until(
                lambda: house.send("/v1/track", event(0), write_key="key-999")[0] == 200,
                seconds=30,
                what="for the keys",
            )
            with sending(house):
                time.sleep(WARM)
                turns.append(turn(store, ids, well, sink, "well", seconds))
                for _ in range(rounds):
                    turns.append(turn(store, ids, dead, sink, "dead", seconds))
                    point(store, ids[:DEAD], mended)
                    until(partial(nobody_waits, store), seconds=DRAINED, what="for what was parked")
                    time.sleep(SETTLE)
                    turns.append(turn(store, ids, well, sink, "well", seconds))
            store.close()
    figures: dict[str, float | str] = {}
    for place, half in enumerate(HALVES):
        for name, share in {"p50": 0.5, "p99": 0.99}.items():
            figures |= compared(f"{half}, {name}, ms", [quantile(each[place], share) for each in turns])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="dead_in_house", description=str(__doc__).splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long a turn with the dead is")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many turns there are with the dead")
    chosen = parser.parse_args()
    figures = measured(seconds=chosen.seconds, rounds=chosen.rounds)
    report("dead_in_house", figures, target="the 900 others' p99 moves by less than 10 %")


if __name__ == "__main__":
    main()
