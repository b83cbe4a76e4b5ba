"""The role: folds `processed` into what is known of profiles, each event once.

The place up to which a partition is folded changes in the transaction that writes the states, so what is folded again
after a crash was not written before; and of two processes that fold the same partition one is heard. Under load states
are written twice a second, with all that came meanwhile, and less often while events come late; a lone event at once.
What audiences and computed traits make of the events is written in the same transaction (`computing/`), with the calls
that tell of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headwater import telemetry
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.findings import OWNER
from headwater.profiles.computing.outbox import send_waiting
from headwater.profiles.computing.passes import Passes
from headwater.profiles.computing.rounds import look_at_those_due
from headwater.profiles.computing.stage import Stage
from headwater.profiles.history import History, index_folder
from headwater.profiles.holding import Holding
from headwater.profiles.known import Told
from headwater.profiles.tell import tell
from headwater.spec.errors import Unavailable
from headwater.store import known, ledger, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.eventlog import Chunk, EventLog, Record
    from headwater.profiles.computing.past import Past
    from headwater.spec.settings import ProfilesSettings
    from headwater.store import Store
    from headwater.store.snapshot import Snapshot

GROUP: Final = "profiles"
WRITES: Final = "profiles-writes"
"""The cursor that counts the writes of a partition, since some of them move no place in the log."""

_WAIT: Final = 1.0
_BYTES: Final = 8_000_000
_SLICE: Final = 400
_SLICE_COMPUTING: Final = 100
_LOOK_EVERY: Final = 1.0
_WRITE_CHUNKS: Final = 20
_WRITE_PROFILES: Final = 20_000
_LONGEST: Final = 10
"""Events that come late wait as long again for the write, up to so many times as long as those that do not."""


async def profiles(
    *,
    log: EventLog,
    store: Store,
    settings: ProfilesSettings,
    folder: Path | None,
    stopping: asyncio.Event,
    snapshot: Snapshot | None = None,
    past: Past | None = None,
) -> None:
    """Fold the partitions that fall to this process until told to stop; then write what is folded and return.

    `folder` is the data folder, for the index of events by profile; None where nobody would look into it. With a
    `snapshot` the workspace's audiences and computed traits are worked out; `past` counts for them what was before.
    """

    async def fold_one(partition: int, leaving: asyncio.Event) -> None:
        days = settings.history_days * 86_400
        history = None if folder is None else History(index_folder(folder, partition), keep_seconds=days)
        try:
            folding = Folding(log, store, settings, partition, history=history, snapshot=snapshot, past=past)
            await folding.run(leaving)
        finally:
            if history is not None:
                history.close()

    await work(log, GROUP, PROCESSED, fold_one, stopping)


def _now() -> int:
    return time.time_ns() // 1_000_000


class Folding:
    """One partition's fold."""

    def __init__(
        self,
        log: EventLog,
        store: Store,
        settings: ProfilesSettings,
        partition: int,
        *,
        history: History | None = None,
        snapshot: Snapshot | None = None,
        past: Past | None = None,
        clock: Callable[[], int] = _now,
    ) -> None:
        """`clock` says what time it is, in milliseconds since 1970 (UTC)."""
        self._clock = clock
        self._history = history
        self._log = log
        self._store = store
        self._settings = settings
        self._partition = partition
        self._snapshot = snapshot
        partitions = len(log.partitions(PROCESSED))
        self._holding = Holding(store, partition, settings.remembered_bytes)
        wait = settings.accounts_every_seconds
        self._stage = Stage(store, self._holding, partition, partitions, accounts_after=wait)
        self._passes = Passes(self._stage, self._holding, store, past, partitions)
        self._forget()

    def _forget(self) -> None:
        self._holding.forget()
        self._passes.forget()
        self._events = 0
        self._written = -inf
        self._late = 0.0
        self._looked = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Fold until told to stop. A log or store that is away is waited for; nothing is lost meanwhile."""
        try:
            await self._run(stopping)
        finally:
            await self._passes.close()

    async def _run(self, stopping: asyncio.Event) -> None:
        opened = False
        while not stopping.is_set():
            try:
                if not opened:
                    await self.open()
                    opened = True
                await self.step(_WAIT)
            except Unavailable as away:
                opened = False
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), away.retry_after)
        if opened:
            with suppress(Unavailable):
                await self.write()

    async def open(self) -> None:
        """Begin where the store says that the fold stands."""
        self._forget()
        self._place, self._writes = await self._store.read(
            lambda connection: tuple(ledger.cursor(connection, name, self._partition) for name in (GROUP, WRITES))
        )
        self._next = self._place
        await self._stage.open()
        await send_waiting(self._log, self._store, self._partition)
        if self._history is not None:
            await self._catch_up(self._history)
        await self._log.commit(GROUP, PROCESSED, self._partition, self._place)

    async def _catch_up(self, history: History) -> None:
        """Put into the index what is folded already, and was not durable there when the machine stopped."""
        position = history.known_to
        while position < self._place:
            chunk = await self._log.read(PROCESSED, self._partition, position, max_bytes=_BYTES)
            if not chunk.records:
                return
            told = [each for place, record in chunk.placed() for each in tell(record, place)]
            history.remember(told, chunk.next)
            position = chunk.next

    async def step(self, wait: float) -> int:
        """Fold what has come, write what is due, and return how many records came. Waits for some, in seconds."""
        busy = await self._compute()
        if self._next > self._place or self._stage.dirty:
            wait = min(wait, max(0.0, self._due() - time.monotonic()))
        settings = self._settings
        chunk = await self._log.read(
            PROCESSED,
            self._partition,
            self._next,
            max_records=settings.chunk_events,
            max_bytes=_BYTES,
            wait=0.0 if busy else wait,
        )
        if chunk.records:
            await self._fold(chunk)
        many = self._events >= settings.chunk_events * _WRITE_CHUNKS or len(self._holding.held) >= _WRITE_PROFILES
        if (self._next > self._place or self._stage.dirty) and (many or time.monotonic() >= self._due()):
            await self.write()
        return len(chunk.records)

    async def _compute(self) -> bool:
        """Work on what no event asks for: what is due, and what was before. Says whether there is more to do."""
        if self._snapshot is None:
            return False
        now = self._clock()
        self._stage.plan(self._snapshot.current, self._next, now)
        if not self._stage.active or self._partition != OWNER:
            return False
        busy = await self._passes.step(now)
        if time.monotonic() >= self._looked:
            found = await look_at_those_due(self._stage, self._holding, self._store, now)
            if found:
                await self.write()
            busy = busy or found > 0
            self._looked = time.monotonic() + (0.0 if found else _LOOK_EVERY)
        return busy

    async def write(self) -> None:
        """Write what is folded, unless another process folded it already; then append the calls that tell of it."""
        if self._next == self._place and not self._stage.dirty:
            return
        started = time.perf_counter()
        place, position, writes, now = self._place, self._next, self._writes, self._clock()
        states, counts = await asyncio.to_thread(self._holding.put_away, self._stage.names)

        def change(connection: Connection) -> bool:
            if not ledger.advance(connection, WRITES, self._partition, writes, writes + 1):
                return False
            if not ledger.advance(connection, GROUP, self._partition, place, position):
                return False
            known.write(connection, self._partition, states)
            standing.write_counted(connection, self._partition, counts)
            self._stage.write(connection, now)
            return True

        if not await self._store.write(change):
            await self.open()
            return
        self._place, self._writes = position, writes + 1
        telling = bool(self._stage.found.messages)
        self._stage.written()
        telemetry.PROFILES_EVENTS.inc(self._events)
        telemetry.PROFILES_WRITE.observe(time.perf_counter() - started)
        self._events = 0
        self._written = time.monotonic()
        if telling:
            await send_waiting(self._log, self._store, self._partition)
        await self._log.commit(GROUP, PROCESSED, self._partition, position)

    def _due(self) -> float:
        every = self._settings.write_every_seconds
        return self._written + min(max(every, self._late), every * _LONGEST)

    async def _fold(self, chunk: Chunk) -> None:
        """Fold a chunk; now and then the other tasks of the process get their turn."""
        active = self._stage.active
        size = _SLICE_COMPUTING if active else _SLICE
        all_told: list[tuple[str, Told]] = []
        for start in range(0, len(chunk.records), size):
            some = chunk.records[start : start + size]
            told, records = self._told(some, chunk.positions[start : start + size])
            ids = {id for id, _ in told}
            members = await self._stage.look(ids)
            if not await self._holding.learn(ids | members if members else ids, counting=active):
                await asyncio.sleep(0)
            if active:
                self._tell_and_compute(told, records)
            else:
                self._tell(told)
            all_told += told
        if self._history is not None:
            self._history.remember(all_told, chunk.next)
        if all_told:
            self._late = (self._clock() - all_told[-1][1].mark.received_at) / 1000
        self._events += len(chunk.records)
        self._next = chunk.next

    def _told(self, records: Iterable[Record], places: Iterable[int]) -> tuple[list[tuple[str, Told]], list[Record]]:
        """What records tell, and which told it; one that nobody can read tells nothing, and stops nobody."""
        told: list[tuple[str, Told]] = []
        tellers: list[Record] = []
        for record, place in zip(records, places, strict=True):
            try:
                found = tell(record, place)
            except Exception as error:
                self._stage.failed("", error)
                continue
            told += found
            tellers += [record] * len(found)
        return told, tellers

    def _tell(self, told: Iterable[tuple[str, Told]]) -> None:
        held = self._holding.held
        for id, each in told:
            held[id].told.append(each)

    def _tell_and_compute(self, told: Iterable[tuple[str, Told]], records: Iterable[Record]) -> None:
        held, now = self._holding.held, self._clock()
        for (id, each), record in zip(told, records, strict=True):
            held[id].told.append(each)
            self._stage.take(id, each, record, now)
