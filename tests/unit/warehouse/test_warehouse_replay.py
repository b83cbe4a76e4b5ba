"""What a replay reads of the archive: which events, in which order, from which place on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headwater.eventlog import Chunk, Record
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.spec.replay import PastPage, Wanted
from headwater.warehouse.archive import Archive, Part, read_name, standing
from headwater.warehouse.files import ArchivePlace, LocalFiles, open_files
from headwater.warehouse.replay.choosing import stretches
from headwater.warehouse.replay.reading import Frame, Task, work

DAY = 86_400_000
ALL = Wanted(source_id="s1", since_ms=0, until_ms=10 * DAY)


def record(number: int, *, source: str = "s1", at: int = 0, kind: str = "track", **fields: Any) -> Record:
    body: dict[str, Any] = {"type": kind, "event": "E", "userId": "u1", "n": number} | fields
    user, name = str(body.get("userId") or ""), str(body.get("event") or "")
    header = ProcessedHeader(source, kind, name, f"m{number}", user, "a1", at, "prf_1")
    return Record(b"", encode_header(header), msgspec.json.encode(body))


def task(folder: Path, wanted: Wanted, place: Mapping[int, int], until: Mapping[int, int], *, files: int) -> Task:
    parts, _ = standing(part for name in LocalFiles(folder).sizes() if (part := read_name(name)) is not None)
    found = stretches(parts, wanted, place, until, files=files)
    archive = ArchivePlace(str(folder))
    return Task(wanted=wanted, stretches=found, archive=archive, memory_mb=256, spill=str(folder / "spill"))


def pages(
    folder: Path,
    wanted: Wanted = ALL,
    place: Mapping[int, int] | None = None,
    until: Mapping[int, int] | None = None,
    *,
    files: int = 64,
) -> list[PastPage]:
    said: list[Frame] = []
    asked = task(folder, wanted, place or {}, until or {0: 1_000, 1: 1_000}, files=files)
    work(asked, said.append)
    found = [frame.page for frame in said if frame.page is not None]
    assert work(msgspec.structs.replace(asked, count=True), said.append) == sum(len(page.items) for page in found)
    return found


def ids(found: list[PastPage]) -> list[str]:
    return [item.message_id for page in found for item in page.items]


def test_events_come_by_partition_and_position_whatever_day_they_are_of(tmp_path: Path) -> None:
    archive = Archive(LocalFiles(tmp_path))
    archive.write(1, Chunk(0, [record(100), record(101)]))
    archive.write(0, Chunk(0, [record(0), record(1, at=DAY), record(2), record(3, source="s2"), record(4, at=DAY)]))
    archive.write(0, Chunk(5, [record(5, at=DAY)]))
    found = pages(tmp_path)
    assert ids(found) == ["m0", "m1", "m2", "m4", "m5", "m100", "m101"]
    first = found[0].items[1]
    assert (first.type, first.name, first.position, first.received_at) == ("track", "E", 1, DAY)
    assert msgspec.json.decode(first.body)["n"] == 1


@pytest.mark.parametrize("files", [1, 64])
def test_every_place_leads_to_exactly_what_comes_after_it(tmp_path: Path, files: int) -> None:
    archive = Archive(LocalFiles(tmp_path))
    for number in range(20):
        archive.write(0, Chunk(number, [record(number, at=DAY * (number % 3))]))
    archive.tidy()
    archive.write(0, Chunk(20, [record(number) for number in range(20, 25)]))
    for place in (0, 1, 15, 16, 19, 20, 23, 24, 25):
        found = pages(tmp_path, place={0: place}, until={0: 24}, files=files)
        assert ids(found) == [f"m{number}" for number in range(place, 24)]


def test_pages_are_small_and_each_says_how_far_it_goes(tmp_path: Path) -> None:
    Archive(LocalFiles(tmp_path)).write(0, Chunk(0, [record(number) for number in range(1_200)]))
    found = pages(tmp_path, until={0: 1_200})
    assert [(len(page.items), page.next) for page in found] == [(500, 500), (500, 1_000), (200, 1_200)]


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({"since_ms": 5, "until_ms": 7}, [5, 6]),
        ({"types": ("page",)}, [8]),
        ({"names": ("Home", "Other")}, [7, 8]),
        ({"user": "u2"}, [3]),
        ({"user": "a1"}, list(range(10))),
        ({"user": "prf_1"}, list(range(10))),
        ({"condition": "n >= 8"}, [8, 9]),
        ({"condition": "event = 'E'", "user": "u2"}, [3]),
        ({"source_id": "s2"}, []),
    ],
)
def test_what_is_wanted_narrows(tmp_path: Path, narrowed: dict[str, Any], expected: list[int]) -> None:
    other: dict[int, dict[str, Any]] = {3: {"userId": "u2"}, 7: {"event": "Other"}}
    records = [record(number, at=number, **other.get(number, {})) for number in range(10)]
    records[8] = record(8, at=8, kind="page", name="Home", event=None)
    Archive(LocalFiles(tmp_path)).write(0, Chunk(0, records))
    found = pages(tmp_path, msgspec.structs.replace(ALL, **narrowed))
    assert ids(found) == [f"m{number}" for number in expected]


def test_a_body_that_cannot_be_read_meets_no_condition(tmp_path: Path) -> None:
    broken = Record(b"", record(0).header, b"\xff not json")
    Archive(LocalFiles(tmp_path)).write(0, Chunk(0, [broken, record(1)]))
    assert ids(pages(tmp_path)) == ["m0", "m1"]
    assert ids(pages(tmp_path, msgspec.structs.replace(ALL, condition="all"))) == ["m1"]


def test_an_archive_elsewhere_is_read_in_order_too(tmp_path: Path) -> None:
    place = ArchivePlace("", f"memory://{tmp_path.name}", (), str(tmp_path / "cache"), 1_000_000)
    archive = Archive(open_files(place))
    for number in range(3):
        archive.write(0, Chunk(2 * number, [record(2 * number, at=DAY * number), record(2 * number + 1)]))
    parts = [part for name, size in open_files(place).sizes().items() if (part := read_name(name, size)) is not None]
    said: list[Frame] = []
    found = stretches(parts, ALL, {0: 1}, {0: 6})
    work(Task(wanted=ALL, stretches=found, archive=place, memory_mb=256, spill=str(tmp_path)), said.append)
    assert ids([frame.page for frame in said if frame.page is not None]) == ["m1", "m2", "m3", "m4", "m5"]


def test_only_the_files_of_the_source_and_days_are_opened() -> None:
    parts = [
        Part(day, source, 0, first, first + 9)
        for first, day, source in ((0, "1970-01-01", "s1"), (10, "1970-01-02", "s1"), (20, "1970-01-02", "s2"))
    ]
    wanted = msgspec.structs.replace(ALL, since_ms=DAY, until_ms=2 * DAY)
    [stretch] = stretches(parts, wanted, {0: 12}, {0: 15})
    assert (stretch.first, stretch.end, list(stretch.sizes), stretch.mixed) == (12, 15, [parts[1].name], False)
