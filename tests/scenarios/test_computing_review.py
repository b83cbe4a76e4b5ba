"""What a stream of changes may do to audiences at the worst moment: each of these once did."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from computing_house import DAY, House, moves

from headwater import telemetry
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED
from headwater.profiles.computing import people, stage
from headwater.profiles.computing.findings import Findings
from headwater.profiles.computing.past import Counted, Wanted
from headwater.profiles.computing.rounds import look_at_those_due
from headwater.profiles.loop import Folding
from headwater.spec.computation import Connection, Run, default_calls
from headwater.spec.event import CollectedHeader, decode_collected, encode_header
from headwater.spec.settings import ProfilesSettings
from headwater.store import components, computations, standing
from headwater.store import workspace as workspaces
from headwater.store.snapshot import Snapshot

EVERYBODY = ("user_id", "anonymous_id")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


async def begin(house: House, *, partition: int = 0, past: Any = None, **settings: Any) -> Folding:
    """A fold of one partition that goes on over several steps."""
    chosen = ProfilesSettings(accounts_every_seconds=0.0, write_every_seconds=3_600.0, **settings)
    folding = Folding(
        house.log,
        house.store,
        chosen,
        partition,
        snapshot=await Snapshot.take(house.store),
        past=past,
        clock=lambda: house.now,
    )
    await folding.open()
    folding._written = float("inf")
    return folding


async def steps(folding: Folding, number: int = 12) -> None:
    """Fold, and write after each step."""
    for _ in range(number):
        await asyncio.sleep(0)
        await folding.step(0.0)
        await folding.write()


def due(house: House, *partitions: int) -> dict[str, int]:
    """Who is due now."""
    found: dict[str, int] = {}
    for partition in partitions or (0, standing.ANYWHERE):
        found |= house.store.run(lambda one, of=partition: standing.due(one, of, house.now, 1_000))
    return found


class NoPast:
    """An archive that never comes to an end with the jobs named, and counts nothing for others."""

    def __init__(self, *slow: str) -> None:
        self.slow = set(slow)
        self.ended: list[str] = []

    async def reaches(self, until: Mapping[int, int]) -> bool:
        return True

    async def count(
        self,
        job: str,
        space_id: str,
        wanted: Sequence[Wanted],
        until: Mapping[int, int],
        *,
        progress: Callable[..., None],
    ) -> None:
        try:
            while job in self.slow:
                await asyncio.sleep(3_600)
        finally:
            self.ended.append(job)

    async def counted(self, job: str, after: str) -> AsyncIterator[list[Counted]]:
        for page in ():
            yield page

    async def forget(self, job: str) -> None:
        pass


def test_two_members_who_become_one_are_one_member(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1", known_by=EVERYBODY)
        await house.work({"event": "Order", "anonymousId": "a1"}, {"event": "Order", "userId": "u1"})
        assert house.run(audience).size == 2
        await house.work({"event": "Other", "userId": "u1", "anonymousId": "a1"})
        assert house.run(audience).size == 1
        house.part("user_id:u1", "anonymous_id:a1")
        house.now += 1
        await house.work()
        assert house.run(audience).size == 2
        house.store.run(lambda one: computations.update(one, audience.id, query="event('Never').count() >= 1"))
        await house.work()
        assert house.run(audience).size == 0

    asyncio.run(story())


@pytest.mark.parametrize("ending", ["disabled", "deleted", "all"])
def test_a_computation_that_ends_leaves_nobody_due_for_ever(house: House, ending: str) -> None:
    async def story() -> None:
        audience = house.define("busy", "event('Order').within(1 days).count() >= 1")
        if ending != "all":
            house.define("others", "event('Order').within(9 days).count() >= 1")
        await house.work({"event": "Order", "userId": "u1"})
        if ending == "deleted":
            house.store.run(lambda one: computations.delete(one, audience.id))
        else:
            house.store.run(lambda one: computations.update(one, audience.id, enabled=False))
        house.now += 2 * DAY
        await house.work()
        assert due(house) == {} or ending == "all"

    asyncio.run(story())


def test_a_space_without_computations_leaves_nobody_due_for_ever(house: House) -> None:
    async def story() -> None:
        audience = house.define("busy", "event('Order').within(1 days).count() >= 1")
        await house.work({"event": "Order", "userId": "u1"})
        house.store.run(lambda one: computations.update(one, audience.id, enabled=False))
        other = house.store.run(lambda one: workspaces.create_space(one, slug="other", name="Other").id)
        house.space_id = other
        house.define("elsewhere", "event('Order').count() >= 1")
        house.now += 2 * DAY
        await house.work()
        assert due(house) == {}

    asyncio.run(story())


def test_who_is_due_while_a_version_is_prepared_is_not_looked_at_for_ever(house: House) -> None:
    async def story() -> None:
        audience = house.define("busy", "event('Order').within(1 days).count() >= 1")
        await house.work({"event": "Order", "userId": "u1"})
        edited = "event('Order').within(2 days).count() >= 1"
        changed = house.store.run(lambda one: computations.update(one, audience.id, query=edited))
        house.now += 2 * DAY
        past = NoPast(changed.counted_as)
        folding = await begin(house, past=past)
        await steps(folding)
        assert house.run(audience).phase == "BACKFILLING"
        assert due(house) == {}
        past.slow.clear()
        await folding._passes.close()
        folding = await begin(house, past=past)
        await steps(folding, 30)
        assert house.run(audience).phase == "LIVE"
        assert moves(await house.said())[-1:] == [("u1", "busy", False)]

    asyncio.run(story())


@pytest.mark.parametrize("ending", ["edited", "deleted"])
def test_a_computation_that_ends_while_it_is_counted_lets_others_be_counted(house: House, ending: str) -> None:
    async def story() -> None:
        first = house.define("first", "event('Order').count() >= 1")
        second = house.define("second", "event('Order').count() >= 2")
        past = NoPast(first.counted_as)
        folding = await begin(house, past=past)
        await steps(folding)
        assert (house.run(first).phase, house.run(second).phase) == ("BACKFILLING", "BACKFILLING")
        if ending == "deleted":
            house.store.run(lambda one: computations.delete(one, first.id))
        else:
            house.store.run(lambda one: computations.update(one, first.id, query="event('Order').count() >= 3"))
        folding._snapshot = await Snapshot.take(house.store)
        await steps(folding, 30)
        assert house.run(second).phase == "LIVE"
        assert first.counted_as in past.ended

    asyncio.run(story())


def test_what_is_enabled_again_counts_anew(house: House) -> None:
    async def story() -> None:
        audience = house.define("none", "event('Order').count() <= 1 AND event('Order').count() >= 1")
        said = await house.work({"event": "Order", "userId": "u1"})
        assert moves(said) == [("u1", "none", True)]
        house.store.run(lambda one: computations.update(one, audience.id, enabled=False))
        await house.work({"event": "Order", "userId": "u1"})
        again = house.store.run(lambda one: computations.update(one, audience.id, enabled=True))
        assert again.version == audience.version + 1

    asyncio.run(story())


def test_who_did_nothing_that_the_new_definition_counts_leaves(house: House) -> None:
    async def story() -> None:
        audience = house.define("actors", "event('Order').count() >= 1")
        await house.work({"event": "Order", "userId": "u1"})
        house.store.run(lambda one: computations.update(one, audience.id, query="event('Refund').count() >= 1"))
        assert moves(await house.work()) == [("u1", "actors", False)]
        assert house.run(audience).size == 0

    asyncio.run(story())


def test_who_moves_out_of_the_memory_when_others_come_is_counted(house: House, monkeypatch: Any) -> None:
    async def story() -> None:
        house.define("two", "event('Order').count() >= 2")
        monkeypatch.setattr(people, "MAX_KEPT", 1)
        await house.collect({"event": "Order", "userId": "u1"})
        await house.process()
        folding = await begin(house, remembered_bytes=1)
        await steps(folding, 8)
        await house.collect(*({"event": "Order", "userId": who} for who in ("u1", "u2", "u3")))
        await house.process()
        await steps(folding)
        assert moves(await house.said()) == [("u1", "two", True)]

    asyncio.run(story())


def test_a_value_that_moves_does_not_ask_what_cannot_be_asked_yet(house: House) -> None:
    async def story() -> None:
        house.define("vip", "trait('plan') = 'pro'", told=False)
        await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "free"}})
        late = house.define("clean", "trait('vip') = 'true' AND NOT event('Refund').count() >= 1")
        past = NoPast(late.counted_as)
        folding = await begin(house, past=past)
        await steps(folding)
        await house.collect({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}})
        await house.process()
        await steps(folding)
        assert house.run(late).phase == "BACKFILLING"
        assert house.values("user_id:u1") == {"vip": True}
        await folding._passes.close()
        past.slow.clear()
        await steps(await begin(house, past=past), 30)
        assert house.values("user_id:u1") == {"vip": True, "clean": True}
        assert moves(await house.said()) == [("u1", "clean", True)]

    asyncio.run(story())


def test_an_account_follows_the_values_of_its_people(house: House) -> None:
    async def story() -> None:
        house.define("vip", "trait('plan') = 'pro'", told=False)
        house.define("served", "ANY trait('vip') = 'true'", level="ACCOUNTS", told=False)
        await house.work({"type": "group", "userId": "u1", "groupId": "g"})
        house.now += 1
        await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}})
        house.now += 1
        await house.work()
        assert house.values("user_id:u1") == {"vip": True}
        assert house.values("group_id:g") == {"served": True}

    asyncio.run(story())


def test_who_is_read_again_is_asked_with_what_other_partitions_counted(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, partitions=2)
        house.define("two", "event('Order').count() >= 2")
        said: list[dict[str, Any]] = []
        for bodies in ({"event": "Order", "userId": "u1"}, {"event": "Order", "userId": "u1"}), ():
            house.now += 1
            said += await house.work(*bodies, partition=1)
        assert moves(said) == [("u1", "two", True)]
        assert moves(await house.work({"event": "Order", "userId": "u1"}, partition=0)) == []
        house.store.close()

    asyncio.run(story())


def test_a_person_who_changes_again_before_the_write_leaves_once(house: House) -> None:
    async def story() -> None:
        house.define("one", "event('Order').count() <= 1 AND event('Order').count() >= 1", known_by=EVERYBODY)
        await house.work({"event": "Order", "anonymousId": "a1"}, {"event": "Order", "userId": "u1"})
        folding = await begin(house)
        await steps(folding)
        for more in ({"userId": "u1", "anonymousId": "a1"}, {"userId": "u1", "anonymousId": "a2"}):
            await house.collect({"event": "Other", **more})
            await house.process()
            await folding.step(0.0)
            await folding.step(0.0)
        await folding.write()
        assert sorted(moves(await house.said())) == [("a1", "one", False), ("u1", "one", False)]
        stands = house.store.run(lambda one: standing.standings_after(one, "", 10))
        assert len(stands) == 1

    asyncio.run(story())


def test_what_has_not_been_written_is_not_told_again_as_it_was(house: House) -> None:
    async def story() -> None:
        audience = house.define("pro", "trait('plan') = 'pro'")
        await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}})
        (connection,) = audience.connections
        again = msgspec.structs.replace(connection, resync=1)
        folding = await begin(house)
        await steps(folding, 3)
        await house.collect({"type": "identify", "userId": "u1", "traits": {"plan": "free"}})
        await house.process()
        await folding.step(0.0)
        house.store.run(lambda one: computations.update(one, audience.id, connections=(again,)))
        folding._snapshot = await Snapshot.take(house.store)
        await steps(folding)
        assert [value for _, _, value in moves(await house.said())][-1] is False

    asyncio.run(story())


def test_a_connection_that_was_off_hears_of_members_once_it_is_on(house: House) -> None:
    async def story() -> None:
        off = Connection(id="con_1", destination_id="hook", calls=default_calls("audience", "USERS"), enabled=False)
        audience = house.define("buyers", "event('Order').count() >= 1", connections=(off,))
        assert await house.work({"event": "Order", "userId": "u1"}) == []
        on = msgspec.structs.replace(off, enabled=True)
        house.store.run(lambda one: computations.update(one, audience.id, connections=(on,)))
        assert moves(await house.work()) == [("u1", "buyers", True)]
        house.store.run(lambda one: computations.update(one, audience.id, connections=(off,)))
        assert moves(await house.work({"event": "Order", "userId": "u2"})) == []
        house.store.run(lambda one: computations.update(one, audience.id, connections=(on,)))
        assert ("u2", "buyers", True) in moves(await house.work())

    asyncio.run(story())


def test_people_who_are_parted_say_nothing_with_the_id_of_what_was_said(house: House) -> None:
    async def story() -> None:
        house.define("pro", "trait('plan') = 'pro'", known_by=EVERYBODY)
        await house.work({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}})
        said: list[dict[str, Any]] = []
        for plan in ("pro", "free", "pro"):
            house.now += 1_000
            said += await house.work({"type": "identify", "anonymousId": "a1", "traits": {"plan": plan}})
        house.now += 1_000
        said += await house.work({"event": "Other", "userId": "u1", "anonymousId": "a1"})
        house.part("user_id:u1", "anonymous_id:a1")
        house.now += 1_000
        said += await house.work()
        said += await house.work({"type": "identify", "anonymousId": "a1", "traits": {"plan": "free"}})
        ids = [each["messageId"] for each in said]
        assert len(ids) == len(set(ids))

    asyncio.run(story())


def test_two_connections_with_other_settings_are_both_told(house: House) -> None:
    async def story() -> None:
        calls = default_calls("audience", "USERS")
        first = Connection(id="con_1", destination_id="one", calls=calls, settings={"list": 1})
        second = Connection(id="con_2", destination_id="two", calls=calls, settings={"list": 2})
        house.define("buyers", "event('Order').count() >= 1", connections=(first, second))
        said = await house.work({"event": "Order", "userId": "u1"})
        assert len({each["messageId"] for each in said}) == len(said) == 4

    asyncio.run(story())


def test_a_value_too_large_to_be_told_is_refused_alone_and_shows(house: House) -> None:
    async def story() -> None:
        house.define("seen", "event('Order').unique(property('name'))", kind="trait")
        house.define("buyers", "event('Order').count() >= 40")
        await house.work()
        names = [f"{place:04}" + "x" * 990 for place in range(40)]
        await house.collect(*({"event": "Order", "userId": "u1", "properties": {"name": name}} for name in names))
        await house.process()
        await house.fold()
        records = (await house.log.read(COLLECTED, 0, 0)).records
        refused = [one for one in records if decode_collected(one.header).refused == "message_too_large"]
        assert refused
        assert max(len(one.value) for one in refused) <= 32 * 1024
        assert ("u1", "buyers", True) in moves(await house.said())

    asyncio.run(story())


def test_a_failed_computation_puts_nobody_off(house: House) -> None:
    async def story() -> None:
        house.define("fine", "event('Order').count() >= 1")
        failed = house.define("failed", "event('Order').count() >= 1")
        run = Run(computation_id=failed.id, version=failed.version, phase="FAILED", since={0: 0})
        house.store.run(lambda one: computations.write_runs(one, [run]))
        await house.work({"event": "Order", "userId": "u1"})
        await house.work({"event": "Order", "userId": "u1"})
        assert house.store.run(lambda one: standing.put_off(one, "", 10)) == []

    asyncio.run(story())


def test_of_two_processes_that_have_nothing_to_read_one_is_heard(house: House) -> None:
    async def story() -> None:
        audience = house.define("busy", "event('Order').within(1 days).count() >= 1")
        house.define("more", "event('Order').within(1 days).count() >= 1", told=False)
        await house.work({"event": "Order", "userId": "u1"}, {"event": "Order", "userId": "u2"})
        house.now += 2 * DAY
        one, other = await begin(house), await begin(house)
        for each in (one, other):
            each._stage.plan(each._snapshot.current, 0, house.now)
        for each in (one, other):
            await look_at_those_due(each._stage, each._holding, house.store, house.now)
        for each in (one, other):
            await each.write()
        await steps(other)
        said = moves(await house.said())
        assert sorted(said) == [("u1", "busy", False), ("u2", "busy", False)]
        left = house.store.run(lambda each: standing.latest_moves(each, audience.id, entered=False))
        assert len(left) == 2

    asyncio.run(story())


def test_an_event_that_cannot_be_counted_costs_itself_alone(house: House, monkeypatch: Any) -> None:
    async def story() -> None:
        house.define("buyers", "event('Order').count() >= 1")
        read = stage.item_of

        def fails(header: Any, body: bytes, at: int) -> Any:
            if b"poison" in body:
                raise RuntimeError("never foreseen")
            return read(header, body, at)

        monkeypatch.setattr(stage, "item_of", fails)
        said = await house.work(
            {"event": "Order", "userId": "u1"},
            {"event": "Order", "userId": "u2", "properties": {"poison": 1}},
            {"event": "Order", "userId": "u3"},
        )
        assert {who for who, _, _ in moves(said)} == {"u1", "u3"}

    asyncio.run(story())


HOSTILE = [
    b"1" + b"0" * 40,
    b"-1e308",
    b"1e308",
    b'"a\\u0000b"',
    b"[" * 60 + b"]" * 60,
    b'{"$":{"":[null,{"a.b":1e-320}]}}',
    b'"' + "é".encode() * 9_000 + b'"',
    b"[" + b",".join(b'"%d"' % each for each in range(3_000)) + b"]",
    b"{" + b",".join(b'"p%d":%d' % (each, each) for each in range(1_500)) + b"}",
    b'"1970-01-01T00:00:00Z"',
    b'"9e999999999"',
    b"true",
]


def test_nothing_that_a_stranger_sends_stops_the_fold(house: House) -> None:
    async def story() -> None:
        for place, by in enumerate(("sum", "avg", "max", "min", "first", "last", "mode", "unique")):
            house.define(f"t{place}", f"event('Order').{by}(property('p'))", kind="trait")
        house.define("many", "event('Order').where(property('p') >= 3).count() >= 1")
        house.define("text", "event('Order').where(property('p').contains('1')).within(3 days).count() >= 1")
        house.define("trait", "trait('p') >= 3 OR trait('p').contains('1')")
        house.define("deep", "event('Order').where(property('p.$.a') = 1).count() >= 1")
        await house.work()
        before = telemetry.PROFILES_FAILURES._value.get()
        for place, value in enumerate(HOSTILE):
            for kind, field in (("track", "properties"), ("identify", "traits")):
                body = b'{"type":"%b","event":"Order","userId":"u1","messageId":"h%d%b","%b":{"p":%b}}'
                raw = body % (kind.encode(), place, kind.encode(), field.encode(), value)
                header = CollectedHeader(kind, house.source_id, "k", house.now + place)
                await house.log.append(COLLECTED, 0, [Record(b"", encode_header(header), raw)])
        said = await house.work({"event": "Order", "userId": "u2", "properties": {"p": 5}})
        assert ("u2", "many", True) in moves(said)
        assert house.values("user_id:u2")["t0"] == 5
        assert telemetry.PROFILES_FAILURES._value.get() == before

    asyncio.run(story())


def test_a_partition_that_has_not_heard_of_an_edit_takes_nothing_back(house: House) -> None:
    old = house.define("buyers", "event('Order').count() >= 1")
    newer = Run(computation_id=old.id, version=2, since={1: 7}, size=4)
    house.store.run(lambda one: computations.write_runs(one, [newer]))
    before = Run(computation_id=old.id, version=1, phase="LIVE", since={0: 1, 1: 1}, size=4)
    for owner in (True, False):
        found = Findings(sizes={old.id: 1})
        house.store.run(
            lambda one, found=found, owner=owner: found.write_runs(
                one, {old.id: before}, alone=False, owner=owner, now=house.now
            )
        )
    run = house.run(old)
    assert (run.version, run.since, run.size, run.phase) == (2, {1: 7}, 5, "PREPARING")


def test_only_the_newest_moves_are_kept(house: House, monkeypatch: Any) -> None:
    async def story() -> None:
        monkeypatch.setattr(stage, "TRIM_AFTER", 4)
        monkeypatch.setattr(standing, "KEPT_MOVES", 3)
        audience = house.define("buyers", "event('Order').count() >= 1")
        await house.work()
        await house.work(*({"event": "Order", "userId": f"u{each}"} for each in range(6)))
        assert len(house.store.run(lambda one: standing.latest_moves(one, audience.id))) == 3

    asyncio.run(story())


def test_who_is_known_no_more_leaves_although_nothing_comes(house: House) -> None:
    async def story() -> None:
        audience = house.define("buyers", "event('Order').count() >= 1")
        await house.work({"event": "Order", "userId": "u1", "anonymousId": "a1"})
        assert house.run(audience).size == 1
        owner = house.owner("user_id:u1")
        found = house.store.run(lambda one: components.component(one, owner))
        (link,) = (each for each in found.links if each.identifier == "user_id:u1")
        house.store.run(lambda one: components.remove(one, house.space_id, link, house.now, "somebody"))
        house.now += 1
        await house.work()
        assert (house.values("anonymous_id:a1"), house.run(audience).size) == ({"buyers": False}, 0)
        assert due(house) == {}

    asyncio.run(story())
