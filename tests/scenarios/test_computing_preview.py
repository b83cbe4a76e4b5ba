"""A preview says who would be in an audience, and what a trait would be, before either is made."""

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from computing_house import DAY, House

from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.items import item_of, person_in
from headwater.profiles.computing.preview import MAX_KEPT, MAX_WAITING, Asked, Preview, Previews
from headwater.profiles.computing.previewing import NAME, Member, Said, Scratch, Task, answer
from headwater.profiles.language import QueryError, compile_query, parse
from headwater.profiles.tell import tell
from headwater.spec.computation import KNOWN_BY, Level
from headwater.spec.errors import SenderError
from headwater.spec.event import decode_processed
from headwater.spec.settings import WarehouseSettings
from headwater.warehouse.archive import Archive
from headwater.warehouse.files import LocalFiles
from headwater.warehouse.past import ArchivedPast
from headwater.warehouse.reading import ARCHIVE_GROUP

ORDER = {"event": "Order", "properties": {"total": 10}}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Ann ordered on two devices and is pro, Bob ordered once, somebody unknown three times, two work for g1."""
    house = House(tmp_path_factory.mktemp("house"))
    house.define("buyer", "event('Order').count() >= 1", told=False)

    async def happen() -> None:
        await house.process()
        await house.fold()
        await house.work(
            {"anonymousId": "a1", **ORDER},
            {"userId": "ann", **ORDER},
            {"type": "identify", "userId": "ann", "anonymousId": "a1", "traits": {"plan": "pro", "name": "Ann"}},
            {"userId": "bob", **ORDER},
            {"type": "identify", "userId": "bob", "traits": {"plan": "free", "email": "bob@x.org"}},
            *([{"anonymousId": "a9", **ORDER}] * 3),
            {"type": "group", "userId": "bob", "groupId": "g1", "traits": {"seats": 20}},
            {"type": "group", "userId": "ann", "groupId": "g1", "traits": {"seats": 20}},
            {"type": "group", "userId": "cid", "groupId": "g2", "traits": {"seats": 5}},
        )
        chunk = await house.log.read(PROCESSED, 0, 0, max_records=1_000)
        Archive(LocalFiles(house.folder / "archive")).write(0, chunk)
        await house.log.commit(ARCHIVE_GROUP, PROCESSED, 0, chunk.next)

    asyncio.run(happen())
    yield house
    house.store.close()


def asked(house: House, query: str, level: Level = "USERS", known_by: tuple[str, ...] = KNOWN_BY) -> Said:
    """The answer, worked out in this process."""
    compiled = compile_query(parse(query), level)
    states: defaultdict[str, list[Any]] = defaultdict(compiled.new_state)
    for position, each in enumerate(asyncio.run(house.log.read(PROCESSED, 0, 0, max_records=1_000)).records):
        header = decode_processed(each.header)
        item = item_of(header, each.value, tell(each, position)[0][1].mark.at)
        if compiled.wants(item):
            compiled.fold(states[person_in(header, house.space_id)], item)
    scratch = Scratch("")
    encode = msgspec.msgpack.encode
    page = [(id, encode({NAME: states[id]})) for id in sorted(states)]
    scratch.fill(house.store, house.space_id, [page[:1], page[1:]])
    task = Task(house.store.url, house.space_id, query, level, known_by, house.now + DAY, 2, "", bool(compiled.events))
    return answer(task, house.store, scratch, lambda said: None)


def people(house: House, *identifiers: str) -> list[str]:
    return sorted(house.owner(each) for each in identifiers)


def ids(said: Said) -> list[str]:
    return [member.profile_id for member in said.sample]


def test_what_merges_made_one_counts_as_one(house: House) -> None:
    said = asked(house, "event('Order').count() >= 2")
    assert (said.count, ids(said), said.finished) == (1, people(house, "user_id:ann"), True)
    [ann] = said.sample
    assert (ann.name, ann.user_id, set(ann.identifiers)) == ("Ann", "ann", {"user_id:ann", "anonymous_id:a1"})


def test_people_who_are_not_known_count_only_where_that_is_said(house: House) -> None:
    query = "event('Order').count() >= 1"
    known, everybody = asked(house, query), asked(house, query, known_by=())
    assert ids(known) == people(house, "user_id:ann", "user_id:bob")
    assert (everybody.count, len(everybody.sample)) == (3, 2)
    assert asked(house, query, known_by=("email",)).count == 1


def test_traits_are_shown_as_the_reason(house: House) -> None:
    said = asked(house, "trait('plan') = 'free' AND event('Order').count() >= 1")
    expected = Member(
        house.owner("user_id:bob"), True, "", "bob@x.org", "bob", said.sample[0].identifiers, {"plan": "free"}
    )
    assert said.sample == [expected]


def test_values_of_other_computations_are_traits(house: House) -> None:
    assert asked(house, "trait('buyer') = 'true' AND trait('plan') = 'pro'").sample[0].because == {
        "buyer": True,
        "plan": "pro",
    }


def test_those_of_whom_nothing_was_counted_may_satisfy_a_query(house: House) -> None:
    assert ids(asked(house, "NOT event('Order').count() >= 1")) == people(house, "user_id:cid")


def test_a_trait_is_previewed_with_its_values(house: House) -> None:
    said = asked(house, "event('Order').sum(property('total'))")
    assert said.count == 3
    assert {20, 30, 10} >= {member.value for member in said.sample}


def test_a_trait_whose_value_is_false_is_previewed_too(house: House) -> None:
    asyncio.run(house.work({"type": "identify", "userId": "cid", "traits": {"vip": False}}))
    said = asked(house, "trait('vip')")
    assert [(member.user_id, member.value) for member in said.sample] == [("cid", False)]
    assert asked(house, "trait('vip') = true").count == 0


def test_accounts_are_asked_of_their_people(house: House) -> None:
    first, second = house.owner("group_id:g1"), house.owner("group_id:g2")
    assert ids(asked(house, "event('Order').count() >= 2", "ACCOUNTS")) == [first]
    assert ids(asked(house, "ANY(trait('plan') = 'pro') AND trait('seats') > 10", "ACCOUNTS")) == [first]
    assert ids(asked(house, "trait('seats') < 10", "ACCOUNTS")) == [second]
    said = asked(house, "event('Order').count()", "ACCOUNTS")
    assert [(member.profile_id, member.value) for member in said.sample] == [(first, 3)]


def test_people_of_accounts_are_previewed_by_what_these_are_in_as_the_stream_has_it(house: House) -> None:
    house.define("big", "trait('seats') >= 9", level="ACCOUNTS", told=False)
    queries = {"worker": "trait('big') = true", "other": "NOT trait('big') = 'true'", "in_big": "trait('big')"}
    for key, query in queries.items():
        house.define(key, query, told=False, kind="trait" if key == "in_big" else "audience", known_by=("user_id",))
    for _ in range(3):
        house.now += 1
        asyncio.run(house.work())
    for key, query in queries.items():
        said = asked(house, query, known_by=("user_id",))
        there = [name for name in ("ann", "bob", "cid") if house.values(f"user_id:{name}").get(key)]
        assert sorted(member.user_id for member in said.sample) == there, key
        assert there == (["cid"] if key == "other" else ["ann", "bob"])
    [ann] = (member for member in asked(house, queries["worker"]).sample if member.user_id == "ann")
    assert ann.because == {"big": True}


def test_a_long_value_is_cut_where_it_is_shown(house: House) -> None:
    asyncio.run(house.work({"type": "identify", "userId": "dan", "traits": {"plan": "x" * 5_000}}))
    [dan] = asked(house, "trait('plan').contains('xxx')").sample
    assert len(dan.because["plan"]) == 1_001


def previewing(house: House, story: Callable[[Previews], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Have it happen with previews that are closed at last; nothing is left of them."""

    async def run() -> None:
        past = ArchivedPast(house.log, WarehouseSettings(), house.folder)
        previews = Previews(house.store, past, [0], house.folder, clock=lambda: house.now, **settings)
        try:
            await story(previews)
        finally:
            await previews.close()
        assert list((house.folder / "past").glob("*")) == []

    asyncio.run(run())


async def ended(previews: Previews, id: str) -> Preview:
    while (found := previews.get(id)).status == "RUNNING":
        await asyncio.sleep(0.01)
    return found


def test_a_preview_is_worked_out_in_processes_of_its_own(house: House) -> None:
    async def story(previews: Previews) -> None:
        asked = Asked(space_id=house.space_id, query="event('Order').within(1 day).count() >= 2")
        found = await ended(previews, await previews.start(asked))
        assert (found.status, found.count, found.failure, found.done) == ("COMPLETED", 1, "", found.total)
        assert [member.user_id for member in found.sample] == ["ann"]
        with pytest.raises(SenderError, match="no such preview"):
            previews.get("prv_none")
        with pytest.raises(QueryError):
            await previews.start(Asked(space_id=house.space_id, query="event("))

    previewing(house, story)


def test_too_many_previews_are_refused_and_those_that_wait_end_with_the_process(house: House) -> None:
    asked = Asked(space_id=house.space_id, query="trait('plan') = 'pro'")

    async def story(previews: Previews) -> None:
        started = [await previews.start(asked) for _ in range(MAX_WAITING + 1)]
        with pytest.raises(SenderError, match="try again"):
            await previews.start(asked)
        previews.cancel(started[1])
        await ended(previews, started[1])
        await previews.close()
        found = [previews.get(id) for id in started]
        assert {one.failure for one in found} == {"The preview was cancelled."}

    previewing(house, story)


def test_a_preview_that_takes_too_long_or_whose_process_dies_fails(house: House) -> None:
    asked = Asked(space_id=house.space_id, query="trait('plan') = 'pro'")

    async def slow(previews: Previews) -> None:
        assert (await ended(previews, await previews.start(asked))).failure == "The preview took longer than 0.001 s."

    async def killed(previews: Previews) -> None:
        before = children()
        id = await previews.start(asked)
        while not (new := children() - before):
            await asyncio.sleep(0.005)
        os.kill(new.pop(), signal.SIGKILL)
        assert "ended before it was done" in (await ended(previews, id)).failure

    previewing(house, slow, seconds=0.001)
    previewing(house, killed)


def test_the_oldest_previews_are_forgotten(house: House) -> None:
    async def story(previews: Previews) -> None:
        asked = Asked(space_id=house.space_id, query="trait('plan') = 'pro'")
        started = []
        for _ in range(MAX_KEPT + 1):
            started.append(await previews.start(asked))
            await ended(previews, started[-1])
        with pytest.raises(SenderError, match="forgotten"):
            previews.get(started[0])
        assert previews.get(started[1]).status == "FAILED"

    previewing(house, story, seconds=0.0)


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}
