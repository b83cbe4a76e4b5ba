"""The loop: keeps the archive and every warehouse up with the log, each at its own pace, and runs SQL traits.

Of several processes one at a time loads a warehouse, and one runs the SQL traits (store/leases.py); the archive is
shared out by partitions (archiving.py).

What is heavy (Arrow, the drivers) is imported by the first load, so that an idle house stays small.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headwater import telemetry
from headwater.eventlog import Chunk, EventLog
from headwater.eventlog.streams import PROCESSED
from headwater.spec.errors import HeadwaterError, Unavailable
from headwater.store import Store, leases, loads
from headwater.warehouse.archiving import ArchiveKeeper
from headwater.warehouse.engines import Place, usable
from headwater.warehouse.headers import decode_header
from headwater.warehouse.profiles.keeper import ProfilesKeeper
from headwater.warehouse.profiles.names import warehouse_of
from headwater.warehouse.reading import LOOK_SECONDS, Pace, Reader, now_ms, pause
from headwater.warehouse.sql_traits.keeper import SqlTraitKeeper

if TYPE_CHECKING:
    from headwater.spec.settings import WarehouseSettings
    from headwater.spec.workspace import ProfilesWarehouse, Warehouse, Workspace
    from headwater.store.secrets import Secrets
    from headwater.store.snapshot import Snapshot
    from headwater.warehouse.laid import Laid
    from headwater.warehouse.laying import Published
    from headwater.warehouse.load import Loaded
    from headwater.warehouse.naming import Names

_GROUP_PREFIX: Final = "warehouse:"

_say = logging.getLogger("headwater.warehouse")


def group_of(warehouse_id: str) -> str:
    """The group of readers that loads a warehouse."""
    return _GROUP_PREFIX + warehouse_id


async def warehouse(
    *,
    log: EventLog,
    store: Store,
    snapshot: Snapshot,
    secrets: Secrets,
    settings: WarehouseSettings,
    folder: Path,
    stopping: asyncio.Event,
) -> None:
    """Keep the archive and the warehouses, and run SQL traits, until told to stop; then finish the load at hand.

    `folder` is the data folder: files go under `archive`, `warehouse` and `sql_traits` in it.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ArchiveKeeper(log, settings, folder).run(stopping), name="archive")
        traits = SqlTraitKeeper(log=log, store=store, snapshot=snapshot, settings=settings, folder=folder)
        tasks.create_task(leases.while_held(store, "sql-traits", traits.run, stopping), name="sql-traits")
        keepers: dict[str, asyncio.Task[None]] = {}
        workspace = None
        while not stopping.is_set():
            ended = [warehouse_id for warehouse_id, keeper in keepers.items() if keeper.done()]
            if snapshot.current is not workspace or ended:
                # A keeper that was at work when its warehouse was deleted may have made its group known once more.
                found = snapshot.current
                with contextlib.suppress(Unavailable):
                    await _forget_deleted(log, snapshot)
                    workspace = found
                    for warehouse_id in ended:
                        del keepers[warehouse_id]
            for kind, wanted in _wanted(snapshot.current):
                for one in wanted:
                    if one.enabled and (one.id not in keepers or keepers[one.id].done()):
                        name = group_of(one.id)
                        make = partial(kind, log, store, snapshot, secrets, one.id, settings=settings, folder=folder)
                        keeping = leases.while_held(store, name, partial(_keep, make), stopping)
                        keepers[one.id] = tasks.create_task(keeping, name=name)
            await pause(stopping, LOOK_SECONDS)


async def _keep(make: Callable[[], WarehouseKeeper | ProfilesKeeper], stopping: asyncio.Event) -> None:
    """Keep a warehouse up for as long as its lease is held; what another did meanwhile is read anew."""
    await make().run(stopping)


def _wanted(
    workspace: Workspace,
) -> tuple[tuple[type[WarehouseKeeper | ProfilesKeeper], Sequence[Warehouse | ProfilesWarehouse]], ...]:
    return (WarehouseKeeper, workspace.warehouses), (ProfilesKeeper, workspace.profiles_warehouses)


async def _forget_deleted(log: EventLog, snapshot: Snapshot) -> None:
    """Let go of what deleted warehouses have not read, so that the log can be trimmed. Disabled ones keep theirs.

    A group that is unknown here may be of a warehouse so new that only another process has heard of it.
    """
    found = [
        (partition, group, warehouse_id)
        for partition in log.partitions(PROCESSED)
        for group in await log.groups(PROCESSED, partition)
        if (warehouse_id := _warehouse_of(group)) is not None
    ]
    if {warehouse_id for _, _, warehouse_id in found} <= _known(snapshot.current):
        return
    await snapshot.refresh()
    known = _known(snapshot.current)
    for partition, group, warehouse_id in found:
        if warehouse_id not in known:
            await log.forget(group, PROCESSED, partition)


def _warehouse_of(group: str) -> str | None:
    plain = group.removeprefix(_GROUP_PREFIX) if group.startswith(_GROUP_PREFIX) else None
    return plain or warehouse_of(group)


def _known(workspace: Workspace) -> set[str]:
    return {one.id for _, wanted in _wanted(workspace) for one in wanted}


class WarehouseKeeper:
    """Loads one warehouse, for as long as it is in the workspace and enabled."""

    def __init__(
        self,
        log: EventLog,
        store: Store,
        snapshot: Snapshot,
        secrets: Secrets,
        warehouse_id: str,
        *,
        settings: WarehouseSettings,
        folder: Path,
    ) -> None:
        self._reader = Reader(log, group_of(warehouse_id))
        self._store = store
        self._snapshot = snapshot
        self._secrets = secrets
        self._id = warehouse_id
        self._settings = settings
        self._place = Place(folder / "warehouse", warehouse_id)
        self._names: Names | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop or the warehouse is gone. One that is away is tried again, ever more rarely.

        Even a bug delays this warehouse alone: the pipeline and deliver may share the process.
        """
        pace = Pace(self._settings.load_every_seconds)
        while not stopping.is_set() and (target := self._target()) is not None:
            started = time.monotonic()
            try:
                busy = await self._round(stopping)
                pace.done(started, busy=busy)
            except Exception as error:
                wait = pace.failed(time.monotonic())
                bug = None if isinstance(error, HeadwaterError) else error
                _say.warning("Warehouse %s was not loaded: %s Next try in %.0f s.", self._id, error, wait, exc_info=bug)
            while time.monotonic() < pace.due and self._target() == target and not stopping.is_set():
                await pause(stopping, min(LOOK_SECONDS, pace.due - time.monotonic()))

    def _target(self) -> Warehouse | None:
        found = (one for one in self._snapshot.current.warehouses if one.id == self._id and one.enabled)
        return next(found, None)

    async def _round(self, stopping: asyncio.Event) -> bool:
        """Load what is there by now. What comes meanwhile waits for the next round: small loads cost most an event."""
        busy = False
        for partition in self._reader.partitions:
            end = await self._reader.end(partition)
            while not stopping.is_set() and (target := self._target()) is not None:
                if await self._reader.cursor(partition) >= end:
                    break
                chunk = await self._reader.read(partition)
                if not chunk.records:
                    break
                self._tell_age(chunk)
                await self._load(target, partition, chunk)
                busy = True
        self._tell_age(None)
        await self._reader.tell_lag()
        return busy

    async def _load(self, target: Warehouse, partition: int, chunk: Chunk) -> None:
        wanted = await self._wanted(target, chunk)
        if not wanted:
            await self._reader.commit(partition, chunk.next)
            return
        now = now_ms()
        load_id = await self._store.write(
            lambda connection: loads.begin(
                connection, warehouse_id=self._id, partition=partition, first=chunk.first, last=chunk.next, now=now
            )
        )
        with telemetry.WAREHOUSE_LOAD.labels(self._id).time():
            try:
                loaded = await asyncio.to_thread(self._put, target, wanted, now)
            except Exception as error:
                said = str(error) if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {error}"
                await self._ended(load_id, "failure", 0, (said,))
                raise
        await self._reader.commit(partition, chunk.next)
        await self._ended(load_id, "partial" if loaded.notices else "success", loaded.rows, loaded.notices)
        telemetry.WAREHOUSE_ROWS.labels(self._id).inc(loaded.rows)

    async def _ended(self, load_id: str, state: str, rows: int, notices: tuple[str, ...]) -> None:
        now = now_ms()
        await self._store.write(
            lambda connection: loads.end(connection, load_id, state=state, rows=rows, notices=notices, now=now)
        )

    async def _wanted(self, target: Warehouse, chunk: Chunk) -> dict[str, list[Published]]:
        """The events that belong into the warehouse, by source (contract: connections 2.4)."""
        of_source: defaultdict[str, list[Published]] = defaultdict(list)
        for record in chunk.records:
            header = decode_header(record.header)
            if self._id not in header.without_warehouses:
                of_source[header.source_id].append((record.value, header.received_at))
        wanted = {source_id: events for source_id, events in of_source.items() if target.takes(source_id)}
        if not wanted.keys() <= {source.id for source in self._snapshot.current.sources}:
            await self._snapshot.refresh()
        return wanted

    def _put(self, target: Warehouse, wanted: dict[str, list[Published]], now: int) -> Loaded:
        """The load itself, in a thread. The warehouse is open for no longer than it takes to write."""
        from headwater.warehouse.load import Notices, lay_flat, put
        from headwater.warehouse.naming import Names

        engine = usable(target.engine, self._settings)
        capabilities = engine.capabilities()
        if self._names is None:
            self._names = Names(capabilities.identifier_bytes, nul=capabilities.nul)
        names, notices = self._names, Notices()
        schemas = names.schemas(self._snapshot.current.sources)
        flat: defaultdict[str, list[Laid]] = defaultdict(list)
        for source_id, events in wanted.items():
            schema = schemas.get(source_id) or names.schema(source_id)
            flat[schema].append(lay_flat(events, names=names, notices=notices, source=source_id))
        settings: dict[str, Any] = {
            key: self._secrets.open(value) if isinstance(value, str) else value
            for key, value in target.settings.items()
        }
        with engine.open(settings, self._place) as session:
            return put(session, flat, now=now, capabilities=capabilities, notices=notices)

    def _tell_age(self, chunk: Chunk | None) -> None:
        age = 0.0 if chunk is None else (now_ms() - decode_header(chunk.records[0].header).received_at) / 1000
        telemetry.WAREHOUSE_FRESHNESS.labels(self._id).set(max(0.0, age))
