"""A house outgrows its machine: it is moved, and every event is accounted for."""

import asyncio
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from downstream import recording

from headwater.app.engines import server_findings
from headwater.app.house import prepare
from headwater.app.moving.move import look, move, source_settings
from headwater.app.settings import read
from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, free_port, running_house, until
from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.spec.errors import SetupError

USERS = 12
QUICK = {
    "WAREHOUSE_LOAD_EVERY_SECONDS": "0.3",
    "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "0.3",
    "DELIVER_FIRST_BACKOFF_SECONDS": "0.2",
    "DELIVER_MAX_BACKOFF_SECONDS": "1",
    "DELIVER_BREAKER_SECONDS": "0.5",
}


def _events(name: str, count: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for number in range(count):
        user = f"u{number % USERS}"
        made.append({"messageId": f"{name}-{number}", "userId": user, "type": "track", "event": name})
        if number % 5 == 0:
            traits = {"seen": f"{name}-{number}", "odd": "a\0b"}
            made.append({"messageId": f"{name}-i{number}", "userId": user, "type": "identify", "traits": traits})
    return made


def _send(house: RunningHouse, events: list[dict[str, Any]]) -> None:
    assert house.send("/v1/batch", {"batch": events})[0] == 200


def _ask(house: RunningHouse, sql: str) -> Counter[str]:
    try:
        return Counter(row[0] for row in house.query(sql))
    except AssertionError:  # there is no such table yet
        return Counter()


def _probe(house: RunningHouse, tool: Any) -> bool:
    """Events of the first moments may be processed before the destinations are known."""
    house.send("/v1/track", {"userId": "u0", "event": "Probe", "messageId": f"Probe-{time.monotonic_ns()}"})
    time.sleep(0.1)
    return bool(tool.at("/hook"))


def _old_house(folder: Path, tool: Any, known: list[dict[str, Any]], unread: list[dict[str, Any]]) -> str:
    """Make a house with events of every state, and stop it. Returns the destination that is away."""
    with running_house(folder, *IN_ONE_PROCESS, **QUICK, DELIVER_HORIZON_HOURS="0.0001") as house:
        house.connect("webhook", {"url": tool.url("/hook")})
        away = house.connect("webhook", {"url": f"http://127.0.0.1:{free_port()}/"}, name="Away")
        until(lambda: _probe(house, tool), seconds=20)
        _send(house, known)
        until(lambda: {one["messageId"] for one in known} <= {each.json()["messageId"] for each in tool.at("/hook")})
        until(lambda: _ask(house, "select id from first_source.tracks").total() > 20)
    with running_house(folder, "collect", "manage", **QUICK) as house:
        _send(house, unread)
    return away


@pytest.mark.embedded_only("what is moved is a house of one machine")
@pytest.mark.timeout(180)
def test_a_house_that_was_moved_goes_on_with_every_event_once(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as url, recording() as tool:
        if url is None:
            pytest.skip(WHY_NOT)
        known, unread, later = _events("Known", 40), _events("Unread", 30), _events("Later", 30)
        away = _old_house(tmp_path / "old", tool, known, unread)
        old, new = tmp_path / "old" / "data", tmp_path / "new" / "data"
        flags = {
            "data": str(new),
            "store.url": url,
            "log.partitions": "3",
            "warehouse.archive_url": f"file://{tmp_path / 'shared'}",
            "deliver.allowed_addresses": "127.0.0.0/8",
        }
        target = read(flags, environ={})
        source = source_settings(target, old)
        assert asyncio.run(look(source, target)).unread["pipeline"] > 0
        told: dict[str, tuple[int, int]] = {}
        report = asyncio.run(move(source, target, lambda stage, done, whole: told.update({stage: (done, whole)})))
        assert told["log"] == (sum(report.records.values()),) * 2
        assert told["store"] == (sum(report.rows.values()),) * 2
        assert report.rows["parked"] >= len(known) + len(unread)
        with pytest.raises(SetupError, match="was moved to postgresql"):
            prepare(read({"data": str(old)}, environ={}))
        with pytest.raises(SetupError, match="not empty"):
            asyncio.run(look(source, target))
        assert [one.status for one in server_findings(target)] == ["ok", "ok", "ok"]
        shutil.copy(old / "secret.key", new / "secret.key")
        shutil.copytree(old / "warehouse", new / "warehouse")

        more = {"STORE": url, "LOG_PARTITIONS": "3", "WAREHOUSE_ARCHIVE_URL": target.warehouse.archive_url}
        with running_house(tmp_path / "new", *IN_ONE_PROCESS, **QUICK, **more) as house:
            _send(house, known + unread)
            _send(house, later)
            _check(house, tool, away, {one["messageId"] for one in known + unread + later})


def _check(house: RunningHouse, tool: Any, away: str, sent: set[str]) -> None:
    house.ask("PATCH", f"/destinations/{away}", {"settings": {"url": tool.url("/away")}})

    def at(path: str) -> Counter[str]:
        return Counter(request.json()["messageId"] for request in tool.at(path))

    def all_there() -> bool:
        house.ask("POST", "/headwater/redrive", {"destinationId": away})
        archive = _ask(house, "select message_id from events")
        tracks = {one for one in archive if "-i" not in one}
        return sent <= set(archive) and tracks == set(_ask(house, "select id from first_source.tracks"))

    until(all_there, seconds=40)
    archive = _ask(house, "select message_id from events")
    matched = {one for one in archive if not one.startswith("Probe")} | set(at("/hook"))

    def delivered() -> bool:
        house.ask("POST", "/headwater/redrive", {"destinationId": away})
        return set(at("/hook")) == set(at("/away")) == matched

    until(delivered, seconds=60)
    for place in (archive, _ask(house, "select id from first_source.tracks"), at("/hook"), at("/away")):
        assert set(place.values()) == {1}

    def balanced() -> bool:
        accounts = house.ask("GET", "/headwater/ledger")["accounts"]
        steps = {one["destinationId"]: one["steps"] for one in accounts}
        return all(one["balanced"] for one in accounts) and steps[away]["delivered"] == len(matched)

    until(balanced, seconds=20)
    steps = {one["destinationId"]: one["steps"] for one in house.ask("GET", "/headwater/ledger")["accounts"]}
    assert steps[""]["processed"] == len(archive)
    assert steps[""]["duplicate"] == len([one for one in sent if not one.startswith("Later")])
