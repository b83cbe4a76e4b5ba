"""The store keeps its promises on SQLite, and on PostgreSQL where it is installed."""

import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from headwater.contracts.postgres import WHY_NOT, postgres_server
from headwater.contracts.store import PROMISES, Promise
from headwater.store import Store

every_promise = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        if url is None:
            pytest.skip(WHY_NOT)
        yield url.replace("postgresql://", "postgresql+psycopg://", 1)


@every_promise
def test_sqlite_keeps(promise: Promise, tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    store.migrate()
    promise(store)
    store.close()


@every_promise
def test_postgresql_keeps(promise: Promise, postgres: str) -> None:
    name = f"store_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    store = Store(postgres.rpartition("/")[0] + f"/{name}")
    store.migrate()
    promise(store)
    store.close()
    engine.dispose()
