"""Every process is killed at random instants under load; nothing acknowledged is lost, nothing is twice, books balance.

100 rounds by default; `pytest --rounds 5000` asks for a longer run, `--chance 7` for another order of kills.
"""

import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from headwater.app.settings import child_environment
from headwater.app.shapes import EMBEDDED
from headwater.contracts.house import TOKEN, WRITE_KEY, RunningHouse, free_port, healthy, until
from headwater.contracts.onslaught import all_is_read, check_balance, counting_webhook, steps_of
from headwater.contracts.shape import engines, house_settings, open_store

LOADED = (
    "select id from first_source.tracks"
    if engines() is None
    else "select message_id as id from events where type = 'track'"
)
"""What a warehouse has. Roles apart have none in one host's file; there the archive is asked alone."""


def apart(folder: Path) -> dict[str, str]:
    """Settings of roles that share an archive besides the engines, where there are any."""
    settings = house_settings(folder)
    return settings | {"WAREHOUSE_ARCHIVE_URL": f"file://{folder / 'archive'}"} if settings else {}


class Processes:
    """The processes of a house, embedded unless told otherwise, without a supervisor: a test starts and kills them."""

    def __init__(self, folder: Path, shape: tuple[tuple[str, ...], ...] = EMBEDDED) -> None:
        collect, manage = free_port(), free_port()
        self.house = RunningHouse(folder, collect, manage, folder / "house.log")
        self._environment = child_environment(
            HEADWATER_DATA=str(folder / "data"),
            HEADWATER_COLLECT_PORT=str(collect),
            HEADWATER_MANAGE_PORT=str(manage),
            HEADWATER_WRITE_KEY=WRITE_KEY,
            HEADWATER_ADMIN_TOKEN=TOKEN,
            HEADWATER_DELIVER_ALLOWED_ADDRESSES="127.0.0.0/8",
            HEADWATER_DELIVER_FIRST_BACKOFF_SECONDS="0.2",
            HEADWATER_DELIVER_MAX_BACKOFF_SECONDS="1",
            HEADWATER_DELIVER_BREAKER_SECONDS="1",
            HEADWATER_WAREHOUSE_LOAD_EVERY_SECONDS="0.5",
            HEADWATER_WAREHOUSE_ARCHIVE_EVERY_SECONDS="0.5",
            HEADWATER_WAREHOUSE_QUERY_ROWS="10000000",
            HEADWATER_LOG_SEGMENT_BYTES="2000000",
            HEADWATER_LOG_SEGMENT_SECONDS="20",
            **{f"HEADWATER_{name}": value for name, value in apart(folder / "data").items()},
        )
        self._output = self.house.log_file.open("ab")
        self.running: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
        for roles in shape:
            self.start(roles)

    def start(self, roles: tuple[str, ...]) -> None:
        self.running[roles] = subprocess.Popen(
            [sys.executable, "-m", "headwater", "serve", *roles],
            env=self._environment,
            cwd=self.house.folder,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def kill(self, roles: tuple[str, ...]) -> None:
        self.running[roles].send_signal(signal.SIGKILL)
        self.running[roles].wait()

    def revive(self) -> None:
        """Start again whatever ended, as the supervisor would."""
        for roles, process in list(self.running.items()):
            if process.poll() is not None:
                self.start(roles)

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._output.close()


class Load(threading.Thread):
    """Sends single events and batches until told to stop, and remembers what was acknowledged."""

    def __init__(self, house: RunningHouse, name: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()
        self._house = house
        self._name = name

    def run(self) -> None:
        for number in itertools.count():
            if self.stopping.is_set():
                return
            ids = [f"{self._name}-{number}-{index}" for index in range(1 if number % 3 else 10)]
            events = [
                {"type": "track", "userId": f"u{number % 7}", "event": "Tick", "messageId": one, "properties": {"n": 1}}
                for one in ids
            ]
            try:
                status, _ = self._house.send("/v1/batch", {"batch": events})
            except OSError:
                time.sleep(0.02)
                continue
            if status == 200:
                self.acknowledged.extend(ids)
            # A retry with the same ids, as clients do when an answer is lost.
            if number % 20 == 0:
                try:
                    self._house.send("/v1/batch", {"batch": events})
                except OSError:
                    continue
            time.sleep(0.01)


@pytest.mark.timeout(1_800)
def test_kills_at_random_instants_lose_nothing_and_double_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    rounds: int = pytestconfig.getoption("rounds")
    chance = random.Random(pytestconfig.getoption("chance"))
    processes = Processes(tmp_path)
    house = processes.house
    with counting_webhook(fails_one_in=30) as (url, seen):
        try:
            until(lambda: healthy(house.collect_url) and healthy(house.manage_url), seconds=40)
            destination = house.connect("webhook", {"url": url, "batch_size": 50})
            until(lambda: _probe(house) and seen, what="for the destination to be known everywhere")
            loads = [Load(house, f"load{index}") for index in range(2)]
            for load in loads:
                load.start()
            for _ in range(rounds):
                time.sleep(chance.uniform(0.02, 0.9))
                processes.kill(chance.choice(EMBEDDED))
                processes.revive()
            for load in loads:
                load.stopping.set()
            acknowledged = {one for load in loads for one in load.acknowledged}
            assert len(acknowledged) > rounds
            _settle(processes, acknowledged, destination, seen)
            _check(house, acknowledged, destination, seen)
        except BaseException:
            print(house.output()[-6_000:])
            raise
        finally:
            processes.stop()


def _probe(house: RunningHouse) -> bool:
    """Send an event; those of the first moments may be processed before the destination is known."""
    time.sleep(0.1)
    return house.send("/v1/track", {"userId": "u", "event": "Probe"})[0] == 200


def _settle(processes: Processes, acknowledged: set[str], destination: str, seen: Counter[str]) -> None:
    house = processes.house

    state = ""

    def settled() -> bool:
        nonlocal state
        processes.revive()
        if not (healthy(house.collect_url) and healthy(house.manage_url)):
            return False
        try:
            read = all_is_read(house)
            loaded = house.query(f"select count(distinct id) from ({LOADED})")[0][0]
            steps = steps_of(house, destination)
        except (AssertionError, OSError) as error:
            state = f"the house says {error}"
            return False
        missing = acknowledged - set(seen)
        state = f"{len(missing)} are missing at the webhook, {loaded} loaded, of {len(acknowledged)}; ledger {steps}"
        return read and not missing and loaded >= len(acknowledged) and steps.get("pending", 0) == 0

    try:
        until(settled, seconds=200, what="for everything to arrive, as claims of the killed end after 120 s")
    except AssertionError as error:
        raise AssertionError(state) from error


def _check(house: RunningHouse, acknowledged: set[str], destination: str, seen: Counter[str]) -> None:
    archived = Counter(row[0] for row in house.query("select message_id from events"))
    loaded = Counter(row[0] for row in house.query(LOADED))
    for place, found in (("archive", archived), ("warehouse", loaded)):
        assert not acknowledged - set(found), f"acknowledged events are missing from the {place}"
        assert not [one for one, times in found.items() if times > 1], f"events are twice in the {place}"
    assert set(archived) == set(loaded)
    at_source = steps_of(house)
    check_balance(at_source)
    assert at_source["processed"] == len(archived)
    at_destination = steps_of(house, destination)
    routed = {one for one in archived if one.startswith("load") or one in seen}
    assert at_destination["matched"] == at_destination["delivered"] == len(routed)
    names = house.ask("GET", f"/headwater/sources/{house.source_id()}/schema")["events"]
    assert sum(one["events"] for one in names) == at_source["processed"], "the names of events are not exact"
    store = open_store(house.folder / "data")
    aged = store.run(lambda one: one.exec_driver_sql("SELECT sum(events) FROM ages WHERE span = 60").scalar())
    store.close()
    assert aged == at_destination["delivered"], "the ages of deliveries are not exact"
