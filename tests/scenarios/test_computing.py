"""Audiences and computed traits while events come: a store, a log in memory, a pipeline and a fold in one process."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import COLLECTED
from headwater.pipeline.loop import Walk
from headwater.pipeline.seen import Seen
from headwater.profiles.computing.standing import decode, values
from headwater.profiles.loop import Folding
from headwater.spec.computation import Computation, Connection, Run, default_calls
from headwater.spec.event import CollectedHeader, decode_collected, encode_header
from headwater.spec.settings import PipelineSettings, ProfilesSettings
from headwater.spec.timestamps import format_moment
from headwater.store import Store, computations, graph, standing
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

AT = 1_790_000_000_000
DAY = 86_400_000


class House:
    """A store with one space and a webhook, a log in memory, and a clock that stands still until it is moved."""

    def __init__(self, folder: Path, *, partitions: int = 1) -> None:
        self.folder = folder
        self.store = Store.in_folder(folder)
        self.store.migrate()
        self.now = AT
        self.store.run(lambda one: workspaces.create_workspace(one, slug="w", name="W"))
        self.source_id = self.store.run(lambda one: workspaces.create_source(one, slug="web", name="Web").id)
        self.space_id = self.store.run(lambda one: workspaces.create_space(one, slug="people", name="People").id)
        self.engage_id = self.store.run(lambda one: computations.engage_source(one, self.space_id).id)
        self.log = MemoryLog(partitions=partitions)
        self.partitions = partitions
        self.sent = 0
        self.read = [0] * partitions

    def define(self, key: str, query: str, *, told: bool = True, **fields: Any) -> Computation:
        """Make an audience, or a trait where the kind says so."""
        kind, level = fields.pop("kind", "audience"), fields.pop("level", "USERS")
        connection = Connection(id="con_1", destination_id="hook", calls=default_calls(kind, level))
        computation = Computation(
            id="",
            space_id=self.space_id,
            kind=kind,
            level=level,
            key=key,
            name=key,
            query=query,
            connections=fields.pop("connections", (connection,) if told else ()),
            **fields,
        )
        return self.store.run(lambda one: computations.create(one, computation))

    async def collect(self, *bodies: dict[str, Any], partition: int = 0) -> None:
        for body in bodies:
            self.sent += 1
            body = {
                "type": "track",
                "event": "E",
                "messageId": f"m{self.sent}",
                "timestamp": format_moment(self.now),
                **body,
            }
            header = CollectedHeader(body["type"], self.source_id, "k", self.now + self.sent)
            await self.log.append(COLLECTED, partition, [Record(b"", encode_header(header), msgspec.json.encode(body))])

    async def process(self) -> None:
        """Have the pipeline process what was collected."""
        snapshot = await Snapshot.take(self.store)
        for partition in range(self.partitions):
            seen = Seen(self.folder / f"seen-{partition}", keep_seconds=86_400, window_ms=DAY)
            walk = Walk(self.log, snapshot, PipelineSettings(), (), store=self.store, partition=partition, seen=seen)
            stopping = asyncio.Event()
            task = asyncio.create_task(walk.run(stopping))
            while await self.log.lag("pipeline", COLLECTED, partition):
                await asyncio.sleep(0.005)
                if task.done():
                    task.result()
            stopping.set()
            await task

    async def fold(self, past: Any = None) -> None:
        """Fold what was processed until nothing is left to do, twice over all partitions."""
        snapshot = await Snapshot.take(self.store)
        settings = ProfilesSettings(accounts_every_seconds=0.0)
        for _ in range(2):
            for partition in range(self.partitions):
                folding = Folding(
                    self.log, self.store, settings, partition, snapshot=snapshot, past=past, clock=lambda: self.now
                )
                await folding.open()
                for _ in range(12):
                    await folding.step(0.0)
                await folding.write()

    async def work(self, *bodies: dict[str, Any], partition: int = 0) -> list[dict[str, Any]]:
        """Collect, process, fold; returns what the space said meanwhile, in its order."""
        await self.collect(*bodies, partition=partition)
        await self.process()
        await self.fold()
        return await self.said()

    async def said(self) -> list[dict[str, Any]]:
        """The calls that were appended since the last time."""
        found: list[dict[str, Any]] = []
        for partition in range(self.partitions):
            chunk = await self.log.read(COLLECTED, partition, self.read[partition])
            self.read[partition] = chunk.next
            for record in chunk.records:
                header = decode_collected(record.header)
                if header.source_id == self.engage_id:
                    found += msgspec.json.decode(record.value)["batch"]
        return found

    def owner(self, identifier: str) -> str:
        return self.store.run(lambda one: graph.owners(one, self.space_id, [identifier]))[identifier]

    def values(self, identifier: str) -> dict[str, Any]:
        """The values of computations that the owner of an identifier has."""
        owner = self.owner(identifier)
        found = self.store.run(lambda one: standing.standings(one, [owner]))
        return values(decode(found[owner])) if owner in found else {}

    def run(self, computation: Computation) -> Run:
        return self.store.run(computations.read_runs)[computation.id]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def moves(said: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    """Who was told to have entered or left, by track calls: who, key, whether."""
    found: list[tuple[str, str, bool]] = []
    for each in said:
        key = each["properties"].get("audience_key") if each["type"] == "track" else None
        if key is not None:
            found.append((each.get("userId") or each.get("anonymousId") or "", key, each["properties"][key]))
    return found


def test_who_did_enough_enters_and_leaves_when_the_window_has_passed(house: House) -> None:
    async def story() -> None:
        audience = house.define("busy", "event('Order').within(7 days).count() >= 2")
        assert await house.work({"event": "Order", "userId": "u1"}) == []
        said = await house.work({"event": "Order", "userId": "u1"})
        assert moves(said) == [("u1", "busy", True)]
        assert house.values("user_id:u1") == {"busy": True}
        assert house.run(audience).size == 1
        house.now += 7 * DAY
        assert await house.work() == []
        house.now += 1
        assert moves(await house.work()) == [("u1", "busy", False)]
        assert house.values("user_id:u1") == {"busy": False}
        assert (house.run(audience).size, house.run(audience).phase) == (0, "LIVE")

    asyncio.run(story())


def traits_told(said: Sequence[Mapping[str, Any]], key: str) -> list[tuple[str, Any]]:
    """What identify and group calls told of a trait: to whom, what."""
    return [
        (each.get("userId") or each.get("anonymousId") or each["traits"].get("email") or "", each["traits"][key])
        for each in said
        if each["type"] in ("identify", "group") and key in each["traits"]
    ]


def test_traits_follow_events_and_audiences_follow_traits_in_one_pass(house: House) -> None:
    async def story() -> None:
        house.define("big", "trait('spent') >= 100 AND trait('plan') = 'pro'")
        house.define("spent", "event('Order').sum(property('total'))", kind="trait")
        house.define("vip", "trait('big') = 'true'")
        said = await house.work(
            {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}},
            {"event": "Order", "userId": "u1", "properties": {"total": "60.5"}},
        )
        assert traits_told(said, "spent") == [("u1", 60.5)]
        said = await house.work({"event": "Order", "userId": "u1", "properties": {"total": 40}})
        assert (moves(said), traits_told(said, "spent")) == (
            [("u1", "big", True), ("u1", "vip", True)],
            [("u1", 100.5)],
        )
        assert [each["event"] for each in said if each["type"] == "track"] == [
            "Trait Computed",
            "Audience Entered",
            "Audience Entered",
        ]
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "free"}})
        assert moves(said) == [("u1", "big", False), ("u1", "vip", False)]
        assert house.values("user_id:u1") == {"spent": 100.5, "big": False, "vip": False}

    asyncio.run(story())


def test_who_enters_leaves_and_enters_again_within_one_chunk_is_told_each_time(house: House) -> None:
    async def story() -> None:
        house.define("pro", "trait('plan') = 'pro'")
        said = await house.work(
            *({"type": "identify", "userId": "u1", "traits": {"plan": plan}} for plan in ("pro", "free", "pro", "pro"))
        )
        assert moves(said) == [("u1", "pro", True), ("u1", "pro", False), ("u1", "pro", True)]
        assert len({each["messageId"] for each in said}) == len(said) == 6

    asyncio.run(story())


def test_who_is_anonymous_is_told_once_known(house: House) -> None:
    async def story() -> None:
        house.define("lookers", "event('Page Viewed').count() >= 1")
        house.define("anyone", "event('Page Viewed').count() >= 1", known_by=("user_id", "anonymous_id"))
        said = await house.work({"type": "page", "anonymousId": "a1", "event": None})
        assert moves(said) == [("a1", "anyone", True)]
        said = await house.work({"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {"email": "e@x"}})
        assert sorted(moves(said)) == [
            ("u1", "anyone", True),
            ("u1", "lookers", True),
            (house.owner("user_id:u1"), "anyone", True),
            (house.owner("user_id:u1"), "lookers", True),
        ]
        assert moves(await house.work({"type": "page", "userId": "u1", "event": None})) == []
        said = await house.work({"type": "identify", "userId": "u1", "traits": {"email": "other@x"}})
        assert [each["traits"]["email"] for each in said if each["type"] == "identify"] == ["other@x"] * 2

    asyncio.run(story())


def test_a_merge_counts_both_sides_and_tells_those_who_have_not_heard(house: House) -> None:
    async def story() -> None:
        three = house.define("three", "event('Order').count() >= 3", known_by=("user_id", "anonymous_id"))
        house.define("few", "event('Order').count() <= 2 AND event('Order').count() >= 1", known_by=("anonymous_id",))
        said = await house.work(
            {"event": "Order", "anonymousId": "a1"}, {"event": "Order", "userId": "u1", "anonymousId": "a2"}
        )
        assert sorted(moves(said)) == [("a1", "few", True), ("a2", "few", True), ("u1", "few", True)]
        said = await house.work({"event": "Order", "userId": "u1", "anonymousId": "a1"})
        assert sorted(moves(said)) == sorted(
            (who, key, value) for who in ("a1", "a2", "u1") for key, value in (("few", False), ("three", True))
        )
        assert (house.run(three).size, house.values("anonymous_id:a2")) == (1, {"few": False, "three": True})
        assert moves(await house.work({"event": "Other", "anonymousId": "a2"})) == []

    asyncio.run(story())


def test_a_definition_that_changes_begins_anew_and_tells_only_what_changed(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1", history=False)
        assert len(moves(await house.work(*({"event": "Order", "userId": f"u{each}"} for each in range(3))))) == 3
        await house.work({"type": "identify", "userId": "u0", "traits": {"plan": "pro"}})
        house.store.run(lambda one: computations.update(one, audience.id, query="trait('plan') = 'pro'"))
        assert sorted(moves(await house.work())) == [("u1", "buyers", False), ("u2", "buyers", False)]
        run = house.run(audience)
        assert (run.phase, run.version, run.size) == ("LIVE", 2, 1)
        assert house.values("user_id:u0") == {"buyers": True}

    asyncio.run(story())


def test_a_trait_audience_asks_everybody_when_it_is_made(house: House) -> None:
    async def story() -> None:
        await house.work(
            *({"type": "identify", "userId": f"u{each}", "traits": {"age": each}} for each in range(30)),
        )
        audience = house.define("old", "trait('age') >= 20")
        never = house.define("never", "NOT event('Order').count() >= 1")
        said = moves(await house.work())
        assert {who for who, key, _ in said if key == "old"} == {f"u{each}" for each in range(20, 30)}
        assert {who for who, key, _ in said if key == "never"} == {f"u{each}" for each in range(30)}
        assert (house.run(audience).size, house.run(never).size) == (10, 30)
        assert len(said) == 40

    asyncio.run(story())


def test_a_connection_made_later_hears_of_all_members(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1", told=False)
        assert await house.work(*({"event": "Order", "userId": f"u{each}"} for each in range(5))) == []
        connection = Connection(id="con_2", destination_id="late", calls=default_calls("audience", "USERS"))
        house.store.run(lambda one: computations.update(one, audience.id, connections=(connection,)))
        said = await house.work()
        assert sorted(moves(said)) == [(f"u{each}", "buyers", True) for each in range(5)]
        assert all(each["integrations"]["late"] is True and each["integrations"]["All"] is False for each in said)
        again = msgspec.structs.replace(connection, resync=1)
        house.store.run(lambda one: computations.update(one, audience.id, connections=(again,)))
        assert len(moves(await house.work())) == 5
        assert await house.work() == []

    asyncio.run(story())


def test_accounts_are_asked_of_their_people(house: House) -> None:
    async def story() -> None:
        house.define("active", "ANY event('Login').count() >= 1", level="ACCOUNTS")
        house.define("all_active", "ALL event('Login').count() >= 1", level="ACCOUNTS")
        house.define("logins", "event('Login').count()", level="ACCOUNTS", kind="trait")
        said = await house.work(
            {"type": "group", "userId": "u1", "groupId": "g"},
            {"type": "group", "userId": "u2", "groupId": "g"},
            {"event": "Login", "userId": "u1"},
        )
        house.now += 1
        said += await house.work()
        assert house.values("group_id:g") == {"active": True, "logins": 1}
        house.now += 1
        said += await house.work({"event": "Login", "userId": "u2"})
        house.now += 1
        said += await house.work()
        assert house.values("group_id:g") == {"active": True, "all_active": True, "logins": 2}
        groups = [each for each in said if each["type"] == "group"]
        assert {each["groupId"] for each in groups} == {"g"}
        assert {who for who, key, _ in moves(said) if key == "active"} == {"u1", "u2"}

    asyncio.run(story())


def test_people_whose_events_lie_in_several_partitions_have_one_standing(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, partitions=2)
        house.define("three", "event('Order').count() >= 3 AND trait('plan') = 'pro'")
        said = await house.work({"event": "Order", "userId": "u1"}, partition=1)
        said += await house.work({"event": "Order", "userId": "u1"}, partition=0)
        said += await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}}, partition=1)
        assert moves(said) == []
        house.now += 1
        said = await house.work({"event": "Order", "userId": "u1"}, partition=1)
        house.now += 1
        said += await house.work()
        assert moves(said) == [("u1", "three", True)]
        house.store.close()

    asyncio.run(story())
