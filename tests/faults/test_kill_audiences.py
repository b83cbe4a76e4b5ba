"""Whoever computes audiences is killed at random instants, and so is the pipeline; all is as if nothing had happened.

Events of people who meet more and more are sent meanwhile, of which many leave an hour's window some seconds later, and
a definition is added in between, whose past the archive counts. In the end everybody's traits, counts and memberships
are those of all events; whoever is told was told of each change once, and the webhook got every call exactly once.

A fortieth of `--rounds` kills; `--chance` gives another order of kills and events.
"""

import asyncio
import http.server
import itertools
import json
import random
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from test_kill_at_random import Processes

from headwater.contracts.house import RunningHouse, healthy, until
from headwater.contracts.shape import open_kept_log, open_store
from headwater.contracts.space import RunningSpace
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.profiles.computing.items import item_of
from headwater.profiles.computing.standing import decode as decode_standing
from headwater.profiles.computing.standing import values
from headwater.profiles.known import State, bound, fold, traits, unite
from headwater.profiles.known import decode as decode_state
from headwater.profiles.language import compile_query, parse
from headwater.profiles.tell import tell
from headwater.spec.computation import holds
from headwater.spec.event import decode_processed
from headwater.spec.timestamps import format_moment
from headwater.store import Store, computations, known, ledger, people, standing

SHAPE = (("collect", "deliver", "warehouse", "manage"), ("pipeline",), ("profiles",))
"""Deliveries are made at least once, so that whoever makes them is left alone: here each arrives exactly once."""

USERS, DEVICES = 15, 40
HOUR = 3_600_000
ANYONE = {"filterByExternalIds": ["user_id", "anonymous_id"]}
AUDIENCES = {
    "just_ordered": "event('Order').within(1 hour).count() >= 2",
    "pro": "trait('plan') = 'pro'",
    "busy_pro": "trait('just_ordered') = 'true' AND trait('pro') = 'true'",
    "quiet": "NOT event('Order').within(1 hour).count() >= 1",
    "late": "event('Order').count() >= 4 AND event('Looked').within(1 hour).count() >= 1",
}
TRAITS = {"spent": "event('Order').sum(property('total'))"}
LATER = "late"
"""The one that is defined while the house works already."""


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that counts the messageIds of what it gets."""

    seen: Counter[str]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        for event in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            self.seen[event["messageId"]] += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class People(threading.Thread):
    """Sends what people do until told to stop, and remembers what was acknowledged."""

    def __init__(self, house: RunningHouse, seed: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[str] = set()
        self.stopping = threading.Event()
        self._house = house
        self._chance = random.Random(seed)

    def run(self) -> None:
        for number in itertools.count():
            if self.stopping.is_set():
                return
            events = [self._event(f"m{number}-{index}") for index in range(8)]
            try:
                status, _ = self._house.send("/v1/batch", {"batch": events})
            except OSError:
                time.sleep(0.02)
                continue
            if status == 200:
                self.acknowledged |= {event["messageId"] for event in events}
            time.sleep(0.02)

    def _event(self, message_id: str) -> dict[str, Any]:
        """Devices are of one user each, but one in thirty events is on the device of somebody else."""
        chance = self._chance
        device = chance.randrange(DEVICES)
        user = device % USERS if chance.random() > 0.03 else chance.randrange(USERS)
        at = time.time_ns() // 1_000_000 - (HOUR - chance.randrange(2_000) if chance.random() < 0.97 else 0)
        event: dict[str, Any] = {"messageId": message_id, "timestamp": format_moment(at)}
        whose = chance.randrange(20)
        event |= {} if whose == 0 else {"anonymousId": f"a{device}"}
        event |= {} if whose > 4 else {"userId": f"u{user}"}
        match chance.randrange(4):
            case 0:
                return event | {"type": "identify", "traits": {"plan": chance.choice(["pro", "free", None])}}
            case 1:
                return event | {"type": "track", "event": "Looked"}
            case _:
                return event | {"type": "track", "event": "Order", "properties": {"total": chance.randrange(9)}}


@pytest.mark.timeout(900)
def test_audiences_are_right_and_told_once_however_often_they_are_killed(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    rounds = max(4, pytestconfig.getoption("rounds") // 40)
    seed: int = pytestconfig.getoption("chance")
    chance = random.Random(seed)
    Hook.seen = Counter()
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    processes = Processes(tmp_path, SHAPE)
    house = processes.house
    try:
        until(lambda: healthy(house.collect_url) and healthy(house.manage_url), seconds=40)
        space = RunningSpace(house)
        first = [(key, query) for key, query in (AUDIENCES | TRAITS).items() if key != LATER]
        ids = {key: define(space, key, query) for key, query in first}
        destination = space.webhook(f"http://127.0.0.1:{hook.server_port}/", batch_size=50)
        for id in ids.values():
            space.connect(id, destination)
        sender = People(house, seed)
        sender.start()
        for number in range(rounds):
            time.sleep(chance.uniform(0.1, 0.8))
            if number == rounds // 3:
                ids[LATER] = define(space, LATER, AUDIENCES[LATER])
                space.connect(ids[LATER], destination)
            processes.kill(chance.choice(SHAPE[1:]))
            processes.revive()
        sender.stopping.set()
        sender.join()
        assert len(sender.acknowledged) > rounds * 8
        settle(tmp_path / "data", sender.acknowledged, len(ids), seed)
        store = open_store(tmp_path / "data")
        check(store, list(asyncio.run(processed(tmp_path / "data")).values()), ids)
        store.close()
    except BaseException:
        print(house.output()[-6_000:])
        raise
    finally:
        processes.stop()
        hook.shutdown()


def define(space: RunningSpace, key: str, query: str) -> str:
    return space.define("audience", key, query, **ANYONE)["id"] if key in AUDIENCES else trait(space, key, query)


def trait(space: RunningSpace, key: str, query: str) -> str:
    return space.define("trait", key, query, includeAnonymousUsers=True)["id"]


async def processed(folder: Path) -> dict[int, Record]:
    """Everything that was processed, in its order, by position."""
    log = open_kept_log(folder)
    found: dict[int, Record] = {}
    position = 0
    while (chunk := await log.read(PROCESSED, 0, position)).records:
        found |= dict(chunk.placed())
        position = chunk.next
    await log.close()
    return found


async def to_be_processed(folder: Path) -> int:
    """How many records of what was collected wait for the pipeline."""
    log = open_kept_log(folder)
    _, end = await log.bounds(COLLECTED, 0)
    left = end - await log.committed("pipeline", COLLECTED, 0)
    await log.close()
    return left


def settle(folder: Path, acknowledged: set[str], definitions: int, seed: int) -> None:
    """Wait until all is processed, folded, told and delivered, and nobody is due within the hour."""
    store = open_store(folder)
    state: Any = None

    def settled() -> bool:
        """The store is looked at first, and then the log: what was told before has then been processed, or is seen."""
        nonlocal state

        def look(connection: Any) -> tuple[int, int, int, int]:
            soon = time.time_ns() // 1_000_000 + HOUR // 2
            due = standing.due(connection, 0, soon, 10) | standing.due(connection, standing.ANYWHERE, soon, 10)
            runs = computations.read_runs(connection).values()
            live = sum(run.phase == "LIVE" for run in runs)
            folded = ledger.cursor(connection, "profiles", 0)
            return len(due), len(standing.waiting(connection, 0, 10)), definitions - live, folded

        *stand, folded = store.run(look)
        collected = asyncio.run(to_be_processed(folder))
        records = asyncio.run(processed(folder))
        ids = {decode_processed(record.header).message_id for record in records.values()}
        calls = {id for id in ids if id.startswith("personas_")}
        left = sum(position >= folded for position in records), len(calls - Hook.seen.keys())
        state = len(acknowledged - ids), collected, *stand, *left
        return not any(state)

    try:
        until(settled, seconds=90)
    except AssertionError as error:
        names = "not processed, collected, due, to be told, not live, to be folded, to be delivered"
        raise AssertionError(f"with --chance {seed} there is left: {names} = {state}") from error
    finally:
        store.close()


class Truth:
    """What all events come to, by canonical profile: what is known, and what the definitions say of it now."""

    def __init__(self, store: Store, records: list[Record]) -> None:
        states: dict[str, State] = {}
        items: defaultdict[str, list[Any]] = defaultdict(list)
        for place, record in enumerate(records):
            for id, told in tell(record, place):
                states[id] = fold(states.get(id), told)
                items[id].append(item_of(decode_processed(record.header), record.value, told.mark.at))
        canonical, self.people = store.run(lambda one: people.look(one, states, {}))
        members: defaultdict[str, list[str]] = defaultdict(list)
        for id in states:
            members[canonical[id]].append(id)
        now = time.time_ns() // 1_000_000
        self.known = {id: unite(bound(states[one]) for one in theirs) for id, theirs in members.items()}
        self.values: dict[str, dict[str, Any]] = {}
        for id, theirs in members.items():
            mine = sorted((item for one in theirs for item in items[one]), key=lambda item: item.at_ms)
            written = {key: json.loads(write.value) for key, write in traits(self.known[id]).items()}
            self.values[id] = evaluate(mine, written, now)


def has(key: str, value: Any) -> bool:
    return holds("trait" if key in TRAITS else "audience", value)


def evaluate(items: list[Any], written: dict[str, Any], now: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, query in (TRAITS | AUDIENCES).items():
        compiled = compile_query(parse(query))
        state = compiled.new_state()
        for item in items:
            compiled.fold(state, item)
        value = compiled.value(state, written | found, now)
        if has(key, value):
            found[key] = value
    return found


def check(store: Store, records: list[Record], ids: dict[str, str]) -> None:
    """Hold what stands and what was told against what all events come to."""
    own = [each for each in records if not decode_processed(each.header).message_id.startswith("personas_")]
    truth = Truth(store, own)
    assert len(truth.values) < len({id for record in own for id, _ in tell(record, 0)}), "nobody was merged"
    stood = store.run(lambda one: standing.standings(one, truth.values))
    kept = store.run(lambda one: known.of_people(one, truth.values))
    for id, expected in truth.values.items():
        held = values(decode_standing(stood[id])) if id in stood else {}
        assert {key: value for key, value in held.items() if has(key, value)} == expected, id
        found, wanted = unite(map(decode_state, kept[id])), truth.known[id]
        assert found is not None and wanted is not None
        assert (found.events, found.names, traits_of(found)) == (wanted.events, wanted.names, traits_of(wanted)), id
    sizes = {key: store.run(computations.read_runs)[id].size for key, id in ids.items()}
    assert sizes == {key: sum(key in each for each in truth.values.values()) for key in ids}
    check_told(truth, [json.loads(each.value) for each in records if each not in own])


def traits_of(state: State) -> dict[str, bytes]:
    return {key: write.value for key, write in traits(state).items()}


def check_told(truth: Truth, calls: list[dict[str, Any]]) -> None:
    """Everybody heard in turn of entering and leaving, last how it is now; and every call arrived once."""
    told: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for each in calls:
        key = each.get("properties", {}).get("audience_key")
        if each["type"] == "track" and key:
            told[each.get("userId") or each["anonymousId"], key].append(each["properties"][key])
    assert any(len(heard) > 1 for heard in told.values()), "nobody left anything"
    for id, one in truth.people.items():
        for who, key in itertools.product((each.partition(":")[2] for each in one.identifiers), AUDIENCES):
            heard = told[who, key]
            assert heard == [place % 2 == 0 for place in range(len(heard))], (who, key, heard)
            assert (heard[-1:] == [True]) == (key in truth.values[id]), (who, key)
    assert Counter(each["messageId"] for each in calls) == Hook.seen
    assert set(Hook.seen.values()) == {1}
