"""One profiles warehouse: what came since the last sync, what was there before, and what no event tells of.

Events are loaded up to where the role `profiles` has folded them, and with them everyone whom they are about, as the
store knows them at that moment. The cursor in the log moves after the load; a crash between the two repeats a load that
changes nothing then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater import telemetry
from headwater.eventlog import Chunk, EventLog
from headwater.profiles.loop import GROUP as FOLD_GROUP
from headwater.spec.errors import HeadwaterError
from headwater.spec.event import decode_processed
from headwater.store import Store, ledger, loads, profiles_warehouses, standing
from headwater.store.histories import histories
from headwater.warehouse.engines import Place, usable
from headwater.warehouse.profiles.names import group_of, names_for
from headwater.warehouse.reading import LOOK_SECONDS, Pace, Reader, now_ms, pause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headwater.spec.computation import Computation
    from headwater.spec.settings import WarehouseSettings
    from headwater.spec.space import Space
    from headwater.spec.workspace import ProfilesWarehouse
    from headwater.store.secrets import Secrets
    from headwater.store.snapshot import Snapshot
    from headwater.warehouse.load import Loaded
    from headwater.warehouse.naming import Names
    from headwater.warehouse.profiles.put import Work

_SCAN: Final = 2_000
_OVERLAP_MS: Final = 3_600_000
_LATE_MS: Final = 600_000
"""What was written so long ago is seen by all, however far clocks and transactions are apart."""
_BY_HAND: Final = -1
"""Where the history of loads names a partition, for loads that do not come from the log."""

_say = logging.getLogger("headwater.warehouse")


class ProfilesKeeper:
    """Loads one profiles warehouse, for as long as it is in the workspace and enabled."""

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
        self._every = settings.profiles_every_seconds
        self._place = Place(folder / "warehouse", warehouse_id)
        self._names: Names | None = None
        self._heard_at = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Sync at once and then on schedule, until told to stop or the warehouse is gone; soon when it is changed."""
        pace = Pace(self._every)
        while not stopping.is_set() and (target := self._target()) is not None:
            started = time.monotonic()
            try:
                await self.sync(stopping)
                pace.done(started, busy=True)
            except Exception as error:
                wait = pace.failed(time.monotonic())
                bug = None if isinstance(error, HeadwaterError) else error
                _say.warning(
                    "Profiles warehouse %s was not loaded: %s Next try in %.0f s.", self._id, error, wait, exc_info=bug
                )
            while time.monotonic() < pace.due and self._target() == target and not stopping.is_set():
                await pause(stopping, min(LOOK_SECONDS, pace.due - time.monotonic()))

    async def sync(self, stopping: asyncio.Event) -> None:
        """Load what is new by now, and then what is old and not there yet (4.4: the past comes after live events)."""
        for partition in self._reader.partitions:
            end = await self._reader.end(partition)
            while (found := self._found(stopping)) is not None and await self._reader.cursor(partition) < end:
                chunk = await self._folded(partition)
                if not chunk.records:
                    break
                await self._events(*found, partition, chunk)
        await self._reader.tell_lag()
        telemetry.WAREHOUSE_FRESHNESS.labels(self._id).set(0.0)
        while await self._scan(stopping):
            pass
        await self._by_hand(stopping)
        now, after = now_ms(), None
        while (after := await self._worked_out(stopping, now, after)) is not None:
            pass

    def _target(self) -> ProfilesWarehouse | None:
        found = (one for one in self._snapshot.current.profiles_warehouses if one.id == self._id and one.enabled)
        return next(found, None)

    def _found(self, stopping: asyncio.Event) -> tuple[ProfilesWarehouse, Space] | None:
        """What to load and whose people, unless it is over."""
        target = None if stopping.is_set() else self._target()
        spaces = self._snapshot.current.spaces
        space = next((one for one in spaces if target is not None and one.id == target.space_id), None)
        return None if target is None or space is None else (target, space)

    async def _folded(self, partition: int) -> Chunk:
        """The next records, as far as their traits are known."""
        place = await self._store.read(lambda connection: ledger.cursor(connection, FOLD_GROUP, partition))
        chunk = await self._reader.read(partition)
        return chunk.before(place)

    async def _events(self, target: ProfilesWarehouse, space: Space, partition: int, chunk: Chunk) -> None:
        from headwater.warehouse.profiles.hearing import hear
        from headwater.warehouse.profiles.put import Work

        age = (now_ms() - decode_processed(chunk.records[0].header).received_at) / 1000
        telemetry.WAREHOUSE_FRESHNESS.labels(self._id).set(max(0.0, age))
        heard = hear(chunk, space, self._snapshot.current.takes(space))
        if heard:
            ids = {each.segment_id for each in heard if each.segment_id}
            people = await self._store.read(lambda connection: histories(connection, space.id, ids))
            mine = [each for each in heard if not each.segment_id or each.segment_id in people.profiles]
            if not {each.source_id for each in mine} <= {source.id for source in self._snapshot.current.sources}:
                await self._snapshot.refresh()
            await self._load(
                target,
                Work(people, mine, space.filters, computations=self._computations()),
                partition,
                chunk.first,
                chunk.next,
            )
        await self._reader.commit(partition, chunk.next)

    async def _by_hand(self, stopping: asyncio.Event) -> None:
        """Tell of merges undone and identifiers removed since the last sync, for which there is no event.

        A process that is new looks at all there ever were; what the warehouse knows of them changes nothing.
        """
        progress = await self._progress()
        found = self._found(stopping)
        if found is None or found[1].rewired == progress.rewired:
            return
        target, space = found
        since, now = self._heard_at - _OVERLAP_MS, now_ms()
        ids = await self._store.read(
            lambda connection: profiles_warehouses.changed_by_hand(connection, space.id, since)
        )
        await self._people(target, sorted(ids), past=False)
        await self._remember(msgspec.structs.replace(await self._progress(), rewired=space.rewired))
        self._heard_at = now

    async def _worked_out(
        self, stopping: asyncio.Event, now: int, after: tuple[int, str] | None
    ) -> tuple[int, str] | None:
        """Load some of the people whose values were written since the last sync, by `now`.

        A value may change by time alone, or by a new definition, and then no event of theirs brings it. Returns the
        place `after` which to go on, None when it has all. Should it end before, the next sync goes on from what was
        written long ago: more may be written in the minute of the last page, before the place of its last profile.
        """
        progress = await self._progress()
        found = self._found(stopping)
        if found is None:
            return None
        target, space = found
        begin = after or (progress.worked_at, progress.worked_id)
        places = await self._store.read(
            lambda connection: standing.written_after(connection, space.id, begin, until=now, limit=_SCAN)
        )
        await self._people(target, [id for _, id in places], past=False)
        following, long_ago = places[-1] if len(places) == _SCAN else None, (max(now - _LATE_MS, 0), "")
        at, id = min(following or long_ago, long_ago)
        await self._remember(msgspec.structs.replace(progress, worked_at=at, worked_id=id))
        return following

    async def _scan(self, stopping: asyncio.Event) -> bool:
        """Load some of the people that were there before the warehouse; False when there are no more."""
        progress = await self._progress()
        found = self._found(stopping)
        if found is None or progress.scanned:
            return False
        target, space = found
        ids = await self._store.read(
            lambda connection: profiles_warehouses.scan(
                connection, space.id, progress.scanned_to, before=target.created_at, limit=_SCAN
            )
        )
        await self._people(target, ids, past=True)
        after = ids[-1] if ids else progress.scanned_to
        await self._remember(msgspec.structs.replace(progress, scanned_to=after, scanned=len(ids) < _SCAN))
        return len(ids) == _SCAN

    async def _people(self, target: ProfilesWarehouse, ids: Iterable[str], *, past: bool) -> None:
        from headwater.warehouse.profiles.put import Work

        people = await self._store.read(lambda connection: histories(connection, target.space_id, ids))
        if people.profiles:
            await self._load(
                target, Work(people, past=past, computations=self._computations()), _BY_HAND, 0, len(people.profiles)
            )

    def _computations(self) -> Sequence[Computation]:
        return self._snapshot.current.computations

    async def _progress(self) -> profiles_warehouses.Progress:
        return await self._store.read(lambda connection: profiles_warehouses.progress(connection, self._id))

    async def _remember(self, now: profiles_warehouses.Progress) -> None:
        await self._store.write(lambda connection: profiles_warehouses.set_progress(connection, self._id, now))

    async def _load(self, target: ProfilesWarehouse, work: Work, partition: int, first: int, last: int) -> None:
        now = now_ms()
        load_id = await self._store.write(
            lambda connection: loads.begin(
                connection, warehouse_id=self._id, partition=partition, first=first, last=last, now=now
            )
        )
        with telemetry.WAREHOUSE_LOAD.labels(self._id).time():
            try:
                loaded = await asyncio.to_thread(self._put, target, work, now)
            except Exception as error:
                said = str(error) if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {error}"
                await self._ended(load_id, "failure", 0, (said,))
                raise
        await self._ended(load_id, "partial" if loaded.notices else "success", loaded.rows, loaded.notices)
        telemetry.WAREHOUSE_ROWS.labels(self._id).inc(loaded.rows)

    async def _ended(self, load_id: str, state: str, rows: int, notices: tuple[str, ...]) -> None:
        now = now_ms()
        await self._store.write(
            lambda connection: loads.end(connection, load_id, state=state, rows=rows, notices=notices, now=now)
        )

    def _put(self, target: ProfilesWarehouse, work: Work, now: int) -> Loaded:
        """The load itself, in a thread. The warehouse is open for no longer than it takes to write."""
        from headwater.warehouse.profiles.put import put

        engine = usable(target.engine, self._settings)
        capabilities = engine.capabilities()
        if self._names is None:
            self._names = names_for(capabilities.identifier_bytes, nul=capabilities.nul)
        settings: dict[str, Any] = {
            key: self._secrets.open(value) if isinstance(value, str) else value
            for key, value in target.settings.items()
        }
        sources = {source.id: source for source in self._snapshot.current.sources}
        with engine.open(settings, self._place) as session:
            return put(session, target, work, sources=sources, names=self._names, capabilities=capabilities, now=now)
