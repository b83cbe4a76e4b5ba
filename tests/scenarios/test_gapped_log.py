"""A log that leaves gaps between positions, as Kafka does, serves every room: what is published comes to all of them,
once each, and the books balance."""

import asyncio
import json
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from headwater.app.house import open_house, prepare
from headwater.app.roles import run
from headwater.app.shapes import ROLE_NAMES
from headwater.contracts.doubles import Recorder
from headwater.contracts.house import TOKEN, WRITE_KEY, RunningHouse, free_port, healthy, until
from headwater.contracts.space import RunningSpace
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.spec.settings import (
    CollectSettings,
    DeliverSettings,
    LogSettings,
    ManageSettings,
    Settings,
    WarehouseSettings,
)

EVENTS = 40


def settings_of(folder: Path) -> Settings:
    return Settings(
        data=str(folder / "data"),
        write_key=WRITE_KEY,
        admin_token=TOKEN,
        collect=CollectSettings(port=free_port()),
        manage=ManageSettings(port=free_port()),
        log=LogSettings(url="memory://", partitions=2),
        deliver=DeliverSettings(allowed_addresses=("127.0.0.0/8",)),
        warehouse=WarehouseSettings(load_every_seconds=0.2, archive_every_seconds=0.2),
    )


def test_every_room_works_on_a_log_with_gaps(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    prepare(settings)

    async def story() -> None:
        stopping = asyncio.Event()
        log = MemoryLog(partitions=2, gaps=True)
        async with Recorder() as hook, open_house(settings) as opened:
            house = msgspec.structs.replace(opened, log=log)
            roles = asyncio.create_task(run(house, ROLE_NAMES, stopping))
            there = RunningHouse(tmp_path, settings.collect.port, settings.manage.port, tmp_path / "log")
            try:
                await asyncio.to_thread(visit, there, hook)
                ends = [await log.bounds(PROCESSED, partition) for partition in (0, 1)]
                assert sum(end - oldest for oldest, end in ends) > EVENTS, "there were no gaps"
            finally:
                stopping.set()
                await roles

    asyncio.run(story())


def visit(house: RunningHouse, hook: Recorder) -> None:
    until(lambda: healthy(house.collect_url) and healthy(house.manage_url), what="for the house")
    destination = house.connect("webhook", {"url": hook.url("/hook")})
    request = urllib.request.Request(f"{house.manage_url}/headwater/events/stream")
    request.add_header("Authorization", f"Bearer {house.token}")
    with urllib.request.urlopen(request, timeout=30) as stream:
        for number in range(EVENTS):
            body = {"userId": f"u{number % 7}", "event": "Tick", "messageId": f"m{number}"}
            assert house.send("/v1/track", body)[0] == 200
        assert house.send("/v1/track", body)[0] == 200
        tailed = Counter(told["messageId"] for told in shown(stream, EVENTS))
    assert tailed == {f"m{number}": 1 for number in range(EVENTS)}
    until(lambda: len(delivered(hook)) == EVENTS, what="for the deliveries")
    assert set(delivered(hook).values()) == {1}

    counted = "select count(*), count(distinct message_id) from events"
    assert house.query(counted) == [[EVENTS, EVENTS]]
    until(lambda: house.query("select count(*) from first_source.tick") == [[EVENTS]], what="for the load")
    trace = house.ask("GET", f"/headwater/trace/m{EVENTS - 1}")
    assert trace["processed"] is not None
    assert trace["received"] is not None
    assert trace["destinations"][0]["attempts"], trace
    space = RunningSpace(house)
    until(lambda: len(history(space)) == len(range(3, EVENTS, 7)), what="for the profile")

    wanted = {"sourceId": house.source_id(), "destinationIds": [destination]}
    replay = house.ask("POST", "/headwater/replays", wanted)["replay"]["id"]
    until(lambda: set(delivered(hook).values()) == {2}, what="for the replay")
    until(lambda: house.ask("GET", f"/headwater/replays/{replay}")["replay"]["state"] == "ended", what="its end")
    until(lambda: balanced(house), what="for the books")


def shown(stream: Any, count: int) -> list[dict[str, Any]]:
    """The first events of a stream; nothing may be missed."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        line = stream.readline()
        assert line, "the stream ended"
        if line.startswith(b"data:"):
            told = json.loads(line[5:])
            assert told["kind"] != "missed", told
            found += [told] if told["kind"] == "event" else []
    return found


def delivered(hook: Recorder) -> Counter[str]:
    return Counter(request.json()["messageId"] for request in list(hook.requests))


def history(space: RunningSpace) -> list[Any]:
    status, answer = space.read("users/profiles/user_id:u3/events?limit=100")
    return answer["data"] if status == 200 else []


def balanced(house: RunningHouse) -> bool:
    accounts = house.ask("GET", "/headwater/ledger")["accounts"]
    steps = {step: events for one in accounts if not one["destinationId"] for step, events in one["steps"].items()}
    return steps.get("processed") == EVENTS and steps.get("duplicate") == 1 and all(one["balanced"] for one in accounts)
