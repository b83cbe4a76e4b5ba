"""What came out of a house: at a webhook, in the archive and in the warehouse, by messageId."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from headwater.contracts.doubles import Recorder
from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "clients.md"
TABLES = {
    "identify": "identifies",
    "track": "tracks",
    "page": "pages",
    "screen": "screens",
    "group": "groups",
    "alias": "aliases",
}
PROBE = "probe"


class Downstream:
    """A house with a webhook that records what it is sent."""

    def __init__(self, house: RunningHouse, recorder: Recorder) -> None:
        self.house = house
        self._recorder = recorder
        self._next_probe = 0.0
        self._looked_at = 0
        self._delivered: dict[str, list[dict[str, Any]]] = {}

    def delivered(self) -> dict[str, list[dict[str, Any]]]:
        """Every event that the webhook was sent, in the order of arrival."""
        new = self._recorder.requests[self._looked_at :]
        self._looked_at += len(new)
        for request in new:
            event = request.json()
            self._delivered.setdefault(event["messageId"], []).append(event)
        return self._delivered

    def only(self, message_id: str) -> dict[str, Any]:
        """The one event with this messageId, once the webhook has it. Raises AssertionError when there are more."""
        found = until(lambda: self.delivered().get(message_id), seconds=15, what=f"for {message_id}")
        assert len(found) == 1, f"{message_id} was delivered {len(found)} times"
        return found[0]

    def of_user(self, user_id: str, count: int) -> list[dict[str, Any]]:
        """So many events of a user, once the webhook has them, in the order of their types."""

        def found() -> list[dict[str, Any]]:
            events = [event for same in self.delivered().values() for event in same]
            return [event for event in events if event.get("userId") == user_id]

        until(lambda: len(found()) >= count, seconds=15, what=f"for {count} events of {user_id}")
        return sorted(found(), key=lambda event: event["type"])

    def example(self, language: str, *, reader: str) -> str:
        """The example in a language on the page about clients, for this house and about a user of its own."""
        code = GUIDE.read_text().partition(f"```{language}\n")[2].partition("```")[0]
        for written, here in (
            ("YOUR_WRITE_KEY", self.house.write_key),
            ("http://127.0.0.1:8080", self.house.collect_url),
            ("ada", reader),
        ):
            assert written in code
            code = code.replace(written, here)
        return code

    def archived(self) -> Counter[str]:
        """How often each messageId stands among the events kept: the archive, and what is not in it yet."""
        return Counter(str(row[0]) for row in self.house.query("select message_id from events"))

    def loaded(self, *event_types: str) -> Counter[str]:
        """How often the warehouse's tables of these types have each messageId."""
        tables = [f"select id from first_source.{TABLES[event_type]}" for event_type in event_types]
        return Counter(str(row[0]) for row in self.house.query(" union all ".join(tables)))

    def settle(self) -> None:
        """Wait until everything that was answered so far is delivered and loaded."""
        probe = self._probe()
        self.only(probe)
        until(lambda: self.loaded("track")[probe], seconds=20, what="for the warehouse")

    def connect(self) -> None:
        """Connect the webhook and wait until events reach it and the warehouse."""
        self.house.connect("webhook", {"url": self._recorder.url("/webhook")})
        until(self._reached, what="for the webhook to be connected")
        tables = "select 1 from information_schema.tables where table_schema = 'first_source' and table_name = 'tracks'"
        until(lambda: self.house.query(tables), what="for the first load")

    def _reached(self) -> bool:
        if time.monotonic() > self._next_probe:
            self._next_probe = time.monotonic() + 0.3
            self._probe()
        return bool(self.delivered())

    def _probe(self) -> str:
        message_id = f"{PROBE}-{uuid.uuid4()}"
        status, _ = self.house.send("/v1/track", {"userId": PROBE, "event": PROBE, "messageId": message_id})
        assert status == 200
        return message_id


@contextmanager
def recording() -> Generator[Recorder]:
    """Run a recorder in a thread of its own until the block ends, for tests that wait for clients."""
    recorder = Recorder()
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with recorder:
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10), "the recorder did not start"
    try:
        yield recorder
    finally:
        done.set()
        thread.join(10)


@contextmanager
def house_with_webhook(folder: Path, **environment: str) -> Generator[Downstream]:
    """Run a house with a recording webhook until the block ends. `environment` is that of `running_house`."""
    quick = {"WAREHOUSE_LOAD_EVERY_SECONDS": "0.5", "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "0.5"}
    with recording() as recorder, running_house(folder, *IN_ONE_PROCESS, **quick | environment) as house:
        downstream = Downstream(house, recorder)
        downstream.connect()
        yield downstream


def contains(actual: Any, expected: Any, path: str = "event") -> None:
    """Every key that is expected is there with that value; `(absent)` says that a key must not be there.

    Values are compared as JSON would write them: 1, 1.0 and true are three different things.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if value == "(absent)":
                assert key not in actual, f"{path}.{key} should be absent"
            else:
                assert key in actual, f"{path}.{key} is missing"
                contains(actual[key], value, f"{path}.{key}")
    else:
        assert json.dumps(actual, sort_keys=True) == json.dumps(expected, sort_keys=True), path


def check_clock(event: dict[str, Any]) -> None:
    """The event's timestamp is `receivedAt - (sentAt - originalTimestamp)`, to the millisecond."""
    moment = {
        name: datetime.fromisoformat(event[name]) for name in ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
    }
    expected = moment["receivedAt"] - (moment["sentAt"] - moment["originalTimestamp"])
    assert moment["timestamp"] == expected, event


def before_receipt(event: dict[str, Any]) -> timedelta:
    """How long before its receipt the event happened, by the house's reckoning."""
    return datetime.fromisoformat(event["receivedAt"]) - datetime.fromisoformat(event["timestamp"])
