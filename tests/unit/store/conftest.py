"""Stores to test: SQLite always, and PostgreSQL where its own programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from headwater.store import Store


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    """A PostgreSQL server of its own, reached by a socket in its folder; root hands it to the user postgres."""
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("initdb and pg_ctl of PostgreSQL are not on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="headwater-postgres-"))
    user = None
    if os.geteuid() == 0:
        user = "postgres"
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def run(*command: str) -> None:
        subprocess.run(
            command, check=True, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=60, cwd=folder
        )

    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-A", "trust", "-U", "headwater", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://headwater@/{{name}}?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Store]:
    """A store without tables, once on each engine."""
    if request.param == "sqlite":
        store = Store.in_folder(tmp_path)
    else:
        url: str = request.getfixturevalue("postgres_url")
        name = f"test_{abs(hash(request.node.nodeid))}"
        engine = sa.create_engine(url.format(name="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        store = Store(url.format(name=name))
    yield store
    store.close()


@pytest.fixture
def store(empty_store: Store) -> Store:
    """A store with its tables, once on each engine."""
    empty_store.migrate()
    return empty_store
