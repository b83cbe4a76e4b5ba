"""The pipeline is killed at random instants while events make and merge profiles; the graph stays whole.

A fifteenth of `--rounds` kills; `--chance` gives another order of kills and events.
"""

import itertools
import random
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_kill_at_random import Processes

from headwater.app.shapes import EMBEDDED
from headwater.contracts.house import RunningHouse, healthy, until
from headwater.contracts.shape import open_store
from headwater.profiles.identity.explain import in_force, reachable
from headwater.store import components
from headwater.store.schema import identifiers, profiles, violations

PIPELINE = next(roles for roles in EMBEDDED if "pipeline" in roles)
USERS, DEVICES = 40, 120


class People(threading.Thread):
    """Sends events of users and devices that meet more and more, and remembers what was acknowledged."""

    def __init__(self, house: RunningHouse, seed: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[str] = set()
        self.strongest: dict[str, str] = {}
        """The strongest identifier of each event that was sent, which decides whose it is."""
        self.stopping = threading.Event()
        self._house = house
        self._chance = random.Random(seed)
        self._name = f"p{seed}"

    def run(self) -> None:
        for number in itertools.count():
            if self.stopping.is_set():
                return
            events = [self._event(f"{self._name}-{number}-{index}") for index in range(20)]
            try:
                status, _ = self._house.send("/v1/batch", {"batch": events})
            except OSError:
                time.sleep(0.02)
                continue
            if status == 200:
                self.acknowledged |= {event["messageId"] for event in events}
            time.sleep(0.01)

    def _event(self, message_id: str) -> dict[str, Any]:
        """Devices are of one user each, but one in twenty events is on the device of somebody else."""
        device = self._chance.randrange(DEVICES)
        user = device % USERS if self._chance.random() > 0.05 else self._chance.randrange(USERS)
        kind = self._chance.randrange(4)
        event: dict[str, Any] = {"type": "track", "event": "Tick", "messageId": message_id}
        if kind != 1:
            event["anonymousId"] = f"a{device}"
            self.strongest[message_id] = f"anonymous_id:a{device}"
        if kind in (1, 2):
            event["userId"] = f"u{user}"
            self.strongest[message_id] = f"user_id:u{user}"
        if kind == 3:
            event |= {"type": "identify", "traits": {"email": f"e{user}"}}
            self.strongest[message_id] = f"email:e{user}"
        return event


@pytest.mark.timeout(600)
def test_a_killed_pipeline_leaves_the_graph_whole(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    rounds = max(3, pytestconfig.getoption("rounds") // 15)
    seed: int = pytestconfig.getoption("chance")
    chance = random.Random(seed)
    processes = Processes(tmp_path)
    house = processes.house
    try:
        until(lambda: healthy(house.collect_url) and healthy(house.manage_url), seconds=40)
        senders = [People(house, seed * 10 + number) for number in range(2)]
        for sender in senders:
            sender.start()
        for _ in range(rounds):
            time.sleep(chance.uniform(0.3, 1.5))
            processes.kill(PIPELINE)
            processes.revive()
        for sender in senders:
            sender.stopping.set()
            sender.join()
        acknowledged = senders[0].acknowledged | senders[1].acknowledged
        assert len(acknowledged) > rounds * 20
        events = _settled(processes, acknowledged)
    except BaseException:
        print(house.output()[-6_000:])
        raise
    finally:
        processes.stop()
    _check(tmp_path / "data", events, senders[0].strongest | senders[1].strongest)


def _settled(processes: Processes, acknowledged: set[str]) -> dict[str, str]:
    """Each archived event's profile, once every acknowledged event is there."""
    found: dict[str, str] = {}

    def settled() -> bool:
        processes.revive()
        try:
            rows = processes.house.query("select message_id, profile_id from events")
        except (AssertionError, OSError):
            return False
        found.clear()
        found.update({row[0]: row[1] for row in rows})
        assert len(rows) == len(found), "events are twice in the archive"
        return acknowledged <= found.keys()

    until(settled, seconds=120, what="for everything to be processed")
    return found


def _check(folder: Path, events: dict[str, str], strongest: dict[str, str]) -> None:
    store = open_store(folder)
    nodes = {row["id"]: row for row in store.run(lambda one: list(one.execute(sa.select(profiles)).mappings()))}
    canonical = {id: row["canonical_id"] for id, row in nodes.items()}
    links = {
        row["identifier"]: row["profile_id"]
        for row in store.run(lambda one: list(one.execute(sa.select(identifiers)).mappings()))
    }
    assert set(links.values()) <= nodes.keys(), "an identifier leads to a profile that is not there"
    assert nodes.keys() <= set(links.values()), "a profile has no identifier"
    people: defaultdict[str, list[str]] = defaultdict(list)
    for identifier, node in links.items():
        people[canonical[node]].append(identifier)
    for root, theirs in people.items():
        assert canonical[root] == root
        assert sum(one.startswith("user_id:") for one in theirs) <= 1
        assert sum(one.startswith("anonymous_id:") for one in theirs) <= 5
        found = store.run(lambda connection, root=root: components.component(connection, root))
        assert reachable(in_force(found), root) == found.profiles.keys()
        assert len(in_force(found)) == len(found.profiles) - 1, "a merge is there twice"
        assert root == min(found.profiles, key=lambda one: (found.profiles[one], one))
    assert len({canonical[node] for node in nodes}) < len(nodes), "nothing was merged"
    assert store.run(lambda one: one.execute(sa.select(sa.func.count()).select_from(violations)).scalar())
    for message_id, profile_id in events.items():
        assert canonical[profile_id] == canonical[links[strongest[message_id]]], message_id
    store.close()
