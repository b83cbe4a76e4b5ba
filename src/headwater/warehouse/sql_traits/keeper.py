"""The loop: runs the SQL traits that are due, one at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater import telemetry
from headwater.eventlog import EventLog
from headwater.spec.errors import HeadwaterError, SetupError, Unavailable
from headwater.spec.sql_trait import SQL_TRAITS, SqlRun, SqlTrait
from headwater.store import Store, sql_traits
from headwater.store.snapshot import REFRESH_SECONDS
from headwater.warehouse.pages import pages
from headwater.warehouse.query import open_archive
from headwater.warehouse.reading import LOOK_SECONDS, now_ms, pause
from headwater.warehouse.sql_traits.carried import fetch, forget, keep
from headwater.warehouse.sql_traits.memory import Memory, remove
from headwater.warehouse.sql_traits.run import Tally, Tell, run, teller

if TYPE_CHECKING:
    from headwater.spec.settings import WarehouseSettings
    from headwater.spec.workspace import Source
    from headwater.store.snapshot import Snapshot
    from headwater.warehouse.files import Files

_RETRY_MS: Final = 60_000
_AWAY_SECONDS: Final = 10.0
_say = logging.getLogger("headwater.warehouse")


class SqlTraitKeeper:
    """Runs SQL traits for as long as the role does."""

    def __init__(
        self, *, log: EventLog, store: Store, snapshot: Snapshot, settings: WarehouseSettings, folder: Path
    ) -> None:
        """`folder` is the data folder."""
        self._log = log
        self._store = store
        self._snapshot = snapshot
        self._settings = settings
        self._folder = folder
        self._known: set[str] | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. A store or log that is away is waited for."""
        while not stopping.is_set():
            wait = LOOK_SECONDS
            try:
                while (trait := await self._next()) is not None and not stopping.is_set():
                    await self._one(trait, stopping)
            except Exception as error:
                bug = None if isinstance(error, HeadwaterError | OSError) else error
                _say.warning("SQL traits are not run just now: %s", error, exc_info=bug)
                wait = _AWAY_SECONDS
            await pause(stopping, wait)

    async def _next(self) -> SqlTrait | None:
        now = now_ms()
        known, due = await self._store.read(
            lambda connection: (sql_traits.ids(connection), sql_traits.due(connection, now))
        )
        if known != self._known:
            await asyncio.to_thread(self._tidy, known, await self._shared())
            self._known = known
        return due

    def _tidy(self, known: set[str], shared: Files | None) -> None:
        for path in (self._folder / "sql_traits").glob("*.sqlite"):
            if path.stem not in known:
                if shared is not None:
                    forget(shared, path)
                remove(path)

    async def _shared(self) -> Files | None:
        """Where copies of memories lie that other hosts see; None while everything is in the data folder."""
        return await open_archive(self._settings, self._folder) if self._settings.archive_url else None

    async def _one(self, trait: SqlTrait, stopping: asyncio.Event) -> None:
        started, at = time.monotonic(), now_ms()
        tally, error, wait = Tally(), "", trait.every_minutes * 60_000
        try:
            await self._tell(trait, tally, stopping)
        except Unavailable as away:
            error, wait = str(away), min(wait, _RETRY_MS)
        except HeadwaterError as wrong:
            error = str(wrong)
        except Exception as bug:
            error = f"{type(bug).__name__}: {bug}"
            _say.exception("The SQL trait %s failed.", trait.id)
        if error and stopping.is_set():
            return
        telemetry.SQL_TRAIT_RUN.observe(time.monotonic() - started)
        _count(tally)
        ended = SqlRun(
            started_at=at,
            ended_at=now_ms(),
            rows=tally.rows,
            changed=tally.changed,
            vanished=tally.vanished,
            discarded=dict(tally.discarded),
            error=error,
        )
        await self._store.write(lambda connection: sql_traits.ended(connection, trait, ended, due_at=at + wait))

    async def _tell(self, trait: SqlTrait, tally: Tally, stopping: asyncio.Event) -> None:
        source = await self._source(trait.space_id)
        settings = msgspec.structs.replace(
            self._settings,
            query_rows=self._settings.sql_trait_rows,
            query_seconds=self._settings.sql_trait_seconds,
        )
        path, shared = self._folder / "sql_traits" / f"{trait.id}.sqlite", await self._shared()
        if shared is not None:
            await asyncio.to_thread(_fetch, shared, path)
        memory = await asyncio.to_thread(Memory, path)
        try:
            found = pages(
                trait.sql,
                folder=self._folder,
                log=self._log,
                settings=settings,
                warehouses=self._snapshot.current.warehouses,
                stopping=stopping,
            )
            tell = self._while_it_stands(trait, teller(self._log, source.id, trait), stopping)
            await run(trait, found, memory=memory, tell=tell, tally=tally)
        finally:
            memory.close()
            if shared is not None and (tally.changed or tally.vanished):
                await asyncio.to_thread(_keep, shared, path)

    def _while_it_stands(self, trait: SqlTrait, tell: Tell, stopping: asyncio.Event) -> Tell:
        """Tells as long as the house runs, and nobody changes, disables or deletes the SQL trait."""

        async def told(calls: Sequence[dict[str, Any]]) -> None:
            if stopping.is_set():
                raise Unavailable("The house stops.")
            if not await self._store.read(lambda connection: sql_traits.stands(connection, trait)):
                raise SetupError("It was changed while it ran.")
            await tell(calls)

        return told

    async def _source(self, space_id: str) -> Source:
        """The source to tell by. Raises SetupError while its events would be refused."""
        await self._snapshot.refresh()
        workspace = self._snapshot.current
        for source in workspace.sources:
            if source.kind == SQL_TRAITS and source.settings.get("spaceId") == space_id:
                if workspace.locked or not source.enabled:
                    raise SetupError(f'The source "{source.name}" is disabled, or the workspace is locked.')
                return source
        made = await self._store.write(lambda connection: sql_traits.source_of(connection, space_id))
        # The pipeline must have heard of it before its events come.
        await asyncio.sleep(3 * REFRESH_SECONDS)
        return made


def _fetch(shared: Files, path: Path) -> None:
    try:
        fetch(shared, path)
    except OSError as error:
        raise Unavailable(f"The archive cannot be read: {error}") from error


def _keep(shared: Files, path: Path) -> None:
    try:
        keep(shared, path)
    except OSError as error:
        _say.warning("What an SQL trait told cannot be kept beside the archive: %s", error)


def _count(tally: Tally) -> None:
    discarded = sum(tally.discarded.values())
    for fate, rows in (
        ("changed", tally.changed),
        ("unchanged", tally.rows - tally.changed - discarded),
        ("vanished", tally.vanished),
        ("discarded", discarded),
    ):
        telemetry.SQL_TRAIT_ROWS.labels(fate).inc(max(0, rows))
