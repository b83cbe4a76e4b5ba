"""Replays over a whole house: from the archive by today's rules to destinations, with exact books whatever happens."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manage_desk import ManageDesk, at_desk
from manage_house import ADMIN, ManageHouse

from headwater.contracts.delivering import QUICK, Bench, event_record
from headwater.contracts.doubles import Answer, Recorder
from headwater.contracts.shape import HouseLog
from headwater.deliver import replaying
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.manage.operations import parked as operation
from headwater.spec.errors import Unavailable
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.replay import PastPage, Wanted
from headwater.spec.settings import WarehouseSettings
from headwater.store import parked, redriving, replays, subscriptions
from headwater.warehouse.archive import Archive
from headwater.warehouse.files import LocalFiles
from headwater.warehouse.reading import ARCHIVE_GROUP
from headwater.warehouse.replay.archived import ArchivedEvents

LONG_AGO = 1_700_000_000_000


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "LOOK_EVERY", 0.05)


class House:
    """Deliver on a bench, the operations at a desk, and an archive that is written when the test says so."""

    def __init__(self, folder: Path, *, partitions: int = 1) -> None:
        self.bench = Bench(folder, HouseLog(partitions=partitions))
        self.log = self.bench.log
        self.bench.past = ArchivedEvents(self.log, WarehouseSettings(), folder)
        self.manage = ManageHouse(folder)
        self.manage.log, self.manage.secrets = self.log, self.bench.secrets  # pyright: ignore[reportAttributeAccessIssue]
        self.manage.token("Admin", "*", text=ADMIN)
        self._archive = Archive(LocalFiles(folder / "archive"))
        self._desk: ManageDesk | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["House"]:
        async with asyncio.timeout(60), at_desk(self.manage) as self._desk:
            yield self

    async def happen(self, count: int, *, first: int = 0, partition: int = 0, archived: bool = True) -> None:
        """Have events published long ago, a second apart; a third of them of another name, no destination known."""
        records = [self.record(number) for number in range(first, first + count)]
        await self.log.append(PROCESSED, partition, records)
        if archived:
            await self.archive(partition)

    def record(self, number: int) -> Record:
        plain = event_record(f"m{number}", self.bench.source_id, ())
        name = "Order Completed" if number % 3 else "Cart Viewed"
        user, at = f"u{number % 10}", LONG_AGO + number * 1_000
        body = msgspec.json.decode(plain.value) | {"event": name, "userId": user, "properties": {"n": number}}
        header = ProcessedHeader(self.bench.source_id, "track", name, f"m{number}", user, "", at)
        return Record(b"u1", encode_header(header), msgspec.json.encode(body))

    async def archive(self, partition: int = 0) -> None:
        start = await self.log.committed(ARCHIVE_GROUP, PROCESSED, partition)
        chunk = await self.log.read(PROCESSED, partition, start, max_records=1_000_000, max_bytes=1 << 40)
        if chunk.records:
            self._archive.write(partition, chunk)
            await self.log.commit(ARCHIVE_GROUP, PROCESSED, partition, chunk.next)

    def forbid(self, destination_id: str, condition: str) -> None:
        """Give a destination a filter that drops."""
        make = partial(subscriptions.create_filter, title="No", condition=condition, description="", enabled=True)
        self.bench.store.run(partial(make, destination_id=destination_id, actions=({"type": "drop"},)))

    def form(self, *destinations: str, **more: Any) -> dict[str, Any]:
        return {"sourceId": self.bench.source_id, "destinationIds": list(destinations), **more}

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        assert self._desk is not None
        return await self._desk.ask(method, path, body)

    async def start(self, *destinations: str, **more: Any) -> str:
        answer = await self.ask("POST", "/headwater/replays", self.form(*destinations, **more))
        return answer.data["replay"]["id"]

    async def move(self, replay_id: str, verb: str) -> Any:
        return await self.ask("POST", f"/headwater/replays/{replay_id}/{verb}")

    async def look(self, replay_id: str) -> dict[str, Any]:
        return (await self.ask("GET", f"/headwater/replays/{replay_id}")).data

    def replay(self, replay_id: str) -> replays.Replay:
        return self.bench.store.run(partial(replays.find, replay_id=replay_id), write=False)

    async def over(self, replay_id: str, state: str = "ended") -> dict[str, Any]:
        """How a replay stands when it is over and nothing of it waits."""
        await self.bench.until(lambda: self.replay(replay_id).state == state)
        await self.bench.until(lambda: not self.bench.rows(replay_id=replay_id, state="waiting"))
        return await self.look(replay_id)


class Failing(ArchivedEvents):
    """An archive whose files are put together while they are read: every other reading breaks off after a page."""

    readings = 0

    async def pages(
        self, wanted: Wanted, place: Mapping[int, int], until: Mapping[int, int] | None = None
    ) -> AsyncGenerator[PastPage]:
        self.readings += 1
        breaks = self.readings % 2 == 1
        async with aclosing(super().pages(wanted, place, until)) as pages:
            async for page in pages:
                yield page
                if breaks:
                    raise Unavailable("A file is gone.", retry_after=0.01)


def numbers(tool: Recorder, path: str) -> list[int]:
    return [request.json()["properties"]["n"] for request in tool.at(path)]


def test_a_replay_follows_todays_rules_and_reaches_what_is_switched_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with House(tmp_path, partitions=2).open() as house, Recorder() as tool:
            bench = house.bench
            await house.happen(400)
            await house.happen(100, first=400, partition=1)
            plain, off = bench.connect(url=tool.url("/plain")), bench.connect(url=tool.url("/off"))
            bench.change(off, enabled=False)
            house.forbid(off, "event = 'Cart Viewed'")
            wanted: dict[str, Any] = {
                "from": "2023-11-14T22:13:30.000Z",
                "if": "userId = 'u1' or properties.n >= 420",
            }
            expected = [n for n in range(10, 500) if n % 10 == 1 or n >= 420]
            kept = [n for n in expected if n % 3]
            every, left = len(expected), len(kept)
            form = house.form(plain, off, **wanted)
            tried = (await house.ask("POST", "/headwater/replays/preview", form)).data
            assert (tried["found"], tried["read"], tried["complete"], tried["archived"]) == (every, every, True, True)
            assert not tool.requests
            assert not bench.rows()

            async with bench.delivering():
                replay_id = await house.start(plain, off, **wanted)
                done = await house.over(replay_id)
            assert sorted(numbers(tool, "/plain")) == expected
            assert sorted(numbers(tool, "/off")) == kept
            first = tool.at("/plain")[0].json()
            assert first["integrations"] == {"All": False, "Webhook": True}
            assert first["timestamp"] == "2024-01-01T10:00:01.000Z"

            one = done["replay"]
            assert (one["found"], one["read"], one["sent"], one["filtered"]) == (
                every,
                every,
                every + left,
                every - left,
            )
            assert {each["destinationId"]: each["deliveries"] for each in done["outcomes"]} == {plain: every, off: left}
            assert {each["state"] for each in done["outcomes"]} == {"delivered"}
            by_destination = {each["destinationId"]: each for each in tried["destinations"]}
            assert {each: by_destination[each]["deliveries"] for each in (plain, off)} == {plain: every, off: left}
            assert [each["events"] for each in by_destination[off]["filtered"]] == [every - left]
            [sample, *_] = by_destination[plain]["samples"]
            assert sample["requests"][0]["body"]["integrations"] == {"All": False, "Webhook": True}

            books = await bench.books()
            assert books[plain] == {("matched", "REPLAY"): every, ("delivered", ""): every}
            assert books[off] == {
                ("matched", "REPLAY"): every,
                ("delivered", ""): left,
                ("filtered_at_destination", "FILTERED_BY_RULES"): every - left,
            }

    asyncio.run(scenario())


def _read_and_kept(connection: Any, replay_id: str) -> int:
    """How far what a replay read is from the rows that it made, in one look: a write may still be on its way."""
    rows = redriving.find(connection, redriving.Filter(replay_id=replay_id), limit=1_000)
    return replays.find(connection, replay_id).read - len(rows)


def test_a_replay_that_is_killed_again_and_again_neither_loses_nor_repeats_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "PER_TRANSACTION", 40)

    async def scenario() -> None:
        async with House(tmp_path).open() as house, Recorder() as tool:
            bench = house.bench
            await house.happen(300)
            bench.past = failing = Failing(house.log, WarehouseSettings(), tmp_path)
            hook = bench.connect(url=tool.url("/hook"))
            replay_id = await house.start(hook, perSecond=100_000)
            for step in (40, 160):
                async with bench.delivering() as role:
                    await bench.until(lambda step=step: house.replay(replay_id).read >= step)
                    role.cancel()
                assert bench.store.run(partial(_read_and_kept, replay_id=replay_id)) == 0
            bench.store.run(partial(parked.release, ids=[row.id for row in bench.rows(state="waiting")], due_at=0))
            async with bench.delivering():
                done = await house.over(replay_id)
            assert failing.readings > 3
            assert (done["replay"]["read"], done["replay"]["sent"]) == (300, 300)
            assert Counter(row.message_id for row in bench.rows()) == Counter(f"m{n}" for n in range(300))
            assert set(numbers(tool, "/hook")) == set(range(300))
            assert (await bench.books())[hook] == {("matched", "REPLAY"): 300, ("delivered", ""): 300}
            assert all(events > 0 for events in (await bench.cells()).values())

    asyncio.run(scenario())


def test_a_replay_waits_for_what_is_on_its_way_into_the_archive_and_for_nothing_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with House(tmp_path).open() as house, Recorder() as tool:
            bench = house.bench
            await house.happen(20)
            await house.log.commit("pipeline", COLLECTED, 0, 0)
            await house.log.append(COLLECTED, 0, [Record(b"", b"", b"{}")])
            hook = bench.connect(url=tool.url("/hook"))
            async with bench.delivering():
                replay_id = await house.start(hook)
                await bench.until(lambda: len(tool.at("/hook")) == 20)
                await bench.until(lambda: "archive" in house.replay(replay_id).detail)
                await house.happen(5, first=20, archived=False)
                await house.log.commit("pipeline", COLLECTED, 0, 1)
                await bench.put(3, first=100)
                await bench.until(lambda: house.replay(replay_id).state == "running")
                await house.archive()
                done = await house.over(replay_id)
            assert sorted(numbers(tool, "/hook")) == list(range(25)), "what came after the replay is no part of it"
            assert (done["replay"]["found"], done["replay"]["read"]) == (25, 25)

    asyncio.run(scenario())


def test_a_replay_is_paused_resumed_and_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "MOST_WAITING", 60)
    monkeypatch.setattr(replaying, "PER_TRANSACTION", 20)

    async def scenario() -> None:
        async with House(tmp_path).open() as house, Recorder() as tool:
            bench = house.bench
            await house.happen(500)
            hook = bench.connect(url=tool.url("/hook"))
            bench.change(hook, paused=True)
            async with bench.delivering():
                replay_id = await house.start(hook, perSecond=100_000)
                await bench.until(lambda: "wait for its destinations" in house.replay(replay_id).detail)
                stood = house.replay(replay_id).read
                assert 60 <= stood <= 80, "no more is made out than may wait"
                await house.move(replay_id, "pause")
                bench.change(hook, paused=False)
                await bench.until(lambda: len(tool.at("/hook")) == stood)
                assert house.replay(replay_id).read == stood
                assert (await house.move(replay_id, "pause")).status == 409

                tool.script("/hook", Answer(503))
                await house.move(replay_id, "resume")
                await bench.until(lambda: house.replay(replay_id).read > stood)
                await house.move(replay_id, "cancel")
                await bench.until(lambda: house.replay(replay_id).ended_at is not None)
                assert not bench.rows(state="waiting")
                assert (await house.move(replay_id, "resume")).status == 409
            done = await house.look(replay_id)
            outcomes = {(each["state"], each["reason"]): each["deliveries"] for each in done["outcomes"]}
            cut = done["replay"]["sent"] - stood
            assert outcomes == {("delivered", ""): stood, ("failed", "REPLAY_CANCELLED"): cut}
            assert (await bench.books())[hook] == {
                ("matched", "REPLAY"): stood + cut,
                ("delivered", ""): stood,
                ("failed_delivery", "REPLAY_CANCELLED"): cut,
            }
            lines = (await house.ask("GET", "/audit-events")).data["events"]
            assert {"Replay Created", "Replay Paused", "Replay Cancelled"} <= {line["type"] for line in lines}

    asyncio.run(scenario())


def test_replays_that_are_held_up_make_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, value in (("MOST_WAITING", 20), ("PER_TRANSACTION", 20), ("AT_ONCE", 1), ("PATIENCE_SECONDS", 0.7)):
        monkeypatch.setattr(replaying, constant, value)

    async def scenario() -> None:
        async with House(tmp_path).open() as house, Recorder() as tool:
            bench = house.bench
            await house.happen(30)
            stuck, well = bench.connect(url=tool.url("/stuck")), bench.connect(url=tool.url("/well"))
            bench.change(stuck, paused=True)
            async with bench.delivering():
                first = await house.start(stuck)
                await bench.until(lambda: house.replay(first).read == 20)
                await house.over(await house.start(well))
                assert house.replay(first).state == "running"
                bench.change(stuck, paused=False)
                await house.over(first)
            assert sorted(numbers(tool, "/stuck")) == sorted(numbers(tool, "/well")) == list(range(30))

    asyncio.run(scenario())


def test_what_waits_beside_a_replay_at_a_destination_that_is_off_fails_as_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with House(tmp_path).open() as house, Recorder() as tool:
            bench = house.bench
            tool.script("/hook", Answer(503))
            hook = bench.connect(url=tool.url("/hook"))
            await bench.put(10, hook)
            patient = msgspec.structs.replace(QUICK, first_backoff_seconds=600.0, max_backoff_seconds=600.0)
            async with bench.delivering(patient):
                await bench.until(lambda: bench.states() == {"waiting": 10})
            await house.archive()
            bench.change(hook, enabled=False)
            tool.script("/hook", Answer(200))
            async with bench.delivering():
                replay_id = await house.start(hook)
                await house.over(replay_id)
                await bench.until(lambda: bench.states() == {"delivered": 10, "failed": 10})
            assert {row.reason for row in bench.rows(state="failed")} == {"UNKNOWN_INTEGRATION"}
            assert all(row.replay_id == replay_id for row in bench.rows(state="delivered"))

    asyncio.run(scenario())


def test_what_failed_of_a_replay_is_redriven_in_pages_as_often_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "_REDRIVEN_AT_ONCE", 8)

    async def scenario() -> None:
        async with House(tmp_path).open() as house, Recorder() as tool:
            bench = house.bench
            await house.happen(30)
            tool.script("/hook", Answer(400))
            hook = bench.connect(url=tool.url("/hook"))
            async with bench.delivering():
                replay_id = await house.start(hook)
                await bench.until(lambda: bench.states() == {"failed": 30})
            wanted = {"destinationId": hook, "replayId": replay_id, "reason": "BAD_REQUEST"}

            async def redrive(**more: Any) -> tuple[int, int]:
                answer = (await house.ask("POST", "/headwater/redrive", {**wanted, **more})).data
                return answer["deliveries"], answer["remaining"]

            assert await redrive(dryRun=True) == (30, 0)
            assert await redrive(subscriptionId="other") == (0, 0)
            assert await redrive(failedUntil="2024-01-01T00:00:00Z") == (0, 0)
            with monkeypatch.context() as short:
                short.setattr(operation, "_REDRIVING_SECONDS", 0.0)
                first, remaining = await redrive()
            assert first + remaining == 30
            assert await redrive() == (remaining, 0)
            tool.script("/hook", Answer(200))
            async with bench.delivering():
                await bench.until(lambda: bench.states() == {"delivered": 30})
            assert (await bench.books())[hook] == {("matched", "REPLAY"): 30, ("delivered", ""): 30}

    asyncio.run(scenario())


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with House(tmp_path).open() as house:
            hook = house.bench.connect(url="http://hook.test/")
            broken = house.bench.connect(url="")
            for wrong, field in (
                (house.form("nobody"), "destinationIds"),
                (house.form(broken), "destinationIds"),
                (house.form(hook, **{"if": "event ="}), "if"),
                (house.form(hook, **{"from": "2024-01-02T00:00:00Z", "to": "2024-01-01T00:00:00Z"}), "from"),
            ):
                for path in ("/headwater/replays", "/headwater/replays/preview"):
                    answer = await house.ask("POST", path, wrong)
                    assert (answer.status, answer.errors[0]["field"]) == (422, field), json.dumps(answer.body)
            assert (await house.ask("POST", "/headwater/replays", {**house.form(hook), "sourceId": "x"})).status == 404
            assert (await house.ask("GET", "/headwater/replays")).data["replays"] == []

    asyncio.run(scenario())
