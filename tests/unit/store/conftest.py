"""Stores to test: SQLite always, and PostgreSQL where it is installed."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.store import Store


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[sa.URL]:
    """The server's own database."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        if url is None:
            pytest.skip(WHY_NOT)
        yield sa.make_url(url).set(drivername="postgresql+psycopg")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Store]:
    """A store without tables, once on each engine."""
    if request.param == "sqlite":
        store = Store.in_folder(tmp_path)
    else:
        server: sa.URL = request.getfixturevalue("postgres_url")
        name = f"test_{uuid.uuid4().hex}"
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        store = Store(server.set(database=name).render_as_string(hide_password=False))
    yield store
    store.close()


@pytest.fixture(params=["at once", "step by step"])
def migrated(request: pytest.FixtureRequest, empty_store: Store) -> Store:
    """A store with its tables, made in both ways on each engine."""
    empty_store.migrate(step_by_step=request.param == "step by step")
    return empty_store


@pytest.fixture
def store(empty_store: Store) -> Store:
    """A store with its tables, once on each engine."""
    empty_store.migrate()
    return empty_store
