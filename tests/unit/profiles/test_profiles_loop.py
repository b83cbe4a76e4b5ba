"""The role: every event is folded once, whoever reads it again, and written without waiting when it is quiet."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.eventlog import Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.holding import Lately
from headwater.profiles.known import State, decode, traits, unite
from headwater.profiles.loop import GROUP, Folding, profiles
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.settings import ProfilesSettings
from headwater.spec.wire import encode
from headwater.store import Store, known, ledger

AT = 1_700_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.in_folder(tmp_path)
    store.migrate()
    yield store
    store.close()


def record(number: int, profile: str, kind: str = "track", *, groups: tuple[str, ...] = (), **traits: object) -> Record:
    body = {"timestamp": "2023-11-14T22:13:20.000Z", "type": kind, "traits": traits}
    header = ProcessedHeader(
        "web", kind, "Tick" if kind == "track" else "", f"m{number}", "", "", AT + number, profile, groups=groups
    )
    return Record(profile.encode(), encode_header(header), encode(body))


def state(store: Store, profile: str, partitions: range = range(1)) -> State | None:
    found = [
        store.run(lambda connection, p=partition: known.states(connection, p, [profile])) for partition in partitions
    ]
    return unite(decode(one[profile]) for one in found if one)


async def folded(log: MemoryLog, store: Store, settings: ProfilesSettings = ProfilesSettings()) -> Folding:  # noqa: B008
    folding = Folding(log, store, settings, 0)
    await folding.open()
    while await folding.step(0.0):
        pass
    await folding.write()
    return folding


def test_events_count_for_people_and_for_the_companies_that_they_name(store: Store) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        await log.append(
            PROCESSED,
            0,
            [
                record(0, "use_a", "identify", plan="pro", tags=["x", {"y": 1}], huge=2**70),
                record(1, "use_a", groups=("acc_g",)),
                record(2, "use_b", "group", groups=("acc_g",), plan="gold"),
                record(3, "", "identify", plan="nobody"),
                record(4, "use_a", "page", plan="ignored"),
            ],
        )
        await folded(log, store)
        person, company = state(store, "use_a"), state(store, "acc_g")
        assert person is not None
        assert company is not None
        assert {key: write.value for key, write in traits(person).items()} == {
            "huge": b"1180591620717411303424",
            "plan": b'"pro"',
            "tags": b'["x",{"y":1}]',
        }
        assert (person.events, person.names, person.groups) == (3, {"Tick": 1, "Page Viewed": 1}, {"acc_g": AT})
        assert (company.events, traits(company)["plan"].value) == (2, b'"gold"')
        assert await log.committed(GROUP, PROCESSED, 0) == 5

    asyncio.run(scenario())


def test_two_who_fold_the_same_events_count_them_once(store: Store) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        settings = ProfilesSettings(chunk_events=7, write_every_seconds=0.0)
        one, other = Folding(log, store, settings, 0), Folding(log, store, settings, 0)
        await one.open()
        await other.open()
        for turn in range(5):
            await log.append(PROCESSED, 0, [record(turn * 20 + n, f"use_{n % 3}") for n in range(20)])
            await asyncio.gather(one.step(0.0), other.step(0.0))
        for folding in (one, other) * 20:
            await folding.step(0.0)
        states = [state(store, f"use_{n}") for n in range(3)]
        assert sum(one.events for one in states if one is not None) == 100

    asyncio.run(scenario())


def test_what_was_folded_and_not_written_is_folded_again(store: Store) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        settings = ProfilesSettings(write_every_seconds=1_000.0)
        first = Folding(log, store, settings, 0)
        await first.open()
        for number in range(3):
            await log.append(PROCESSED, 0, [record(number, "use_a")])
            await first.step(0.0)
        before = state(store, "use_a")
        assert before is not None
        assert before.events == 1, "the lone event is written at once, those that follow wait for more"
        await folded(log, store)
        await first.write()
        after = state(store, "use_a")
        assert after is not None
        assert after.events == 3

    asyncio.run(scenario())


def test_partitions_know_of_the_same_profile_without_meeting(store: Store, tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog(partitions=3)
        settings = ProfilesSettings()
        for partition in range(3):
            events = [record(number, "use_a", "identify", plan=partition) for number in range(partition, 10)]
            await log.append(PROCESSED, partition, events)
        stopping = asyncio.Event()
        task = asyncio.create_task(
            profiles(log=log, store=store, settings=settings, folder=tmp_path, stopping=stopping)
        )
        while await log.lag(GROUP, PROCESSED, 2) or await log.lag(GROUP, PROCESSED, 1):
            await asyncio.sleep(0)
        stopping.set()
        await task
        whole = state(store, "use_a", range(3))
        assert whole is not None
        assert (whole.events, whole.first.message_id, whole.last.message_id) == (27, "m0", "m9")
        assert store.run(lambda connection: ledger.cursor(connection, GROUP, 2)) == 8

    asyncio.run(scenario())


@pytest.mark.parametrize("remembered", [1, 20_000, 60_000], ids=["nothing", "some", "all"])
def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_read_again(store: Store, remembered: int) -> None:
    lately = Lately(1_300)
    for number, id in enumerate("abcdec"):
        lately.put(id, (b"123", b"%d" % number))
    assert [lately.get(id) for id in "abcde"] == [None, None, (b"123", b"5"), (b"123", b"3"), (b"123", b"4")]
    lately.put("c", (b"x" * 600, b""))
    assert [lately.get(id) for id in "abcde"] == [None, None, (b"x" * 600, b""), None, (b"123", b"4")]

    async def scenario() -> None:
        log = MemoryLog()
        settings = ProfilesSettings(chunk_events=5, write_every_seconds=0.0, remembered_bytes=remembered)
        await log.append(PROCESSED, 0, [record(number, f"use_{number % 9}") for number in range(90)])
        await log.append(PROCESSED, 0, [record(number, f"use_{number % 40}") for number in range(90, 490)])
        await folded(log, store, settings)
        assert [found.events for number in range(9) if (found := state(store, f"use_{number}"))] == [20] * 9

    asyncio.run(scenario())
