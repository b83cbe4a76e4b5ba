"""DuckDB files are free between loads, whatever became of the load before."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headwater.spec.errors import SetupError
from headwater.warehouse.attaching import attached

LOOK = "import duckdb, sys; duckdb.connect(sys.argv[1], read_only=True)"


def free(path: Path) -> bool:
    """Can another process open the file?"""
    return subprocess.run([sys.executable, "-c", LOOK, str(path)], capture_output=True, check=False).returncode == 0


def test_others_may_open_the_file_between_loads_and_not_in_one(tmp_path: Path) -> None:
    path = tmp_path / "it's new" / "w.duckdb"
    with attached(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
        assert not free(path)
    assert free(path)
    with attached(path) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_load_that_fails_leaves_nothing_and_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with pytest.raises(KeyError), attached(path) as connection:
        connection.begin()
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
        raise KeyError
    with attached(path) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_two_threads_have_a_file_one_after_the_other(tmp_path: Path) -> None:
    path, inside, go = tmp_path / "w.duckdb", threading.Event(), threading.Event()
    found: list[tuple[int]] = []

    def second() -> None:
        inside.wait()
        go.set()
        with attached(tmp_path / "." / "w.duckdb") as connection:
            found.extend(connection.execute("SELECT x FROM t").fetchall())

    thread = threading.Thread(target=second)
    thread.start()
    with attached(path) as connection:
        inside.set()
        go.wait()
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    thread.join()
    assert found == [(1,)]


def test_more_files_than_are_kept_can_be_written_in_turn(tmp_path: Path) -> None:
    for _ in range(2):
        for number in range(6):
            with attached(tmp_path / f"{number}.duckdb") as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER); INSERT INTO t VALUES (1)")
    with attached(tmp_path / "0.duckdb") as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


def test_a_folder_is_no_file_for_a_warehouse(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be opened"), attached(tmp_path):
        pass
