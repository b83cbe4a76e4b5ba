"""The wiring, written once: from settings to open things, closed again in reverse."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.exc import ArgumentError, IntegrityError

from headwater.app.folder import make
from headwater.app.shapes import FirstStart
from headwater.eventlog import EventLog
from headwater.eventlog.shifted import shifted
from headwater.spec.errors import SenderError, SetupError
from headwater.spec.settings import Settings
from headwater.store import Store, moved, sealing, tokens
from headwater.store import workspace as workspaces
from headwater.store.secrets import Secrets
from headwater.store.snapshot import Snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


MOVED = "moved"
"""The file in a data folder that says where its house went (app/moving)."""

_OPEN_SECRETS = ("deliver", "warehouse", "manage")


class House(msgspec.Struct, frozen=True):
    """Everything that is open: handed to the roles, which take from it what they use."""

    settings: Settings
    folder: Path
    store: Store
    log: EventLog
    secrets: Secrets
    snapshot: Snapshot


def open_store(settings: Settings) -> Store:
    """The store that the settings name."""
    if not settings.store.url:
        return Store.in_folder(Path(settings.data))
    url = settings.store.url
    for short in ("postgresql://", "postgres://"):
        if url.startswith(short):
            url = "postgresql+psycopg://" + url.removeprefix(short)
    try:
        return Store(url, pool_size=settings.store.pool_size)
    except (ArgumentError, ImportError) as error:
        raise SetupError(
            "store.url is none of a store: leave it empty, or give postgresql://user@host/name."
        ) from error


def open_log(settings: Settings) -> EventLog:
    """The event log that the settings name. Raises SetupError for a kind that does not exist."""
    check_log(settings)
    kind = _kind(settings)
    if kind == "":
        from headwater.eventlog.backends.sqlite import SqliteLog

        return SqliteLog(
            Path(settings.data) / "log",
            partitions=settings.log.partitions,
            segment_bytes=settings.log.segment_bytes,
            segment_seconds=settings.log.segment_seconds,
            min_free_bytes=settings.log.min_free_bytes,
        )
    if kind == "memory":
        from headwater.eventlog.backends.memory import MemoryLog

        return MemoryLog(partitions=settings.log.partitions)
    from headwater.eventlog.backends.kafka import KafkaLog
    from headwater.eventlog.kafka.reach import reach

    log = settings.log
    return KafkaLog(
        reach(log.url, log.kafka, log.instance),
        partitions=log.partitions,
        replication=log.replication,
        stream_settings=log.stream_settings,
    )


def check_log(settings: Settings) -> None:
    """Raises SetupError when the settings name no event log that exists. Nothing is opened."""
    kind = _kind(settings)
    if kind == "kafka":
        from headwater.eventlog.kafka.reach import reach

        reach(settings.log.url, settings.log.kafka)
    elif kind not in ("", "memory"):
        raise SetupError(
            f"There is no event log of the kind {kind}://; give kafka://host:port/prefix, or leave log.url empty for "
            "files in the data folder."
        )


def _kind(settings: Settings) -> str:
    return settings.log.url.partition(":")[0]


def prepare(settings: Settings) -> FirstStart | None:
    """Make the folder, the tables and the first workspace where they are missing. Safe to repeat and to race.

    Returns the keys that the first start made, or None when there was a workspace already. Raises SetupError when the
    data folder cannot be used, or lacks the key that sealed the store's secrets.
    """
    make(Path(settings.data))
    _check_not_moved(settings)
    store = open_store(settings)
    try:
        store.migrate()
        first = made_by_one(store, lambda connection: _first_start(connection, settings))
        if not key_file(settings).exists() and not _shared(settings) and (key := store.run(sealing.noted, write=False)):
            raise sealing.missing(key_file(settings), key)
        keys = _secrets(settings)
        if key_file(settings).exists():
            store.run(lambda connection: sealing.check(connection, keys, key_file(settings)))
        return first
    finally:
        store.close()


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncGenerator[House]:
    """Open a prepared house; everything is closed again on the way out."""
    if settings.catalogue.folder:
        from headwater import catalogue

        catalogue.use(settings.catalogue.folder)
    store = open_store(settings)
    try:
        starts = store.run(moved.starts, write=False)
        log = shifted(open_log(settings), starts)
        try:
            yield House(
                settings,
                _folder(settings),
                store,
                log,
                _secrets(settings),
                await Snapshot.take(store),
            )
        finally:
            await log.close()
    finally:
        store.close()


def _folder(settings: Settings) -> Path:
    return Path(settings.data).absolute()


def key_file(settings: Settings) -> Path:
    """Where the keys are that seal secrets at rest."""
    return Path(settings.key_file).absolute() if settings.key_file else _folder(settings) / "secret.key"


def _check_not_moved(settings: Settings) -> None:
    """The files of a house that was moved are not opened again: events would be dealt with in both places."""
    note = Path(settings.data) / MOVED
    if not settings.store.url and note.exists():
        raise SetupError(
            f"This house was moved to {note.read_text().strip()}. Start it there with --log and --store; to go on here "
            f"nonetheless, delete {note}."
        )


def require_keys(settings: Settings, roles: Iterable[str]) -> None:
    """Raises SetupError when a role that opens secrets would run without the keys that sealed them elsewhere."""
    needing = [role for role in roles if role in _OPEN_SECRETS]
    if needing and _shared(settings) and not key_file(settings).exists():
        raise SetupError(
            f"The role {needing[0]} needs the keys that seal secrets, and {key_file(settings)} does not exist. Copy "
            "secret.key from the data folder of the machine that made it at the first start, and name it with key_file."
        )


def _shared(settings: Settings) -> bool:
    """May other machines use this store?"""
    return bool(settings.store.url) and not settings.store.url.startswith("sqlite")


def _secrets(settings: Settings) -> Secrets:
    """The keys of this house. Where a store has many machines, only the first start makes some.

    A role that needs none runs with a key that opens nothing.
    """
    path = key_file(settings)
    if _shared(settings) and not path.exists():
        return Secrets([secrets.token_bytes(32)])
    return Secrets.from_file(path)


def made_by_one(store: Store, first_start: Callable[[Connection], FirstStart | None]) -> FirstStart | None:
    """Make the first workspace, or None when another process made it at the same moment."""
    try:
        return store.run(first_start)
    except (SenderError, IntegrityError):
        if store.run(workspaces.version, write=False) < 0:
            raise
        return None


def _first_start(connection: Connection, settings: Settings) -> FirstStart | None:
    if workspaces.version(connection) >= 0:
        return None
    made = FirstStart(
        settings.write_key or workspaces.new_write_key(),
        settings.admin_token or tokens.new_token(),
    )
    workspaces.create_workspace(connection, slug="headwater", name="Headwater")
    sealing.note(connection, Secrets.from_file(key_file(settings)).newest)
    workspaces.create_source(connection, slug="first_source", name="First source", write_key=made.write_key)
    workspaces.create_space(connection, slug="default", name="Default")
    if settings.warehouse.default_duckdb:
        workspaces.create_warehouse(connection, engine="duckdb", name="DuckDB")
    tokens.create_token(connection, name="Admin", scopes=[tokens.ADMIN], token=made.admin_token)
    return made
