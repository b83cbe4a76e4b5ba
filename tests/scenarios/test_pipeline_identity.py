"""Who events are about: in a real house over HTTP, and over crashes and races between two pipelines."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater.contracts.house import IN_ONE_PROCESS, RunningHouse, running_house, until
from headwater.contracts.shape import HouseLog, open_store
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED, PROCESSED
from headwater.pipeline.loop import GROUP, Walk
from headwater.pipeline.seen import Seen
from headwater.spec.errors import Unavailable
from headwater.spec.event import CollectedHeader, ProcessedHeader, decode_processed, encode_header
from headwater.spec.settings import PipelineSettings
from headwater.store import components, graph
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

AT = 1_700_000_000_000


class House:
    """A store with one space, and a log in memory, in which pipelines are run for as long as there is work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(folder)
        self.store.migrate()
        self.store.run(lambda connection: workspaces.create_workspace(connection, slug="w", name="W"))
        self.source_id = self.store.run(lambda one: workspaces.create_source(one, slug="web", name="Web").id)
        self.space_id = self.store.run(lambda one: workspaces.create_space(one, slug="people", name="People").id)
        self.log = HouseLog(partitions=2)
        self.sent = 0

    async def collect(self, *bodies: dict[str, Any], partition: int = 0) -> None:
        for body in bodies:
            self.sent += 1
            body = {"event": "E", "messageId": f"m{self.sent}", **body}
            header = CollectedHeader(body.get("type", "track"), self.source_id, "k", AT + self.sent)
            await self.log.append(COLLECTED, partition, [Record(b"", encode_header(header), msgspec.json.encode(body))])

    async def work(self, *, log: Any = None, partitions: tuple[int, ...] = (0,)) -> None:
        """Run a pipeline over each partition until all is processed."""
        stopping = asyncio.Event()
        running: list[asyncio.Task[None]] = []
        for partition in partitions:
            seen = Seen(self.folder / f"seen-{partition}", keep_seconds=86_400, window_ms=86_400_000)
            snapshot = await Snapshot.take(self.store)
            walk = Walk(
                log or self.log, snapshot, PipelineSettings(), (), store=self.store, partition=partition, seen=seen
            )
            running.append(asyncio.create_task(walk.run(stopping)))
        async with asyncio.timeout(30):
            while any([await self.log.lag(GROUP, COLLECTED, one) for one in partitions]):
                await asyncio.sleep(0.01)
                for task in running:
                    if task.done():
                        task.result()
        stopping.set()
        await asyncio.gather(*running)

    async def headers(self, partition: int = 0) -> list[ProcessedHeader]:
        return [decode_processed(record.header) for record in (await self.log.read(PROCESSED, partition, 0)).records]

    def owner(self, *identifiers: str) -> list[str]:
        found = self.store.run(lambda connection: graph.owners(connection, self.space_id, identifiers))
        return [found.get(one, "") for one in identifiers]

    def one(self, identifier: str) -> Any:
        (owner,) = self.owner(identifier)
        return self.store.run(lambda connection: components.component(connection, owner))


class LogThatFailsOnce:
    """A log whose first transaction is lost: everything before it has happened, and nothing after it."""

    def __init__(self, log: HouseLog) -> None:
        self._log = log
        self._failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def transact(self, *arguments: Any) -> list[int]:
        if not self._failed:
            self._failed = True
            raise Unavailable("The log was away for a moment.", retry_after=0.0)
        return await self._log.transact(*arguments)


STORY = (
    {"anonymousId": "a1"},
    {"userId": "u2"},
    {"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {"email": "e"}},
    {"type": "identify", "anonymousId": "a2", "traits": {"email": "e"}},
    {"userId": "u2", "anonymousId": "a1"},
    {"type": "group", "userId": "u1", "groupId": "g"},
    {"type": "alias", "userId": "u3", "previousId": "u2"},
)


def test_a_chunk_whose_commit_was_lost_is_resolved_to_the_same_profiles(tmp_path: Path) -> None:
    async def story() -> None:
        plain, crashing = House(tmp_path / "a"), House(tmp_path / "b")
        for house in (plain, crashing):
            await house.collect(*STORY)
        await plain.work()
        await crashing.work(log=LogThatFailsOnce(crashing.log))
        headers = await crashing.headers()
        assert len(headers) == len(STORY)
        for house in (plain, crashing):
            one = house.one("user_id:u1")
            assert {link.identifier for link in one.links} == {
                "user_id:u1",
                "anonymous_id:a1",
                "anonymous_id:a2",
                "email:e",
            }
            violations = house.store.run(
                lambda connection, house=house: components.list_violations(connection, house.space_id)
            )
            assert [violation.identifier for violation in violations] == ["anonymous_id:a1"]
        owners = crashing.owner("anonymous_id:a1", "user_id:u2", "user_id:u1", "anonymous_id:a2", "user_id:u2")
        canonical = [
            crashing.store.run(
                lambda one, header=header: components.canonical(one, crashing.space_id, header.profile_id)
            )
            for header in headers
        ]
        assert canonical[:5] == owners
        assert headers[5].groups == tuple(crashing.owner("group_id:g"))

    asyncio.run(story())


def test_two_pipelines_at_once_give_an_identifier_to_one_profile(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        for number in range(60):
            shared = {"anonymousId": f"a{number % 7}", "userId": f"u{number % 5}"}
            await house.collect({"anonymousId": f"a{number % 7}"}, shared, partition=number % 2)
        await house.work(partitions=(0, 1))
        known = {f"user_id:u{n}" for n in range(5)} | {f"anonymous_id:a{n}" for n in range(7)}
        owners = dict(zip(sorted(known), house.owner(*sorted(known)), strict=True))
        assert all(owners.values())
        users = [owners[f"user_id:u{n}"] for n in range(5)]
        assert len(set(users)) == 5, "a shared device joined its users"
        for header in [*await house.headers(0), *await house.headers(1)]:
            if header.user_id:
                canonical = house.store.run(
                    lambda one, header=header: components.canonical(one, house.space_id, header.profile_id)
                )
                assert canonical == owners[f"user_id:{header.user_id}"]

    asyncio.run(story())


def test_an_event_is_in_every_space_that_takes_its_source(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        second = house.store.run(lambda one: workspaces.create_space(one, slug="b", name="B").id)
        house.store.run(lambda one: workspaces.create_space(one, slug="c", name="C", all_sources=False))
        await house.collect({"userId": "u"}, {"userId": "u", "integrations": {"Personas": False}})
        await house.work()
        first, kept_out = await house.headers()
        assert [space for space, _ in first.profiles] == [house.space_id, second]
        assert first.profile_id == first.profiles[0][1] == house.owner("user_id:u")[0]
        assert first.profiles[1][1] not in ("", first.profile_id)
        assert kept_out.profile_id == ""

    asyncio.run(story())


def test_a_type_that_comes_as_an_external_id_is_added_to_the_rules(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        entry = {"id": "+1555", "type": "phone", "collection": "users", "encoding": "none"}
        await house.collect({"userId": "u", "context": {"externalIds": [entry]}})
        await house.work()
        assert house.owner("phone:+1555") == house.owner("user_id:u")
        (space,) = house.store.run(workspaces.load).spaces
        assert space.identifiers[-1].name == "phone"

    asyncio.run(story())


def test_a_house_without_spaces_has_no_profiles(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path)
        house.store.run(lambda one: workspaces.update_space(one, house.space_id, all_sources=False))
        await house.collect({"userId": "u"})
        await house.work()
        (header,) = await house.headers()
        assert (header.profile_id, header.profiles, header.groups) == ("", (), ())
        chunk = await house.log.read(PROCESSED, 0, 0)
        assert chunk.records[0].key == b"u"

    asyncio.run(story())


def profiles(house: RunningHouse, *names: str) -> list[str]:
    """The profiles that identifiers lead to, once all of them lead somewhere."""

    def found() -> list[str] | None:
        ids = []
        for name in names:
            answer = house.ask("GET", f"/headwater/spaces/default/profiles?exact=true&search={name}")["profiles"]
            if not answer:
                return None
            ids.append(answer[0]["id"])
        return ids

    return until(found, what=f"for {names} to be known")


@pytest.mark.timeout(120)
def test_the_life_of_two_people_in_a_real_house(tmp_path: Path) -> None:
    with running_house(tmp_path, *IN_ONE_PROCESS) as house:
        send: Callable[..., Any] = house.send
        # Ann browses, signs up, and comes back on a second device.
        send("/v1/page", {"anonymousId": "laptop", "name": "Home"})
        send("/v1/identify", {"userId": "ann", "anonymousId": "laptop", "traits": {"email": "ann@example.com"}})
        phone = {"device": {"type": "ios", "id": "phone-1"}}
        send("/v1/track", {"anonymousId": "phone", "event": "Opened", "context": phone})
        send("/v1/track", {"userId": "ann", "event": "Opened", "context": phone})
        names = ("user_id:ann", "anonymous_id:laptop", "ios.id:phone-1")
        until(lambda: len(set(profiles(house, *names))) == 1, what=f"for {names} to be one person")
        (ann,) = profiles(house, "user_id:ann")
        # Bob signs in on Ann's laptop, which does not make them one.
        send("/v1/track", {"userId": "bob", "anonymousId": "laptop", "event": "Signed In"})
        (bob,) = profiles(house, "user_id:bob")
        assert bob != ann
        violations = house.ask("GET", "/headwater/spaces/default/violations")["violations"]
        assert [(one["kind"], one["identifier"]) for one in violations] == [
            ("value_limit_exceeded", "anonymous_id:laptop")
        ]
        # He changes his name, and both work for Acme.
        send("/v1/alias", {"userId": "robert", "previousId": "bob"})
        for user in ("ann", "robert"):
            send("/v1/group", {"userId": user, "groupId": "acme"})
        robert, acme = profiles(house, "user_id:robert", "group_id:acme&collection=accounts")
        assert robert == bob
        people = until(
            lambda: len(found := _groups(house, acme)) == 2 and found, what="for both to be linked to the company"
        )
        assert set(people) == {ann, bob}
        steps = house.ask("GET", "/headwater/spaces/default/explain?a=anonymous_id:phone&b=email:ann@example.com")[
            "steps"
        ]
        assert [step["kind"] for step in steps] == ["link", "merge", "link"]
        # The second device was somebody else's after all.
        merge = steps[1]["merge"]["id"]
        house.ask("POST", "/headwater/spaces/default/unmerge", {"mergeId": merge})
        assert profiles(house, "anonymous_id:phone") != [ann]
        send("/v1/track", {"userId": "ann", "event": "Opened", "context": phone})
        until(lambda: len(house.ask("GET", "/headwater/spaces/default/violations")["violations"]) == 2)
        assert profiles(house, "user_id:ann", "anonymous_id:laptop") == [ann, ann]


def _groups(house: RunningHouse, profile_id: str) -> list[str]:
    return [one["profileId"] for one in house.ask("GET", f"/headwater/spaces/default/profiles/{profile_id}")["groups"]]
