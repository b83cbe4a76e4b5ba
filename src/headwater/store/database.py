"""Opening the database, transactions, and retries of transactions that lost a race."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as OutOfConnections

from headwater.spec.errors import Unavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger("headwater.store")
T = TypeVar("T")
_TRIES = 8
_FOLD_PAGES = 1_000
_FOLD_PAGES_AWAITED = 8_000
"""How large SQLite's write-ahead log may be before the transaction that ends also brings it into the file. The ledger
is written twice a second, so somebody does before those that events wait for have to.
"""
_CACHE = "cache_size=-8000"
"""In KiB for each connection, filled as it is used: the upper pages of the trees of a million profiles fit into it.

Of several connections the one that was used last is taken first, as its pages are there.
"""

_SERVER = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c statement_timeout=60s -c lock_timeout=10s -c idle_in_transaction_session_timeout=15s",
}
"""How a server is spoken to, unless the URL says otherwise (libpq's names and units).

A network that is cut fails a statement within some fifteen seconds instead of holding its thread for ever. A process
that stops in the middle of a transaction holds its locks no longer than that, so that others can take over.
"""

_POOL_SECONDS = 10.0
_LOST_A_RACE = {"40001", "40P01", "CR000"}
_MADE_MEANWHILE = {"42P07", "42701", "42710", "23505"} | _LOST_A_RACE
"""What a migration meets when another does the same, on a server without the locks that keep them apart."""

_NOT_NOW = {"25006", "25P03"}
"""A server that only reads by now, and one that cut off a transaction."""


class Store:
    """A database of the house. Safe to use from several threads and, for the same URL, several processes.

    `shared` says that processes of other machines, and several of one role, may use it too. PostgreSQL's text holds no
    NUL, which events may: there it is kept, and sought, as U+FFFD. Errors do not show what was to be written.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        """`url` is an SQLAlchemy URL: `sqlite:////path/store.sqlite` or `postgresql+psycopg://user@host/name`."""
        self.url = url
        self.shared = not url.startswith("sqlite")
        if not self.shared:
            connect = {"timeout": 30.0}
            self._engine = sa.create_engine(
                url, pool_size=pool_size, pool_use_lifo=True, connect_args=connect, hide_parameters=True
            )
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        else:
            given = sa.engine.make_url(url).query
            connect = {name: value for name, value in _SERVER.items() if name not in given}
            self._engine = sa.create_engine(
                url,
                pool_size=pool_size,
                pool_pre_ping=True,
                pool_timeout=_POOL_SECONDS,
                connect_args=connect,
                hide_parameters=True,
            )
            event.listen(self._engine, "connect", _prepare_postgresql)

    @classmethod
    def in_folder(cls, folder: Path) -> Store:
        """The embedded store: one SQLite file in a folder, which is made if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite:///{folder / 'store.sqlite'}")

    def migrate(self, *, step_by_step: bool = False) -> None:
        """Bring the tables to this version; several processes may ask at once.

        `step_by_step` takes an empty database through the whole history instead of making the tables as they are now.
        """
        from headwater.store.migrations import upgrade

        for attempt in range(_TRIES):
            try:
                upgrade(self._engine, step_by_step=step_by_step)
            except DBAPIError as error:
                if _state(error) not in _MADE_MEANWHILE or attempt == _TRIES - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
            else:
                return

    def run(self, change: Callable[[Connection], T], *, write: bool = True, awaited: bool = False) -> T:
        """Run a function in one transaction, again if it lost a race. Blocks; `read` and `write` do not.

        `awaited` says that events wait for it: bringing SQLite's write-ahead log into the file is left to others.
        Raises Unavailable when the database cannot be reached or is full.
        """
        for attempt in range(_TRIES):
            try:
                options = {"headwater_write": write, "headwater_awaited": awaited}
                with self._engine.connect().execution_options(**options) as connection, connection.begin():
                    return change(connection)
            except OutOfConnections as error:
                raise Unavailable("The store has no connection free.", retry_after=1.0) from error
            except DBAPIError as error:
                if not _is_race(error) or attempt == _TRIES - 1:
                    if _state(error) in _NOT_NOW:
                        self._engine.dispose()
                    if isinstance(error, OperationalError) or error.connection_invalidated or _state(error) in _NOT_NOW:
                        raise self._away(error) from error
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, no secret
        raise AssertionError("the last try returns or raises")

    def _away(self, error: DBAPIError) -> Unavailable:
        """What is said of a database that does not answer. A server's own words name its host and user: these are for
        the log, because whoever has not signed in hears the rest.
        """
        if self.url.startswith("sqlite"):
            return Unavailable(f"The store does not answer: {error.orig}", retry_after=1.0)
        log.warning("the store does not answer: %s", error.orig)
        return Unavailable("The store does not answer; the log says why.", retry_after=1.0)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a function that only reads, off the event loop."""
        return await asyncio.to_thread(self.run, query, write=False)

    async def write(self, change: Callable[[Connection], T], *, awaited: bool = False) -> T:
        """Run a function that changes something, off the event loop; it may be run again if it loses a race."""
        return await asyncio.to_thread(self.run, change, awaited=awaited)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _is_race(error: DBAPIError) -> bool:
    return _state(error) in _LOST_A_RACE or "database is locked" in str(error.orig)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", _CACHE):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    connection.adapters.register_dumper(str, _text_dumper())


@cache
def _text_dumper() -> type:
    from psycopg.types.string import StrDumperUnknown

    class Text(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    return Text


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("headwater_write", True):
        connection.exec_driver_sql("BEGIN")
        return
    pages = _FOLD_PAGES_AWAITED if options.get("headwater_awaited") else _FOLD_PAGES
    connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={pages}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
