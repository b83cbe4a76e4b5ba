"""Copies of an archive that is elsewhere: bounded, whole, and promised to those who read them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headwater.spec.errors import SetupError
from headwater.spec.settings import WarehouseSettings
from headwater.warehouse.files import ArchivePlace, LocalFiles, open_files, options_of, place_of
from headwater.warehouse.remote import CachedFiles, CacheFull, FileCache, RemoteFiles

NAME = "day=2026-01-0{}/source=s/part-0-{}-9.parquet"


def content(size: int = 100) -> bytes:
    return b"PAR1" + b"x" * (size - 8) + b"PAR1"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def elsewhere(tmp_path: Path) -> RemoteFiles:
    return RemoteFiles(f"memory://{tmp_path.name}")


def copies(folder: Path) -> int:
    return len(list(folder.rglob("*.parquet")))


def test_a_file_is_fetched_once_and_what_is_written_need_not_be(tmp_path: Path, elsewhere: RemoteFiles) -> None:
    files = CachedFiles(elsewhere, FileCache(tmp_path, "memory://a", 1_000))
    one, other = NAME.format(1, 0), NAME.format(1, 5)
    files.write(one, content())
    elsewhere.write(other, content())
    assert files.sizes() == {one: 100, other: 100}
    assert copies(tmp_path) == 1
    paths = files.paths(files.sizes(), seconds=10)
    assert [Path(path).read_bytes() for path in paths] == [content()] * 2
    elsewhere.remove(other)
    assert files.paths({other: 100}, seconds=10) == [paths[1]]
    files.remove(one)
    assert copies(tmp_path) == 1
    with pytest.raises(OSError, match="part-0-0"):
        files.paths({one: 100}, seconds=10)


def test_copies_used_longest_ago_make_room_and_promised_ones_never(tmp_path: Path, elsewhere: RemoteFiles) -> None:
    clock = Clock()
    cache = FileCache(tmp_path, "memory://a", 300, clock=clock)
    files = CachedFiles(elsewhere, cache)
    names = [NAME.format(1, number) for number in range(5)]
    for name in names:
        elsewhere.write(name, content())
    for name in names[:3]:
        files.paths({name: 100}, seconds=1)
        clock.now += 10
    files.paths({names[0]: 100}, seconds=60)
    files.paths({names[3]: 100}, seconds=60)
    assert [cache.find(name) is not None for name in names] == [True, False, True, True, False]
    with pytest.raises(CacheFull, match="do not fit"):
        files.paths({names[1]: 100, names[4]: 100}, seconds=1)
    with pytest.raises(CacheFull, match="cache_bytes"):
        files.paths({"large": 1_000}, seconds=1)
    clock.now += 100
    files.paths({names[1]: 100, names[4]: 100}, seconds=1)
    assert copies(tmp_path) == 3


def test_half_a_file_is_not_taken_for_it(tmp_path: Path, elsewhere: RemoteFiles) -> None:
    files = CachedFiles(elsewhere, FileCache(tmp_path, "memory://a", 1_000))
    elsewhere.write(NAME.format(1, 0), content()[:50])
    with pytest.raises(OSError, match="did not come whole"):
        files.paths(files.sizes(), seconds=10)
    assert list(tmp_path.rglob("*.*")) == []


def test_a_listing_is_asked_for_again_when_the_state_is_another(tmp_path: Path, elsewhere: RemoteFiles) -> None:
    files = CachedFiles(elsewhere, FileCache(tmp_path, "memory://a", 1_000))
    assert files.sizes((0, 1)) == {}
    elsewhere.write(NAME.format(1, 0), content())
    assert files.sizes((0, 1)) == {}
    assert len(files.sizes((0, 2))) == 1
    assert len(files.sizes()) == 1


def test_whatever_a_driver_raises_says_that_the_place_is_away(tmp_path: Path, elsewhere: RemoteFiles) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no credentials")

    elsewhere.filesystem = SimpleNamespace(invalidate_cache=fail)
    with pytest.raises(OSError, match="RuntimeError: no credentials"):
        elsewhere.sizes()
    with pytest.raises(SetupError, match="archive_url"):
        RemoteFiles("gopher://x")


def test_the_place_of_the_archive_follows_from_the_settings(tmp_path: Path) -> None:
    assert place_of(WarehouseSettings(), tmp_path) == ArchivePlace(str(tmp_path / "archive"))
    shared = place_of(WarehouseSettings(archive_url="file:///mnt/the%20archive"), tmp_path)
    assert isinstance(open_files(shared), LocalFiles)
    assert shared.folder == "/mnt/the archive"
    options = ("endpoint_url=http://minio:9000", "client_kwargs.region_name=eu-west-1", "anon=true", "secret=a=b")
    assert options_of(options) == {
        "endpoint_url": "http://minio:9000",
        "client_kwargs": {"region_name": "eu-west-1"},
        "anon": True,
        "secret": "a=b",
    }
