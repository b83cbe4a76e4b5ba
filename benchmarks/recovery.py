"""How long until events flow again after something died, from the kill to the webhook.

Two pipeline and two deliver workers, a collector and a manage on three brokers and a database. Ten times a second an
event of each of 24 people is sent, who are spread over all partitions, and one of somebody new, whom the store must
learn of. For each person the first event counts that was sent after the kill and arrived: what falls to the worker that
lives goes on at once, so the slowest person tells when everything flows again. Killed (SIGKILL) are a pipeline worker,
a deliver worker and a broker; the database is stopped, and started again after some seconds. Brokers have Kafka's own
patience with each other, workers no names of their own, so that nobody waits for them to come back.
"""

import argparse
import http.server
import itertools
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.distributed.hosts import SECOND, Hosts, hosts
from benchmarks.report import report
from headwater.contracts.cluster import PARTITIONS, Node
from headwater.contracts.house import RunningHouse, until
from headwater.spec.keys import collected_key, partition_of

PEOPLE, EVERY, ROUNDS, BROKERS = 24, 0.1, 1, 3
AWAY_SECONDS, SETTLE_SECONDS, PATIENCE = 5.0, 8.0, 120.0
NEW = "somebody new"
KAFKAS_OWN = {
    "broker.heartbeat.interval.ms": "2000",
    "broker.session.timeout.ms": "9000",
    "replica.lag.time.max.ms": "30000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "10000",
}
WORKERS = [Node(role, number) for role in ("pipeline", "deliver") for number in (1, SECOND)]


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that notes of each person when events were sent and when they came."""

    came: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)  # noqa: RUF012 - of all requests
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        now = time.time()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for event in body if isinstance(body, list) else [body]:
            told = event["properties"]
            self.came[told["person"]].append((told["sent"], now))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def running_hook() -> Generator[str]:
    """The address of the webhook."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def people(source_id: str) -> list[str]:
    """As many in each partition of `collected`."""
    found: dict[int, list[str]] = {partition: [] for partition in range(PARTITIONS)}
    number = 0
    while min(map(len, found.values())) < PEOPLE // PARTITIONS:
        of_partition = found[partition_of(collected_key(source_id, f"person-{number}", None), PARTITIONS)]
        if len(of_partition) < PEOPLE // PARTITIONS:
            of_partition.append(f"person-{number}")
        number += 1
    return [person for each in found.values() for person in each]


@contextmanager
def sending(house: RunningHouse, known: list[str]) -> Generator[None]:
    """Send at a steady rate until the end of the block, however long answers take."""
    stopping = threading.Event()

    def send(number: int) -> None:
        sent = time.time()
        events = [_event(person, person, number, sent) for person in known]
        events.append(_event(f"new-{number}", NEW, number, sent))
        with suppress(OSError):
            house.send("/v1/batch", {"batch": events})

    def keep_on() -> None:
        number = 0
        with ThreadPoolExecutor(32) as pool:
            while not stopping.wait(EVERY):
                pool.submit(send, number)
                number += 1

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _event(user: str, person: str, number: int, sent: float) -> dict[str, Any]:
    told = {"person": person, "sent": sent}
    return {"type": "track", "event": "Tick", "userId": user, "messageId": f"{user}-{number}", "properties": told}


def flowing(known: list[str], moment: float) -> dict[str, float]:
    """Seconds from a moment until the first event of each person that was sent after it came. Waits for all."""

    def all_came() -> bool:
        return all(any(sent > moment for sent, _ in list(Hook.came[person])) for person in [*known, NEW])

    until(all_came, seconds=PATIENCE, what="for the events of all")
    return {
        person: min(came for sent, came in list(Hook.came[person]) if sent > moment) - moment
        for person in [*known, NEW]
    }


Fault = Callable[[Hosts], float]
"""Does harm, and returns the moment at which it was done."""


def kill(node: Node) -> Fault:
    def fault(found: Hosts) -> float:
        moment = time.time()
        found.kill(node)
        return moment

    return fault


def kill_brokers() -> Fault:
    """Another one each time: each leads other partitions, and one of them keeps the cursors of the pipeline."""
    numbers = itertools.cycle(range(1, BROKERS + 1))

    def fault(found: Hosts) -> float:
        moment = time.time()
        found.brokers.kill(next(numbers))
        return moment

    return fault


def stop_the_database(found: Hosts, seconds: float) -> float:
    moment = time.time()
    found.database.stop()
    time.sleep(max(0.0, seconds - (time.time() - moment)))
    found.database.start()
    return moment


def put_right(found: Hosts) -> None:
    """Start what is dead, and wait until it has taken its place."""
    found.start(*WORKERS)
    found.brokers.start()
    time.sleep(SETTLE_SECONDS)


def measured(found: Hosts, faults: dict[str, Fault], rounds: int) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = {name: [] for name in faults}
    with running_hook() as hook:
        house = found.house()
        known = people(house.source_id())
        house.connect("webhook", {"url": hook, "batch_size": 100})
        time.sleep(2.0)
        with sending(house, known):
            flowing(known, time.time())
            time.sleep(SETTLE_SECONDS)
            for _ in range(rounds):
                calm = flowing(known, time.time())
                print(f"  (nothing: all after {max(calm.values()):.2f} s)", flush=True)
                for name, fault in faults.items():
                    Hook.came.clear()
                    took = flowing(known, fault(found))
                    print(f"  ({name}: first {min(took.values()):.2f} s, all {max(took.values()):.2f} s)", flush=True)
                    results[name].append(took)
                    put_right(found)
                    flowing(known, time.time())
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="recovery", description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="how often each; the slowest counts, three kill every broker"
    )
    parser.add_argument("--away", type=float, default=AWAY_SECONDS, help="how long the database is stopped, in seconds")
    parser.add_argument("--only", default="", help="only what has this word in its name; nothing is kept")
    chosen = parser.parse_args()
    faults: dict[str, Fault] = {
        "pipeline worker killed": kill(Node("pipeline", 1)),
        "deliver worker killed": kill(Node("deliver", 1)),
        "broker killed": kill_brokers(),
        f"database away for {chosen.away:g} s": lambda found: stop_the_database(found, chosen.away),
    }
    faults = {name: fault for name, fault in faults.items() if chosen.only in name}
    with (
        tempfile.TemporaryDirectory(prefix="headwater-") as folder,
        hosts(Path(folder), brokers=BROKERS, broker_settings=KAFKAS_OWN) as found,
    ):
        found.start(Node("collect", 1), Node("manage", 1), *WORKERS)
        found.ready()
        results = measured(found, faults, chosen.rounds)
    if chosen.only:
        return
    figures: dict[str, float | int] = {"people": PEOPLE, "rounds": chosen.rounds}
    for name, rounds in results.items():
        figures[f"{name}: the first person, s"] = max(min(each.values()) for each in rounds)
        known = [max(took for person, took in each.items() if person != NEW) for each in rounds]
        figures[f"{name}: everybody known, s"] = max(known)
        figures[f"{name}: {NEW}, s"] = max(each[NEW] for each in rounds)
    report("recovery", figures, target="none was set; a worker that is gone is missed for 10 s")


if __name__ == "__main__":
    main()
