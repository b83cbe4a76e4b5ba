"""What of the data folder takes how much room."""

from pathlib import Path

import pytest

from headwater.manage.disk import Disk, disk_of, rooms


def test_the_parts_of_a_data_folder(tmp_path: Path) -> None:
    files = {
        "store.sqlite": 1,
        "store.sqlite-wal": 2,
        "secret.key": 4,
        "log/log.sqlite": 8,
        "log/collected-0000/000.sqlite": 16,
        "log/processed-0000/000.sqlite": 32,
        "log/processed-0001/000.sqlite": 64,
        "archive/day=2026-01-31/source=s/part-0-0-9.parquet": 128,
        "seen/0/000004.sst": 256,
        "warehouse/w1.duckdb": 512,
        "warehouse/w1.duckdb.wal": 1_024,
    }
    for name, size in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    assert {one.part: (one.files, one.size) for one in rooms(tmp_path)} == {
        "store": (2, 3),
        "other": (1, 4),
        "log": (1, 8),
        "log/collected": (1, 16),
        "log/processed": (2, 96),
        "archive/2026-01-31": (1, 128),
        "dedup": (1, 256),
        "warehouse/w1.duckdb": (2, 1_536),
    }
    assert 0 < disk_of(tmp_path).free < disk_of(tmp_path).total


@pytest.mark.parametrize(
    ("free", "total", "short"),
    [(50, 100, True), (50 * 10**9, 100 * 10**9, False), (9 * 10**9, 100 * 10**9, True), (999_999_999, 2 * 10**9, True)],
)
def test_a_disk_is_short_below_a_tenth_or_a_gigabyte(free: int, total: int, short: bool) -> None:
    assert Disk(free, total).short is short
