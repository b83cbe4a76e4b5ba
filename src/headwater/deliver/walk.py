"""One partition's way: reads chunks, brings them to the lanes, and commits them in order.

Reading and committing run side by side, several chunks apart. The commit waits for the oldest chunk, and parks what
holds it up: everything of a destination that does not answer, once `grace_seconds` have passed; of one that is merely
slow as soon as another lane starves for it, or, if none does, not before it held the cursor back ten times as long.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headwater.deliver.backlog import EPOCHS
from headwater.deliver.decide import Event, sort
from headwater.deliver.fanout import Share, fan_out
from headwater.deliver.passage import Passage, Portion
from headwater.eventlog import Append, Chunk, Commit, Moved, Record
from headwater.eventlog.streams import OUTCOMES, PROCESSED
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.event import EVENT_TYPES
from headwater.spec.outcome import SetAside, Step, encode_outcomes
from headwater.store import backlogs, ledger

if TYPE_CHECKING:
    from headwater.deliver.backlog import Backlog
    from headwater.deliver.lanes import Lanes
    from headwater.deliver.tally import Tally
    from headwater.eventlog import EventLog
    from headwater.spec.destination import Item
    from headwater.spec.settings import DeliverSettings
    from headwater.store import Store

GROUP = "deliver"
_WAIT = 0.25
_LEAST_TICK = 0.005
_BUSY = 0.1
"""A loop that is so many seconds late was too busy for its requests; nothing then speaks against a destination."""
_AT_A_STRETCH = 50
"""So many destinations get their part of a chunk before others have a turn at the loop."""

_READ_AT_ONCE = 10
"""To look into so many events counts like one destination more that takes its part as it is."""

_COMMIT_EVERY = 0.05
"""Chunks that end within so many seconds are committed together: who appends to the same files waits for fewer."""
_PATIENCE = 10
T = TypeVar("T")


class Window:
    """How many events may be on their way at once, over all partitions."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._held = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        return self._held >= self._events

    def take(self, events: int) -> None:
        self._held += events
        if self.full:
            self._room.clear()

    def give(self, events: int) -> None:
        self._held -= events
        if not self.full:
            self._room.set()

    async def room(self, seconds: float) -> bool:
        """Wait until there is room, at most so long. Returns whether there is."""
        if self.full:
            try:
                async with asyncio.timeout(seconds):
                    await self._room.wait()
            except TimeoutError:
                return False
        return True


class _Beginning(msgspec.Struct, frozen=True):
    """What a row that was there before says of its delivery."""

    message_id: str
    source_id: str
    reason: str
    at: int


class Walk:
    """One partition. `begin` once, then `run`."""

    def __init__(
        self,
        log: EventLog,
        store: Store,
        lanes: Lanes,
        backlog: Backlog,
        settings: DeliverSettings,
        *,
        partition: int,
        window: Window,
        tally: Tally,
        committed: dict[int, int],
    ) -> None:
        self._log = log
        self._store = store
        self._lanes = lanes
        self._backlog = backlog
        self._settings = settings
        self._partition = partition
        self._window = window
        self._tally = tally
        self._committed = committed
        self._known: dict[int, dict[tuple[str, str], _Beginning]] = {}
        self._passages: deque[Passage] = deque()
        self._arrived = asyncio.Event()
        self._wrote = 0.0
        self._epoch = 0
        self._reading = True

    async def begin(self) -> None:
        """Begin an epoch, find where the cursor stands, and which deliveries beyond it were parked before.

        From then on nobody parks anything of the epochs before. Raises SetupError when what was parked cannot be of
        this log.
        """
        begin = partial(ledger.next_epoch, name=EPOCHS, partition=self._partition)
        self._epoch = await _patiently(lambda: self._store.write(begin))
        position = await _patiently(lambda: self._log.committed(GROUP, PROCESSED, self._partition))
        _, end = await _patiently(lambda: self._log.bounds(PROCESSED, self._partition))
        known = partial(backlogs.known, partition=self._partition, position=position)
        for row in await _patiently(lambda: self._store.read(known)):
            if row.position >= end:
                raise SetupError(
                    "The store holds parked deliveries of events that the log never had. Store and log belong "
                    "together: put the log back, or start with a new store."
                )
            beginning = _Beginning(row.message_id, row.source_id, row.parked_reason, row.parked_at)
            self._known.setdefault(row.position, {})[row.destination_id, row.subscription_id] = beginning
        self._committed[self._partition] = position

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, and then until everything that was read is committed.

        Raises Moved when the partition is another's by now. What was brought to the lanes is delivered there again.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(stopping), name=f"deliver-read-{self._partition}")
                tasks.create_task(self._commit(stopping), name=f"deliver-commit-{self._partition}")
        finally:
            del self._committed[self._partition]
            for passage in self._passages:
                for portion in passage.portions:
                    portion.lane.drop(portion)
                self._let_go(passage)

    async def _read(self, stopping: asyncio.Event) -> None:
        position = self._committed[self._partition]
        while not stopping.is_set():
            if not await self._window.room(_WAIT):
                continue
            try:
                chunk = await self._log.read(
                    PROCESSED, self._partition, position, max_records=self._settings.chunk_events, wait=_WAIT
                )
                if chunk.records:
                    await self._bring(chunk)
                position = chunk.next
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
            await asyncio.sleep(0)
        self._reading = False
        self._arrived.set()

    async def _bring(self, chunk: Chunk) -> None:
        """Bring a chunk to the lanes."""
        shares = fan_out(chunk)
        self._lanes.follow()
        await self._lanes.look_again({share.destination_id for share in shares})
        span = (chunk.first, chunk.next, time.monotonic())
        passage = Passage(self._partition, *span, events=len(chunk.records), epoch=self._epoch)
        at = int(time.time() * 1000)
        known = self._take_known(chunk, shares) if self._known else {}
        for destination_id, rows in known.items():
            for (_, way_id), row in rows.items():
                key = (row.source_id, destination_id)
                passage.count(*key, at, Step.MATCHED, "", events=1, way_id=way_id)
                passage.count(*key, row.at, Step.PENDING, row.reason, events=1, way_id=way_id)
        passage.open = sum(len(share.items) for share in shares)
        self._window.take(len(chunk.records))
        self._passages.append(passage)
        self._arrived.set()
        reader = _Reader()
        worked = 0
        for share in shares:
            self._give(passage, share, at, reader, set(known.get(share.destination_id, ())))
            worked += 1 + reader.asked // _READ_AT_ONCE
            reader.asked %= _READ_AT_ONCE
            if worked >= _AT_A_STRETCH:
                worked = 0
                await asyncio.sleep(0)

    def _take_known(self, chunk: Chunk, shares: list[Share]) -> dict[str, dict[tuple[int, str], _Beginning]]:
        """The deliveries of a chunk that have a row already: by destination, and there by position and way."""
        messages = {item.position: item.message_id for share in shares for item in share.items}
        found: dict[str, dict[tuple[int, str], _Beginning]] = {}
        for position in [place for place in self._known if place < chunk.next]:
            for (destination_id, way_id), row in self._known.pop(position, {}).items():
                if row.message_id != messages.get(position):
                    raise SetupError(
                        "The store's parked deliveries belong to another log: put back the log they are of."
                    )
                found.setdefault(destination_id, {})[position, way_id] = row
        return found

    def _give(self, passage: Passage, share: Share, at: int, reader: _Reader, known: set[tuple[int, str]]) -> None:
        """Bring what a destination gets of a chunk to its lane; `known` are deliveries that need nothing any more."""
        lane = self._lanes.get(share.destination_id)
        if lane is None:
            self._keep(passage, share, at, {("UNKNOWN_INTEGRATION", ""): _new(share.items, known)})
            passage.end(len(share.items))
            return
        types = lane.plan.definition.event_types
        items = share.items
        if not types >= EVENT_TYPES:
            unfit = [item for item in items if item.type not in types]
            self._keep(passage, share, at, {("UNSUPPORTED_EVENT_TYPE", ""): _new(unfit, known)})
            items = [item for item in items if item.type in types]
        decide = lane.plan.decide
        size = share.size if decide is None else None  # what filters left of events takes bytes of its own
        if decide is None:
            taken = {
                (way_id, ""): [item for item in items if (item.position, way_id) not in known] if known else items
                for way_id in lane.plan.ways
            }
        else:
            found = sort(items, decide, reader.read, known)
            self._keep(passage, share, at, found.kept)
            taken = found.taken
        for (way_id, key), theirs in taken.items():
            if theirs:
                passage.begin(len(theirs))
                passage.count(
                    share.source_id, share.destination_id, at, Step.MATCHED, "", events=len(theirs), way_id=way_id
                )
                lane.enter(Portion(passage, lane, share.source_id, theirs, way_id=way_id, key=key, size=size))
        passage.end(len(share.items))

    def _keep(self, passage: Passage, share: Share, at: int, kept: dict[tuple[str, str], list[Item]]) -> None:
        """Note what a destination does not get, and why."""
        step = Step.FILTERED_AT_DESTINATION
        for (reason, detail), items in kept.items():
            passage.count(share.source_id, share.destination_id, at, Step.MATCHED, "", events=len(items))
            passage.count(share.source_id, share.destination_id, at, step, reason, events=len(items))
            passage.set_aside += [
                SetAside(item.position, step, reason, share.source_id, item.message_id, share.destination_id, detail)
                for item in items
            ]

    async def _commit(self, stopping: asyncio.Event) -> None:
        while True:
            while not self._passages:
                if not self._reading:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            await self._ended(self._passages[0], stopping)
            await self._not_too_soon(stopping)
            ended = list(takewhile(lambda passage: not passage.open, self._passages))
            await self._backlog.flushed(max(passage.mark for passage in ended))
            if self._backlog.over(self._partition, self._epoch):
                raise Moved(f"Partition {self._partition} is walked by another worker.")
            await self._write(ended)

    async def _not_too_soon(self, stopping: asyncio.Event) -> None:
        left = self._wrote + _COMMIT_EVERY - time.monotonic()
        if left > 0 and not self._window.full and not stopping.is_set():
            await asyncio.sleep(left)
        self._wrote = time.monotonic()

    async def _ended(self, passage: Passage, stopping: asyncio.Event) -> None:
        """Wait until nothing of a chunk is open, parking what holds it up."""
        grace = self._settings.grace_seconds
        while True:
            overdue = passage.entered + grace - time.monotonic()
            tick = overdue if overdue > 0 else grace / 4
            tick = max(min(tick, _WAIT), _LEAST_TICK)
            asked = time.monotonic()
            if await passage.wait(tick):
                return
            now = time.monotonic()
            self._lanes.serve()
            if now - asked - tick <= _BUSY:
                self._park_overdue(now, everything=stopping.is_set())

    def _park_overdue(self, now: float, *, everything: bool) -> None:
        """Park what holds up the oldest chunk at an instant of the monotonic clock, and what waits in others that are
        overdue for destinations that do not answer: each chunk would wait for them anew.
        """
        oldest = self._passages[0]
        for passage in takewhile(lambda each: now - each.entered >= self._settings.grace_seconds, self._passages):
            for portion in passage.portions if passage.open else ():
                if everything or self._holds_up(portion, now, oldest=passage is oldest):
                    portion.lane.park_rest(portion)
                elif portion.pieces:
                    portion.lane.park_late(portion, now)

    def _holds_up(self, portion: Portion, now: float, *, oldest: bool) -> bool:
        """Is a portion that is overdue to make way? One that is merely slow only where it is of the oldest chunk."""
        if portion.taken == len(portion.items):
            return False
        if not portion.lane.flowing(now):
            return True
        if not oldest:
            return False
        patience = self._settings.grace_seconds * _PATIENCE
        if not self._window.full and now - portion.passage.entered < patience:
            return False
        return self._lanes.somebody_hungry(portion.lane)

    async def _write(self, passages: list[Passage]) -> None:
        """Commit chunks: their outcomes and the cursor past them, in one transaction."""
        at = int(time.time() * 1000)
        batches = [batch for passage in passages if (batch := passage.outcomes(at)).counts]
        records = [Record(b"", b"", encode_outcomes(batch)) for batch in batches]
        position = passages[-1].next
        appends = [Append(OUTCOMES, records)] if records else []
        commit = Commit(GROUP, PROCESSED, position)
        await _patiently(lambda: self._log.transact(self._partition, appends, [commit]))
        self._committed[self._partition] = position
        for passage in passages:
            self._passages.popleft()
            self._let_go(passage)
        for batch in batches:
            for count in batch.counts:
                self._tally.add(count.destination_id, count.step, count.reason, count.events)
        self._tally.tell(time.monotonic())

    def _let_go(self, passage: Passage) -> None:
        self._window.give(passage.events)
        for portion in passage.portions:
            portion.lane.in_window -= 1
        passage.clear()


class _Reader:
    """Reads each event of a chunk once, however many destinations want to look into it. `asked` counts the looks."""

    def __init__(self) -> None:
        self.asked = 0
        self._read: dict[int, Event] = {}

    def read(self, item: Item) -> Event:
        self.asked += 1
        found = self._read.get(item.position)
        if found is None:
            found = self._read[item.position] = item.read()
        return found


def _new(items: list[Item], known: set[tuple[int, str]]) -> list[Item]:
    if not known:
        return items
    before = {position for position, _ in known}
    return [item for item in items if item.position not in before]


async def _patiently(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What is asked for, however long its giver is away."""
    while True:
        try:
            return await ask()
        except Unavailable as error:
            await asyncio.sleep(error.retry_after)
