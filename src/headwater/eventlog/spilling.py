"""A log that is reached over a network, with a queue on this machine's disk for the times when it is away.

Only appends to `collected` are spilled, so it is for those who write there and answer for it: the role collect. What it
promises (docs/design/0024-the-spill.md):

- `append` returns when the records are durable in the log or in the spill.
- A writer's records of one partition come into the log in the order in which their appends returned: while the spill
  holds anything of a partition, what comes for it is spilled behind that. At first a record may come twice: where the
  log did not say whether it has it, and where the process died after draining it. Repeats are dropped by messageId.
- The spill is drained in order by whoever opens it next, too.

What it refuses: more than `spill_bytes` on the disk. Then, and when the disk itself is full, `append` raises
Unavailable.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from headwater import telemetry
from headwater.eventlog import Chunk, EventLog, Record
from headwater.eventlog.backlog import Backlog, Portion, wrap
from headwater.eventlog.streams import COLLECTED, Stream
from headwater.spec.errors import Unavailable
from headwater.spec.keys import partition_of

_log: Final = logging.getLogger("headwater.eventlog")

GROUP: Final = "drain"
NOWHERE: Final = -1
"""What `append` returns for records that were spilled: they have no position in the log yet."""

_CHUNK_RECORDS: Final = 10_000
_CHUNK_BYTES: Final = 8_000_000
_LONG_PATIENCE: Final = 10
"""An append of the drain may take so many times as long: given up early it would be sent again and again."""

_LAST_RECORDS: Final = 2_500
"""With so little left, what comes waits until the rest is drained: otherwise there would always be something left."""

_SHORT_SECONDS: Final = 0.05
TIDY_SECONDS: Final = 65.0
"""The files of a spill that was drained are removed so long afterwards: when the log's segments have become old."""

_EVER: Final = 2**62
_PARTS: Final = 16
"""The files are looked at anew, and tidied, whenever such a part of the bound was written or drained."""


class SpillingLog:
    """An EventLog over another one and a spill; to be made by `open`.

    The spill is a durable log with one partition that this process has to itself.
    """

    def __init__(
        self,
        log: EventLog,
        spill: EventLog,
        backlog: Backlog,
        *,
        spill_bytes: int,
        patience: float,
        probe_seconds: float,
        tidy_seconds: float,
    ) -> None:
        self._log = log
        self._spill = spill
        self._backlog = backlog
        self._spill_bytes = spill_bytes
        self._patience = patience
        self._probe_seconds = probe_seconds
        self._tidy_seconds = tidy_seconds
        self._now = asyncio.get_running_loop().time
        self._away: dict[int, float] = {}
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._keeping = 0
        self._stirred = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._size = self._unseen = self._drained_bytes = 0
        self._tidy = self._told = False
        self._draining: asyncio.Task[None] | None = None
        self.partitions = log.partitions
        self.transact = log.transact
        self.fence = log.fence
        self.join = log.join
        self.read = log.read
        self.committed = log.committed
        self.commit = log.commit
        self.groups = log.groups
        self.forget = log.forget
        self.bounds = log.bounds
        self.lag = log.lag
        self.position_at = log.position_at
        self.trim = log.trim
        self.size_bytes = log.size_bytes

    @classmethod
    async def open(
        cls,
        log: EventLog,
        spill: EventLog,
        *,
        spill_bytes: int,
        patience: float = 2.0,
        probe_seconds: float = 1.0,
        tidy_seconds: float = TIDY_SECONDS,
    ) -> SpillingLog:
        """Begin with what an earlier process left in the spill, which is drained first.

        An append that the log does not answer within `patience` seconds is spilled. A partition that is away is asked
        again every `probe_seconds`. Files are removed `tidy_seconds` after the spill was drained.
        """
        oldest, end = await spill.bounds(COLLECTED, 0)
        drained = max(oldest, await spill.committed(GROUP, COLLECTED, 0))
        await spill.commit(GROUP, COLLECTED, 0, drained)  # known from now on, so that nothing unread is trimmed
        backlog = Backlog(drained, end)
        made = cls(
            log,
            spill,
            backlog,
            spill_bytes=spill_bytes,
            patience=patience,
            probe_seconds=probe_seconds,
            tidy_seconds=tidy_seconds,
        )
        if not backlog.empty:
            _log.warning("The spill holds %d records of an earlier process; they are drained.", end - drained)
            made._away = dict.fromkeys(log.partitions(COLLECTED), 0.0)  # not known to be there: tried with one record
        await made._look()
        made._draining = asyncio.create_task(made._drain(), name="spill")
        return made

    @property
    def spilling(self) -> bool:
        """Does anything wait in the spill?"""
        return not self._backlog.empty

    async def append(self, stream: Stream, partition: int, records: Sequence[Record]) -> int:
        """Append records, and return the position of the first, or NOWHERE, once all are durable."""
        if stream != COLLECTED:
            return await self._log.append(stream, partition, records)
        if self._backlog.waits(partition) and not self._flowing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._flowing.wait()
        if not self._backlog.waits(partition) and not self._is_away(partition):
            try:
                async with asyncio.timeout(self._patience if self._backlog.empty else self._patience / 4):
                    first = await self._log.append(stream, partition, records)
            except (Unavailable, TimeoutError) as error:
                self._note_away(partition, error)
            else:
                if self._away:
                    self._away.pop(partition, None)
                return first
        return await self._keep(partition, records)

    def _is_away(self, partition: int) -> bool:
        return bool(self._away) and self._away.get(partition, 0.0) > self._now()

    def _note_away(self, partition: int, error: Exception) -> None:
        if not self._told:
            self._told = True
            _log.warning("The log is away (%s); what comes is spilled.", str(error) or "it does not answer")
        self._away[partition] = self._now() + self._probe_seconds

    async def _keep(self, partition: int, records: Sequence[Record]) -> int:
        await self._check_room(sum(len(record.value) + len(record.header) + len(record.key) for record in records))
        self._keeping += 1
        try:
            first = await self._spill.append(COLLECTED, 0, [wrap(partition, record) for record in records])
            self._backlog.kept(partition, first, len(records))
        finally:
            self._keeping -= 1
            self._stirred.set()
        telemetry.COLLECT_SPILLED.inc(len(records))
        self._count()
        return NOWHERE

    async def _check_room(self, incoming: int) -> None:
        self._unseen += incoming
        if self._size + self._unseen > self._spill_bytes or self._unseen > self._spill_bytes // _PARTS:
            await self._look()
            self._unseen = incoming
        if self._size + self._unseen > self._spill_bytes:
            self._unseen = 0
            text = f"The log is away, and the spill holds {self._size} bytes; it may hold {self._spill_bytes}."
            raise Unavailable(text, retry_after=5.0)

    async def _look(self) -> None:
        self._size, self._unseen = await self._spill.size_bytes(), 0
        telemetry.COLLECT_SPILL_BYTES.set(self._size)
        self._count()

    def _count(self) -> None:
        telemetry.COLLECT_SPILL_WAITING.set(max(0, self._backlog.end - self._backlog.drained))

    async def _drain(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception as error:
                self._flowing.set()
                _log.warning("The spill could not be drained; it is tried again.", exc_info=error)
                await asyncio.sleep(self._probe_seconds)

    async def _turn(self) -> None:
        """Drain one chunk, or wait for one. The last one holds appends back until it is through, and they pass it."""
        self._stirred.clear()
        if self._backlog.empty:
            if not self._keeping:
                self._flowing.set()
            await self._rest()
            return
        chunk = await self._spill.read(
            COLLECTED, 0, self._backlog.drained, max_records=_CHUNK_RECORDS, max_bytes=_CHUNK_BYTES
        )
        portions = self._backlog.portions(chunk)
        moved = await self._pass_on(chunk, portions)
        left = self._backlog.end - self._backlog.drained
        if self._backlog.drained == chunk.next and left <= _LAST_RECORDS:
            self._flowing.clear()
        else:
            self._flowing.set()
        if not moved:
            await self._until_due(portions)

    async def _until_due(self, portions: Iterable[int]) -> None:
        """Wait until an attempt ends, or it is time for another."""
        idle = [self._away.get(partition, 0.0) for partition in portions if partition not in self._attempts]
        seconds = max(min(idle) - self._now(), _SHORT_SECONDS) if idle else self._probe_seconds
        if self._attempts:
            await asyncio.wait(self._attempts.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    async def _rest(self) -> None:
        """Wait until something comes; tidy up when nothing does."""
        try:
            async with asyncio.timeout(self._tidy_seconds if self._tidy else None):
                await self._stirred.wait()
        except TimeoutError:
            self._tidy = False
            await self._trim()

    async def _pass_on(self, chunk: Chunk, portions: dict[int, Portion]) -> bool:
        """Append what a chunk holds. Returns whether the spill is drained further than before."""
        begun = [self._begin(partition, portion) for partition, portion in portions.items() if self._is_due(partition)]
        if begun:
            await asyncio.wait(begun, timeout=self._patience)
        if not self._backlog.settle(chunk, portions):
            return False
        self._tidy = True
        self._count()
        await self._spill.commit(GROUP, COLLECTED, 0, self._backlog.drained)
        self._drained_bytes += sum(len(record.value) for record in chunk.records)
        if self._drained_bytes > self._spill_bytes // _PARTS:
            await self._trim()
        if self._backlog.empty:
            self._told = False
            _log.info("The log is back, and the spill is drained.")
        return True

    def _is_due(self, partition: int) -> bool:
        return partition not in self._attempts and not self._is_away(partition)

    def _begin(self, partition: int, portion: Portion) -> asyncio.Task[None]:
        """Begin to append; a partition that was away is tried with one record, and holds up no other meanwhile."""
        if partition in self._away:
            portion = portion.first()
        attempt = asyncio.create_task(self._attempt(partition, portion), name="spill-attempt")
        self._attempts[partition] = attempt
        return attempt

    async def _attempt(self, partition: int, portion: Portion) -> None:
        try:
            async with asyncio.timeout(self._patience * _LONG_PATIENCE):
                await self._append(partition, portion.records)
        except (Unavailable, TimeoutError) as error:
            self._note_away(partition, error)
        except Exception as error:
            _log.exception("The log refuses what was spilled for partition %d; it is tried again.", partition)
            self._note_away(partition, error)
        else:
            self._away.pop(partition, None)
            self._backlog.passed(partition, portion)
        finally:
            del self._attempts[partition]

    async def _append(self, partition: int, records: Sequence[Record]) -> None:
        """Append to the partition that they were spilled for, or where they belong if the log has fewer by now."""
        partitions = len(self.partitions(COLLECTED))
        if partition < partitions:
            await self._log.append(COLLECTED, partition, records)
            return
        for record in records:
            await self._log.append(COLLECTED, partition_of(record.key, partitions), [record])

    async def _trim(self) -> None:
        self._drained_bytes = 0
        await self._spill.trim(_EVER)
        await self._look()

    async def let_go(self) -> None:
        """Stop draining and close the spill; what it holds waits for the next process. The log stays open."""
        if self._draining is not None:
            tasks = [self._draining, *self._attempts.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._spill.close()

    async def close(self) -> None:
        """Let go of the spill, and then of the log."""
        await self.let_go()
        await self._log.close()
