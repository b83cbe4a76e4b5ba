"""The archive's names, its tidying, and what it makes of an interrupted write."""

from pathlib import Path

import pyarrow.parquet as pq

from headwater.eventlog import Chunk, Record
from headwater.spec.event import ProcessedHeader, encode_header
from headwater.warehouse.archive import Archive, Part, read_name, standing
from headwater.warehouse.files import LocalFiles
from headwater.warehouse.remote import CachedFiles, FileCache, RemoteFiles

DAY = 86_400_000


def record(number: int, *, source_id: str = "s1", received_at: int = 0, value: bytes | None = None) -> Record:
    header = ProcessedHeader(source_id, "track", "E", f"m{number}", "u1", "", received_at)
    return Record(b"", encode_header(header), value or b'{"event":"E","groupId":"g"}')


def ids(files: LocalFiles | CachedFiles, folder: Path) -> list[str]:
    parts = [read_name(name) for name in files.sizes()]
    kept, _ = standing(part for part in parts if part is not None)
    tables = [pq.read_table(folder / part.name, partitioning=None) for part in kept]
    return [one for table in tables for one in table["message_id"].to_pylist()]


def test_a_part_can_be_told_by_its_name() -> None:
    part = Part("2024-01-01", "a/b c", 3, 10, 19)
    assert part.name == "day=2024-01-01/source=a%2Fb%20c/part-3-10-19.parquet"
    assert read_name(part.name) == part
    assert read_name("day=2024-01-01/source=x/.part-3-10-19.parquet.new") is None


def test_events_are_filed_by_day_and_source(tmp_path: Path) -> None:
    archive = Archive(LocalFiles(tmp_path))
    archive.write(0, Chunk(5, [record(1), record(2, source_id="s2"), record(3, received_at=DAY)]))
    assert sorted(LocalFiles(tmp_path).sizes()) == [
        "day=1970-01-01/source=s1/part-0-5-7.parquet",
        "day=1970-01-01/source=s2/part-0-5-7.parquet",
        "day=1970-01-02/source=s1/part-0-5-7.parquet",
    ]
    [row] = pq.read_table(tmp_path / "day=1970-01-02/source=s1/part-0-5-7.parquet", partitioning=None).to_pylist()
    assert (row["message_id"], row["position"], row["group_id"], row["type"]) == ("m3", 7, "g", "track")


def test_a_record_that_is_not_json_is_archived_all_the_same(tmp_path: Path) -> None:
    Archive(LocalFiles(tmp_path)).write(0, Chunk(0, [record(1, value=b"\xff not json")]))
    [name] = LocalFiles(tmp_path).sizes()
    assert pq.read_table(tmp_path / name, partitioning=None)["body"].to_pylist() == ["\ufffd not json"]


def test_many_small_files_become_one_and_no_event_shows_twice(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    archive = Archive(files)
    for number in range(20):
        archive.write(0, Chunk(number, [record(number)]))
    archive.tidy()
    assert ids(files, tmp_path) == [f"m{number}" for number in range(20)]
    assert len(files.sizes()) == 21
    archive.drop_covered(archive.covered)
    assert list(files.sizes()) == ["day=1970-01-01/source=s1/part-0-0-19.parquet"]
    archive.write(0, Chunk(20, [record(20)]))
    assert ids(files, tmp_path) == [f"m{number}" for number in range(21)]


def test_covered_files_of_a_process_that_died_are_found_again(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    archive = Archive(files)
    for number in range(16):
        archive.write(0, Chunk(number, [record(number)]))
    archive.tidy()
    later = Archive(files)
    later.look([0])
    assert len(later.covered) == 16
    assert later.end(0) == 16


def test_files_that_a_late_worker_wrote_across_others_are_put_together_once_all_are_passed(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    archive = Archive(files)
    archive.write(0, Chunk(0, [record(0), record(1)]))
    archive.write(0, Chunk(2, [record(2), record(3), record(4)]))
    Archive(files).write(0, Chunk(1, [record(1), record(2), record(3)]))
    archive.look([0])
    archive.tidy(4)
    assert archive.covered == []
    archive.tidy(5)
    assert ids(files, tmp_path) == [f"m{number}" for number in range(5)]
    assert [part.name[-12:] for part in archive.covered] == [
        f"0-{where}.parquet"[-12:] for where in ("0-1", "1-3", "2-4")
    ]
    archive.write(0, Chunk(5, [record(5)]))
    archive.tidy(6)
    assert ids(files, tmp_path) == [f"m{number}" for number in range(6)]


def test_a_range_that_was_begun_is_known_until_the_cursor_passes_it(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    Archive(files).write(0, Chunk(0, [record(0), record(1)]))
    Archive(files).write(0, Chunk(2, [record(2), record(3)]))
    archive = Archive(files)
    archive.look([0])
    assert archive.unfinished(0, 2) == 3
    assert archive.unfinished(0, 4) is None
    assert archive.unfinished(1, 0) is None


def test_an_unfinished_file_is_not_seen(tmp_path: Path) -> None:
    folder = tmp_path / "day=1970-01-01" / "source=s1"
    folder.mkdir(parents=True)
    (folder / ".part-0-0-1.parquet.new").write_bytes(b"half")
    assert LocalFiles(tmp_path).sizes() == {}


def test_fsspec_keeps_the_same_files(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/remote"
    files = CachedFiles(RemoteFiles(url), FileCache(tmp_path / "cache", url, 1_000_000))
    assert files.sizes() == {}
    archive = Archive(files)
    for number in range(16):
        archive.write(0, Chunk(number, [record(number)]))
    archive.tidy()
    archive.drop_covered(archive.covered)
    files.remove("day=1970-01-01/source=s1/part-0-0-0.parquet")
    assert list(files.sizes()) == ["day=1970-01-01/source=s1/part-0-0-15.parquet"]
    assert ids(files, tmp_path / "remote") == [f"m{number}" for number in range(16)]


def test_files_older_than_a_column_are_put_together_with_those_that_have_it(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    archive = Archive(files)
    for number in range(16):
        archive.write(0, Chunk(number, [record(number)]))
    for name in list(files.sizes())[:8]:
        old = pq.read_table(tmp_path / name, partitioning=None).drop_columns(["profiles"])
        pq.write_table(old, tmp_path / name)
    archive.tidy()
    assert sorted(ids(files, tmp_path)) == sorted(f"m{number}" for number in range(16))


def test_the_profiles_of_several_spaces_are_archived(tmp_path: Path) -> None:
    found = (("spc_1", "p1"), ("spc_2", "p2"))
    header = ProcessedHeader("s1", "track", "E", "m1", "u1", "", 0, "p1", profiles=found)
    Archive(LocalFiles(tmp_path)).write(0, Chunk(0, [Record(b"", encode_header(header), b"{}"), record(2)]))
    [name] = LocalFiles(tmp_path).sizes()
    told = pq.read_table(tmp_path / name, partitioning=None)["profiles"].to_pylist()
    assert told == ['{"spc_1":"p1","spc_2":"p2"}', None]
