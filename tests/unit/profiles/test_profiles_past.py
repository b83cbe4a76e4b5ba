"""The archive counts as the stream does, and what is in its way is said and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_strategies import HOUR, history, query

from headwater.eventlog import Chunk, Record
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.items import NAME_FIELDS, item_of, person_in
from headwater.profiles.computing.past import Past, Wanted
from headwater.profiles.language import Compiled, Item, QueryError, compile_query, parse, show
from headwater.profiles.tell import tell
from headwater.spec.errors import Unavailable
from headwater.spec.event import ProcessedHeader, decode_processed, encode_header
from headwater.spec.settings import WarehouseSettings
from headwater.spec.timestamps import format_moment
from headwater.warehouse.archive import Archive
from headwater.warehouse.counting import Said, Task, count
from headwater.warehouse.files import LocalFiles
from headwater.warehouse.past import ArchivedPast
from headwater.warehouse.reading import ARCHIVE_GROUP

COUNT = "event('A').count()"
NOW = 1_800_000_000_000


def record(item: Item, person: str, *, late: int = 0, profiles: tuple[tuple[str, str], ...] = ()) -> Record:
    """The event as the pipeline publishes it; it was received `late` milliseconds after it happened."""
    body = {"type": item.type, "timestamp": format_moment(item.at_ms), "context": item.context}
    body |= {"properties": item.properties, NAME_FIELDS.get(item.type, "name"): item.name}
    header = ProcessedHeader(
        *(item.source_id, item.type, item.name, item.message_id, "u", "", item.at_ms + late, person), profiles=profiles
    )
    return Record(b"", encode_header(header), msgspec.json.encode(body))


def plain(number: int, person: str = "p1", name: str = "A") -> Record:
    return record(Item("track", name, "s1", f"m{number:03}", number * 1_000, {"total": number}, {}), person)


def folded(records: Sequence[Record], wanted: Wanted, compiled: Compiled, space_id: str) -> dict[str, Any]:
    """What the stream counts: every record as it comes, by the profile of its person."""
    states: dict[str, Any] = {}
    for position, each in enumerate(records):
        header = decode_processed(each.header)
        person = person_in(header, space_id)
        for mark in [told.mark for _, told in tell(each, position)][:1]:
            item = item_of(header, each.value, mark.at)
            if person and item.at_ms >= wanted.since_ms and compiled.wants(item):
                state = states.get(person) or compiled.new_state()
                if compiled.fold(state, item):
                    states[person] = state
    return states


def answered(path: Path) -> dict[str, dict[str, Any]]:
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table["profile_id"].to_pylist() == sorted(table["profile_id"].to_pylist())
    decode = msgspec.msgpack.decode
    return {row["profile_id"]: decode(row["states"]) for row in table.to_pylist()}


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_archive_counts_what_the_stream_counts(chosen: Random) -> None:
    r = Random(chosen.random())
    records: list[Record] = []
    for item in history(r, 40):
        profiles = r.choice([(), (), (("spc_1", "p8"), ("spc_2", "p9"))])
        person = profiles[0][1] if profiles else r.choice(["p1", "p2", "p3", ""])
        records.append(record(item, person, late=r.choice([0, 0, -HOUR, HOUR]), profiles=profiles))
    wanted = [Wanted(str(n), show(query(r)), "USERS", r.choice([0, 0, 1_709_250_000_000])) for n in range(3)]
    with TemporaryDirectory() as folder:
        files = LocalFiles(Path(folder))
        if records:
            Archive(files).write(0, Chunk(0, records[:20]))
            Archive(files).write(0, Chunk(20, records[20:]))
        parts = [str(files.folder / name) for name in files.sizes()]
        end, path = r.choice([len(records), len(records) // 2]), Path(folder) / "answer"
        task = Task(parts, "spc_1", wanted, {0: end}, str(path), folder, 256)
        found = {}
        if parts:
            count(task, lambda _said: None)
            found = answered(path)
    expected: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for each in wanted:
        compiled = compile_query(parse(each.query))
        for person, state in folded(records[:end], each, compiled, "spc_1").items():
            expected[person][each.name] = compiled.evaluate(state, {}, NOW)
    asked = {
        person: {
            each.name: compile_query(parse(each.query)).evaluate(states[each.name], {}, NOW)
            for each in wanted
            if each.name in states
        }
        for person, states in found.items()
    }
    assert asked == expected


def house(folder: Path, records: Sequence[Record], *, partitions: int = 1) -> tuple[ArchivedPast, MemoryLog]:
    """A past of an archive that holds these records, all of partition 0."""
    log = MemoryLog(partitions)
    if records:
        Archive(LocalFiles(folder / "archive")).write(0, Chunk(0, records))
    asyncio.run(log.commit(ARCHIVE_GROUP, PROCESSED, 0, len(records)))
    return ArchivedPast(log, WarehouseSettings(), folder), log


async def ask(past: Past, until: Mapping[int, int], *queries: str, after: str = "") -> dict[str, Any]:
    wanted = [Wanted(query, query, "USERS") for query in queries]
    heard: list[tuple[int, int]] = []
    await past.count("job:1", "spc_1", wanted, until, progress=lambda *said: heard.append(said))
    assert all(done <= total for done, total in heard)
    return {id: msgspec.msgpack.decode(states) async for page in past.counted("job:1", after) for id, states in page}


def test_a_job_is_counted_once_in_a_process_of_its_own_and_forgotten_when_that_is_said(tmp_path: Path) -> None:
    past, _ = house(tmp_path, [plain(number, f"p{number % 3}") for number in range(9)])
    found = asyncio.run(ask(past, {0: 8}, COUNT, "event('B').count()"))
    assert found == {f"p{n}": {COUNT: [expected]} for n, expected in enumerate((3, 3, 2))}
    assert asyncio.run(ask(past, {0: 2}, COUNT)) == found
    assert list(asyncio.run(ask(past, {0: 2}, COUNT, after="p0"))) == ["p1", "p2"]
    assert [path.name for path in (tmp_path / "past").iterdir()] == ["job%3A1"]
    asyncio.run(past.forget("job:1"))
    assert list((tmp_path / "past").iterdir()) == []
    with pytest.raises(Unavailable, match="has not been counted"):
        asyncio.run(anext(past.counted("job:1", "")))


def test_an_empty_archive_and_a_query_without_events_need_no_process(tmp_path: Path) -> None:
    past, _ = house(tmp_path / "empty", [])
    assert asyncio.run(ask(past, {0: 5}, COUNT)) == {}
    past, _ = house(tmp_path / "traits", [plain(1)])
    assert asyncio.run(ask(past, {0: 5}, "trait('vip') = 'true'")) == {}


def test_a_query_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    past, _ = house(tmp_path, [plain(1)])
    with pytest.raises(QueryError):
        asyncio.run(ask(past, {0: 1}, "event('A'"))


def test_the_archive_reaches_as_far_as_it_is_committed(tmp_path: Path) -> None:
    past, log = house(tmp_path, [plain(1)], partitions=2)
    assert asyncio.run(past.reaches({0: 1}))
    assert not asyncio.run(past.reaches({0: 2}))
    assert not asyncio.run(past.reaches({0: 1, 1: 3}))
    asyncio.run(log.commit(ARCHIVE_GROUP, PROCESSED, 1, 3))
    assert asyncio.run(past.reaches({0: 1, 1: 3}))


def test_a_file_that_cannot_be_read_is_told_and_nothing_is_kept_of_the_job(tmp_path: Path) -> None:
    past, _ = house(tmp_path, [plain(1)])
    [part] = (tmp_path / "archive").rglob("*.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unavailable, match="cannot be counted"):
        asyncio.run(ask(past, {0: 1}, COUNT))
    assert list((tmp_path / "past").iterdir()) == []
    part.write_bytes(whole)
    assert asyncio.run(ask(past, {0: 1}, COUNT)) == {"p1": {COUNT: [1]}}


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def test_a_count_whose_process_is_killed_is_told_and_begins_again(tmp_path: Path) -> None:
    past, _ = house(tmp_path, [plain(1)])

    async def killed() -> None:
        before = children()
        job = asyncio.create_task(ask(past, {0: 1}, COUNT))
        while not (new := children() - before):
            await asyncio.sleep(0.005)
        os.kill(new.pop(), signal.SIGKILL)
        with pytest.raises(Unavailable, match="ended before it was done"):
            await job

    asyncio.run(killed())
    assert list((tmp_path / "past").iterdir()) == []
    assert asyncio.run(ask(past, {0: 1}, COUNT)) == {"p1": {COUNT: [1]}}


def test_a_count_that_is_cancelled_ends_its_process(tmp_path: Path) -> None:
    past, _ = house(tmp_path, [plain(1)])

    async def cancelled() -> set[int]:
        before = children()
        job = asyncio.create_task(ask(past, {0: 1}, COUNT))
        while not children() - before:
            await asyncio.sleep(0.005)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        return children() - before

    assert asyncio.run(cancelled()) == set()
    assert list((tmp_path / "past").iterdir()) == []


def test_files_older_than_a_column_are_counted_with_those_that_have_it(tmp_path: Path) -> None:
    past, log = house(tmp_path, [plain(1), plain(2)])
    [part] = (tmp_path / "archive").rglob("*.parquet")
    pq.write_table(pq.read_table(part, partitioning=None).drop_columns(["profiles"]), part)
    assert asyncio.run(ask(past, {0: 2}, COUNT)) == {"p1": {COUNT: [2]}}
    asyncio.run(past.forget("job:1"))
    later = plain(3)
    header = msgspec.structs.replace(decode_processed(later.header), profiles=(("spc_9", "p1"), ("spc_1", "p5")))
    Archive(LocalFiles(tmp_path / "archive")).write(0, Chunk(2, [Record(b"", encode_header(header), later.value)]))
    asyncio.run(log.commit(ARCHIVE_GROUP, PROCESSED, 0, 3))
    assert asyncio.run(ask(past, {0: 3}, COUNT)) == {"p1": {COUNT: [2]}, "p5": {COUNT: [1]}}


def test_a_body_that_is_no_json_counts_without_its_properties(tmp_path: Path) -> None:
    broken = Record(b"", plain(1).header, b'{"event": "A", "properties": {"total": 1e999')
    files = LocalFiles(tmp_path)
    Archive(files).write(0, Chunk(0, [plain(2), broken]))
    [name] = files.sizes()
    path = tmp_path / "answer"
    wanted = [Wanted("sum", "event('A').sum(property('total'))", "USERS")]
    said: list[Said] = []
    count(Task([str(tmp_path / name)], "spc_1", wanted, {0: 9}, str(path), str(tmp_path), 256), said.append)
    compiled = compile_query(parse(wanted[0].query))
    assert compiled.value(answered(path)["p1"]["sum"], {}, NOW) == 2


def test_two_processes_share_the_profiles(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    Archive(files).write(0, Chunk(0, [plain(number, f"p{number % 10}") for number in range(50)]))
    [name] = files.sizes()
    answers: list[dict[str, Any]] = []
    for worker in range(2):
        path = tmp_path / f"answer{worker}"
        wanted = [Wanted("n", COUNT, "USERS")]
        task = Task([str(tmp_path / name)], "spc_1", wanted, {0: 50}, str(path), str(tmp_path), 256, worker, 2)
        count(task, lambda _said: None)
        answers.append(answered(path))
    assert all(answers)
    assert not answers[0].keys() & answers[1].keys()
    assert answers[0] | answers[1] == {f"p{number}": {"n": [5]} for number in range(10)}


def test_an_archive_elsewhere_is_counted_too(tmp_path: Path) -> None:
    house(tmp_path, [plain(1), plain(2)])
    log = MemoryLog()
    asyncio.run(log.commit(ARCHIVE_GROUP, PROCESSED, 0, 2))
    settings = WarehouseSettings(archive_url=f"file://{tmp_path / 'archive'}")
    total = "event('A').sum(property('total'))"
    found = asyncio.run(ask(ArchivedPast(log, settings, tmp_path / "here"), {0: 2}, total))
    assert compile_query(parse(total)).value(found["p1"][total], {}, NOW) == 3


def test_a_process_that_counts_ends_with_whoever_asked(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    Archive(files).write(0, Chunk(0, [plain(1)]))
    [name] = files.sizes()
    answer = tmp_path / "answer"
    os.mkfifo(answer)  # nobody reads it, so that the process cannot come to an end by itself
    task = Task([str(tmp_path / name)], "spc_1", [Wanted("n", COUNT, "USERS")], {0: 2}, str(answer), str(tmp_path), 256)

    async def orphaned() -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headwater.warehouse.counting"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        process.stdin.close()
        return await process.wait()

    assert asyncio.run(orphaned()) == 1
