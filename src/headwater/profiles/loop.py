"""The role: folds `processed` into what is known of profiles, each event once.

The place up to which a partition is folded changes in the transaction that writes the states, so what is folded again
after a crash was not written before; and of two processes that fold the same partition one is heard. Under load states
are written twice a second, with all that came meanwhile; a lone event at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headwater import telemetry
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.history import History, index_folder
from headwater.profiles.known import State, Told, bound, decode, encode, fold
from headwater.profiles.tell import tell
from headwater.spec.errors import Unavailable
from headwater.store import known, ledger

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.eventlog import Chunk, EventLog
    from headwater.spec.settings import ProfilesSettings
    from headwater.store import Store

GROUP: Final = "profiles"
_WAIT: Final = 1.0
_BYTES: Final = 8_000_000
_SLICE: Final = 100


async def profiles(
    *, log: EventLog, store: Store, settings: ProfilesSettings, folder: Path, stopping: asyncio.Event
) -> None:
    """Fold every partition until told to stop; then write what is folded and return.

    `folder` is the data folder, for the index of events by profile.
    """
    held: list[History] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            for partition in log.partitions(PROCESSED):
                history = History(index_folder(folder, partition), keep_seconds=settings.history_days * 86_400)
                held.append(history)
                folding = Folding(log, store, settings, partition, history=history)
                tasks.create_task(folding.run(stopping), name=f"profiles-{partition}")
    finally:
        for history in held:
            history.close()


class Lately:
    """States that were used last, as bytes, up to a sum of bytes."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, id: str) -> bytes | None:
        """A state, which is then the one used last."""
        state = self._kept.get(id)
        if state is not None:
            self._kept.move_to_end(id)
        return state

    def put(self, id: str, state: bytes) -> None:
        """Keep a state, and forget what was not used for longest if there is too much."""
        self._room += len(self._kept.pop(id, b"")) - len(state)
        self._kept[id] = state
        while self._room < 0 and self._kept:
            _, forgotten = self._kept.popitem(last=False)
            self._room += len(forgotten)


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
    ) -> None:
        self._history = history
        self._log = log
        self._store = store
        self._settings = settings
        self._partition = partition
        self._forget()

    def _forget(self) -> None:
        self._lately = Lately(self._settings.remembered_bytes)
        self._changed: dict[str, State] = {}
        self._events = 0
        self._due = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Fold until told to stop. A log or store that is away is waited for; nothing is lost meanwhile."""
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
        self._place = self._next = await self._store.read(
            lambda connection: ledger.cursor(connection, GROUP, self._partition)
        )
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
            told = [each for place, record in enumerate(chunk.records, chunk.first) for each in tell(record, place)]
            history.remember(told, chunk.next)
            position = chunk.next

    async def step(self, wait: float) -> int:
        """Fold what has come, write what is due, and return how many records came. Waits for some, in seconds."""
        if self._next > self._place:
            wait = min(wait, max(0.0, self._due - time.monotonic()))
        settings = self._settings
        chunk = await self._log.read(
            PROCESSED,
            self._partition,
            self._next,
            max_records=settings.chunk_events,
            max_bytes=_BYTES,
            wait=wait,
        )
        if chunk.records:
            await self._fold(chunk)
        many = len(self._changed) >= settings.chunk_events
        if self._next > self._place and (many or time.monotonic() >= self._due):
            await self.write()
        return len(chunk.records)

    async def write(self) -> None:
        """Write what is folded, unless another process folded it already."""
        if self._next == self._place:
            return
        started = time.perf_counter()
        place, position = self._place, self._next
        states = {id: encode(bound(state)) for id, state in self._changed.items()}

        def change(connection: Connection) -> bool:
            if not ledger.advance(connection, GROUP, self._partition, place, position):
                return False
            known.write(connection, self._partition, states)
            return True

        if not await self._store.write(change):
            await self.open()
            return
        self._place = position
        self._changed.clear()
        for id, state in states.items():
            self._lately.put(id, state)
        telemetry.PROFILES_EVENTS.inc(self._events)
        telemetry.PROFILES_WRITE.observe(time.perf_counter() - started)
        self._events = 0
        self._due = time.monotonic() + self._settings.write_every_seconds
        await self._log.commit(GROUP, PROCESSED, self._partition, position)

    async def _fold(self, chunk: Chunk) -> None:
        """Fold a chunk; now and then the other tasks of the process get their turn."""
        for start in range(0, len(chunk.records), _SLICE):
            some = chunk.records[start : start + _SLICE]
            told = [each for place, record in enumerate(some, chunk.first + start) for each in tell(record, place)]
            await self._learn({id for id, _ in told})
            self._tell(told)
            if self._history is not None:
                self._history.remember(told, chunk.first + start + len(some))
        self._events += len(chunk.records)
        self._next = chunk.next

    async def _learn(self, ids: set[str]) -> None:
        """Have the states of these profiles at hand; those that the store does not have are new."""
        wanted = ids - self._changed.keys()
        asked: list[str] = []
        for id in wanted:
            state = self._lately.get(id)
            if state is None:
                asked.append(id)
            else:
                self._changed[id] = decode(state)
        if asked:
            found = await self._store.read(lambda connection: known.states(connection, self._partition, asked))
            self._changed.update((id, decode(state)) for id, state in found.items())
        else:
            await asyncio.sleep(0)

    def _tell(self, told: Iterable[tuple[str, Told]]) -> None:
        changed = self._changed
        for id, each in told:
            changed[id] = fold(changed.get(id), each)
