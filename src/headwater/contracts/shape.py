"""The one place that decides on which engines the houses of tests stand.

Embedded, which is the default: a log in memory or in files, and a store in SQLite. Distributed: a prefix of its own on
a Kafka, and a database of its own on a PostgreSQL, that a whole session of tests shares. The variable
`TEST_HOUSES_ON` names the two; processes that tests start inherit it. The scenarios are the same in both shapes.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection

from headwater.app.settings import child_environment
from headwater.eventlog import EventLog
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.backends.sqlite import SqliteLog
from headwater.eventlog.over import Over
from headwater.eventlog.streams import Stream
from headwater.store import Store

VARIABLE: Final = "TEST_HOUSES_ON"
_SECONDS: Final = 10.0
T = TypeVar("T")


class Engines(msgspec.Struct, frozen=True):
    """What the houses of a distributed session share.

    `kafka` is as in `bootstrap.servers`, `postgres` a URL without a database, `template` a database whose tables are
    made already.
    """

    kafka: str
    postgres: str
    template: str

    def log_url(self, prefix: str) -> str:
        """`log.url` of a house."""
        return f"kafka://{self.kafka}/{prefix}"

    def store_url(self, database: str) -> str:
        """`store.url` of a house."""
        return f"{self.postgres}/{database}"


Mark = tuple[int, int, int]
_prefixes: Final[list[str]] = []
_databases: Final[list[str]] = []
_logs: Final[list[HouseLog]] = []
"""What this process made on the engines, in order."""


def engines() -> Engines | None:
    """The engines of this session; None when its houses are embedded."""
    text = child_environment().get(VARIABLE)
    return msgspec.json.decode(text, type=Engines) if text else None


def as_variable(found: Engines) -> str:
    """The variable's text."""
    return msgspec.json.encode(found).decode()


def open_store(folder: Path) -> Store:
    """The store of the house in a folder: the same one each time."""
    found = engines()
    if found is None:
        return Store.in_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return Store(found.store_url(_database(found, folder)).replace("postgresql://", "postgresql+psycopg://", 1))


def bytes_of_store(store: Store) -> bytes:
    """Everything that a store keeps, to look for what it must not: a file's bytes, or each row as text."""
    if not store.shared:
        file = Path(store.url.removeprefix("sqlite:///"))
        return b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))

    def rows(connection: Connection) -> str:
        names = sa.inspect(connection).get_table_names()
        return "\n".join(str(connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()) for name in names)

    return store.run(rows, write=False).encode()


def lose_store(store: Store) -> None:
    """Make what a store needs be gone while a house runs: its tables' names, or the database."""
    found = engines()
    if found is None:
        store.run(lambda connection: connection.exec_driver_sql("ALTER TABLE tokens RENAME TO elsewhere"))
    else:
        _drop(found, store.url.rpartition("/")[2])


def open_kept_log(folder: Path, *, partitions: int = 1) -> EventLog:
    """A log that outlives its process, of the house in a folder: the same one each time."""
    found = engines()
    if found is None:
        return SqliteLog(folder / "log", partitions=partitions)
    return _kafka_log(found.log_url(_prefix(folder)), partitions)


def house_settings(folder: Path) -> dict[str, str]:
    """Settings of a whole house in a folder, as the environment names them without the prefix."""
    found = engines()
    if found is None:
        return {}
    return {"LOG_URL": found.log_url(_prefix(folder)), "STORE_URL": found.store_url(_database(found, folder))}


class HouseLog(Over):
    """A new log for a house in this process, whose verbs a double may change. Embedded it is in memory."""

    def __init__(self, *, partitions: int = 1) -> None:
        found = engines()
        self._partitions = range(partitions)
        self._logs: list[EventLog] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._url = ""
        if found is None:
            self._logs.append(MemoryLog(partitions=partitions))
        else:
            prefix = f"t{uuid.uuid4().hex[:16]}"
            self._url = found.log_url(prefix)
            _prefixes.append(prefix)
            _logs.append(self)

    @property
    def log(self) -> EventLog:
        """A log on Kafka belongs to one event loop; a test may ask of its house in several, one after the other."""
        if self._url and self._loop is not asyncio.get_running_loop():
            self._loop = asyncio.get_running_loop()
            self._logs.append(_kafka_log(self._url, len(self._partitions)))
        return self._logs[-1]

    def partitions(self, stream: Stream) -> range:
        return self._partitions

    async def close(self) -> None:
        for log in self._logs:
            await log.close()


def mark() -> Mark:
    """Where the list of what was made stands now, for `remove_since`."""
    return len(_prefixes), len(_databases), len(_logs)


def remove_since(since: Mark) -> bool:
    """Close and remove what was made on the engines after a mark. Returns whether there was something."""
    found = engines()
    prefixes, databases, logs = _cut(_prefixes, since[0]), _cut(_databases, since[1]), _cut(_logs, since[2])
    if found is None:
        return False
    for log in logs:
        asyncio.run(asyncio.wait_for(log.close(), _SECONDS))
    if prefixes:
        _remove_streams(found, prefixes)
    for database in databases:
        _drop(found, database)
    return bool(prefixes or databases)


def _remove_streams(found: Engines, prefixes: Sequence[str]) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": found.kafka, "log_level": 0})
    names = [name for name in admin.list_topics(timeout=_SECONDS).topics if name.partition(".")[0] in prefixes]
    if names:
        for removed in admin.delete_topics(names).values():
            removed.result()


def _kafka_log(url: str, partitions: int) -> EventLog:
    from headwater.eventlog.backends.kafka import KafkaLog
    from headwater.eventlog.kafka.reach import reach

    return KafkaLog(reach(url), partitions=partitions)


def _cut(these: list[T], start: int) -> list[T]:
    taken = these[start:]
    del these[start:]
    return taken


def _prefix(folder: Path) -> str:
    prefix = _name(folder)
    if prefix not in _prefixes:
        _prefixes.append(prefix)
    return prefix


def _database(found: Engines, folder: Path) -> str:
    database = _name(folder)
    if database not in _databases:
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with suppress(psycopg.errors.DuplicateDatabase):
            _execute(found, make.format(sql.Identifier(database), sql.Identifier(found.template)))
        _databases.append(database)
    return database


def _drop(found: Engines, database: str) -> None:
    _execute(found, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def _name(folder: Path) -> str:
    return "h" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def _execute(found: Engines, statement: sql.Composed) -> None:
    with psycopg.connect(f"{found.postgres}/postgres", autocommit=True) as connection:
        connection.execute(statement)
