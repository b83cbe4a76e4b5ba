"""Two hosts of each role on three brokers and a database, under load, while everything that can fail does.

What was acknowledged arrives everywhere, in the archive and the warehouse exactly once, a user's events in the order in
which they were sent, and the books of all hosts balance. `pytest tests/cluster --cluster-rounds 8` goes through all
faults; without the option there are two, and one broker.
"""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from headwater.contracts.cluster import Cluster, Node, cluster, missing
from headwater.contracts.house import RunningHouse, healthy, until
from headwater.contracts.kafka_brokers import WHY_NOT
from headwater.contracts.onslaught import all_is_read, check_balance, counting_webhook, steps_of

SCHEMA = "first_source"


class Load(threading.Thread):
    """Somebody who sends the events of a few users, one after the other, to one collect until each is acknowledged."""

    def __init__(self, house: RunningHouse, name: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()
        self._house = house
        self._name = name

    def run(self) -> None:
        for number in itertools.count():
            user = f"{self._name}-u{number % 5}"
            ids = [f"{user}-{number:07}-{index}" for index in range(1 if number % 3 else 5)]
            events = [{"type": "track", "userId": user, "event": "Tick", "messageId": one} for one in ids]
            while not self._sent(events):
                if self.stopping.is_set():
                    return
                time.sleep(0.1)
            self.acknowledged.extend(ids)
            if number % 20 == 0:  # a client whose answer was lost sends again
                self._sent(events)
            if self.stopping.is_set():
                return
            time.sleep(0.005)

    def _sent(self, events: list[dict[str, str]]) -> bool:
        try:
            return self._house.send("/v1/batch", {"batch": events})[0] == 200
        except OSError:
            return False


def kill_a_host(found: Cluster, chance: random.Random) -> None:
    node = chance.choice(found.nodes())
    print("killed:", node.name)
    found.kill(node)
    time.sleep(chance.uniform(0, 3))
    found.start(node)


def kill_a_broker(found: Cluster, chance: random.Random) -> None:
    number = chance.randint(1, 3)
    print("killed: broker", number)
    found.brokers.kill(number)
    time.sleep(5)
    found.brokers.start(number)


def stop_the_database(found: Cluster, chance: random.Random, *, seconds: float = 8.0) -> None:
    print("stopped: the database, for", seconds)
    found.database.stop()
    time.sleep(seconds)
    found.database.start()


def stop_the_database_for_long(found: Cluster, chance: random.Random) -> None:
    stop_the_database(found, chance, seconds=30.0)


def lose_hosts_in_the_network(found: Cluster, chance: random.Random) -> None:
    print("cut: the second host of every role")
    found.cut()
    time.sleep(20)
    found.mend()


def let_a_worker_stand_still(found: Cluster, chance: random.Random) -> None:
    """For longer than its partitions wait for it; when it goes on it believes that they are still its own."""
    node = Node(chance.choice(("pipeline", "deliver", "warehouse", "profiles")), chance.randint(1, 2))
    print("stands still:", node.name)
    found.pause(node)
    time.sleep(16)
    found.resume(node)


def move_partitions(found: Cluster, chance: random.Random) -> None:
    """As a rolling restart does."""
    for role in ("pipeline", "deliver"):
        node = Node(role, chance.randint(1, 2))
        print("stopped in order:", node.name)
        assert found.stop(node) == 0
        found.start(node)


Fault = Callable[[Cluster, random.Random], None]
FEW: list[Fault] = [kill_a_host, move_partitions]
"""For every day: with one broker, which is then left alone."""

ALL: list[Fault] = [
    *FEW,
    kill_a_broker,
    lose_hosts_in_the_network,
    stop_the_database,
    let_a_worker_stand_still,
    kill_a_host,
    stop_the_database_for_long,
]


@pytest.mark.timeout(3_600)
@pytest.mark.skipif(bool(missing()), reason=missing() or WHY_NOT)
def test_whatever_fails_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    rounds: int = pytestconfig.getoption("cluster_rounds")
    chance = random.Random(pytestconfig.getoption("chance"))
    with counting_webhook(fails_one_in=50) as (url, seen), cluster(tmp_path, brokers=3 if rounds else 1) as found:
        assert found is not None
        try:
            found.start()
            destination = _furnish(found, url, seen)
            loads = [Load(found.house(number), f"load{number}{name}") for number in (1, 2) for name in "ab"]
            for load in loads:
                load.start()
            faults = FEW if rounds == 0 else list(itertools.islice(itertools.cycle(ALL), rounds))
            for fault in faults:
                time.sleep(chance.uniform(1, 3))
                fault(found, chance)
                found.start()
            time.sleep(2)
            for load in loads:
                load.stopping.set()
            for load in loads:
                load.join()
            acknowledged = [one for load in loads for one in load.acknowledged]
            print("acknowledged:", len(acknowledged))
            _settle(found, acknowledged, destination, seen)
            _check(found, acknowledged, destination)
        except BaseException:
            for node in found.nodes():
                print(f"--- {node.name}\n{found.output(node)[-3_000:]}")
            raise


def _furnish(found: Cluster, hook: str, seen: Counter[str]) -> str:
    """Connect the webhook and a warehouse, and wait until everybody knows of them. Returns the destination."""
    for number in (1, 2):
        house = found.house(number)
        until(lambda house=house: healthy(house.collect_url) and healthy(house.manage_url), seconds=120)
    destination = found.house().connect("webhook", {"url": hook, "batch_size": 50})
    address, _, port = found.database.url.rpartition("@")[2].partition("/")[0].partition(":")
    settings = {"host": address, "port": int(port), "database": "warehouse", "username": "headwater", "password": ""}
    found.database.make("warehouse")
    body = {"metadataId": "postgres", "settings": settings, "enabled": True, "name": "W"}
    made = found.house().ask("POST", "/warehouses", body)["warehouse"]["id"]
    found.house().ask("POST", f"/warehouses/{made}/connected-sources/{found.house().source_id()}")
    until(lambda: _probe(found) and seen, seconds=60, what="for the destination to be known everywhere")
    time.sleep(2)
    return destination


def _probe(found: Cluster) -> bool:
    time.sleep(0.2)
    return all(found.house(n).send("/v1/track", {"userId": "p", "event": "Probe"})[0] == 200 for n in (1, 2))


def _loaded(found: Cluster) -> list[str]:
    with psycopg.connect(found.database.url.rpartition("/")[0] + "/warehouse") as connection:
        return [row[0] for row in connection.execute(f"SELECT id FROM {SCHEMA}.tracks")]


def _settle(found: Cluster, acknowledged: list[str], destination: str, seen: Counter[str]) -> None:
    state = ""

    def settled() -> bool:
        nonlocal state
        found.start()
        try:
            read = all_is_read(found.house())
            loaded = set(_loaded(found))
            archived = {row[0] for row in found.house().query("select message_id from events")}
            steps = steps_of(found.house(), destination)
        except (AssertionError, OSError, psycopg.Error) as error:
            state = f"the house says {error}"
            return False
        wanted = set(acknowledged)
        state = (
            f"of {len(wanted)} are missing: {len(wanted - set(seen))} at the webhook, {len(wanted - archived)} in "
            f"the archive, {len(wanted - loaded)} in the warehouse; ledger {steps}"
        )
        missing = wanted - set(seen) | wanted - archived | wanted - loaded
        return read and not missing and steps["matched"] == steps["delivered"] and not steps.get("pending")

    try:
        until(settled, seconds=180, what="for everything to arrive")
    except AssertionError as error:
        raise AssertionError(state) from error


def _check(found: Cluster, acknowledged: list[str], destination: str) -> None:
    rows = found.house(2).query("select message_id, user_id from events order by partition, position")
    for place, times in (("archive", Counter(row[0] for row in rows)), ("warehouse", Counter(_loaded(found)))):
        assert not [one for one, count in times.items() if count > 1], f"events are twice in the {place}"
    sent: dict[str, list[str]] = {}
    for one in acknowledged:
        sent.setdefault(one.rsplit("-", 2)[0], []).append(one)
    wanted = set(acknowledged)
    stored: dict[str, list[str]] = {}
    for one, user in rows:
        if one in wanted:
            stored.setdefault(user, []).append(one)
    assert stored == sent, "the order of a user's events was not kept"
    at_source, at_destination = (steps_of(found.house(number), of) for number, of in ((1, ""), (2, destination)))
    check_balance(at_source)
    assert at_source["processed"] == len(rows)
    assert at_destination["matched"] == at_destination["delivered"]
    assert at_destination["delivered"] >= len(acknowledged)
