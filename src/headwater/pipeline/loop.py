"""The loop: reads a chunk, has it processed, and commits what came of it in one transaction."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headwater import telemetry
from headwater.eventlog import Append, Chunk, Commit, Record
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED
from headwater.pipeline.graphs import StoredGraph, write
from headwater.pipeline.plan import Enrichment, Plan, compile_plan
from headwater.pipeline.process import Work, process
from headwater.pipeline.resolve import Identities
from headwater.pipeline.seen import Seen, index_folder
from headwater.profiles.identity.view import StaleView
from headwater.spec.errors import Unavailable
from headwater.spec.event import decode_collected
from headwater.spec.outcome import encode_outcomes
from headwater.store import moved

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.eventlog import EventLog
    from headwater.spec.settings import PipelineSettings
    from headwater.store import Store
    from headwater.store.snapshot import Snapshot

GROUP = "pipeline"
_WAIT = 1.0
_TRIES = 20
_MARGIN_MS = 3_600_000
"""How far moments of events may be from those of the log: clocks of hosts, and events that waited outside of it."""


async def pipeline(
    *,
    log: EventLog,
    store: Store,
    snapshot: Snapshot,
    settings: PipelineSettings,
    enrichments: Sequence[Enrichment],
    folder: Path,
    keep_seconds: int,
    stopping: asyncio.Event,
    traced: bool = True,
) -> None:
    """Process the partitions that fall to this process until told to stop; then finish the chunk at hand and return.

    `folder` is the data folder, for the index of messageIds, whose entries are kept for `keep_seconds`. Unless the
    trace looks events up in it (`traced`), it need only know what deduplication asks for.
    """

    async def work_on(partition: int, leaving: asyncio.Event) -> None:
        seen = Seen(
            index_folder(folder, partition),
            keep_seconds=keep_seconds,
            window_ms=settings.dedup_window_hours * 3_600_000,
        )
        walk = Walk(log, snapshot, settings, enrichments, store=store, partition=partition, seen=seen, traced=traced)
        await walk.run(leaving)

    await work(log, GROUP, COLLECTED, work_on, stopping)


class Walk:
    """One partition's way through the pipeline."""

    def __init__(
        self,
        log: EventLog,
        snapshot: Snapshot,
        settings: PipelineSettings,
        enrichments: Sequence[Enrichment],
        *,
        store: Store,
        partition: int,
        seen: Seen,
        traced: bool = True,
    ) -> None:
        self._log = log
        self._store = store
        self._snapshot = snapshot
        self._settings = settings
        self._enrichments = enrichments
        self._partition = partition
        self._seen = seen
        self._traced = traced
        self._identities = Identities(
            lambda space: StoredGraph(store, space), remembered=settings.remembered_identifiers
        )
        self._plan: Plan | None = None
        self._end = 0
        self._place = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. A log that is away is waited for; nothing is lost meanwhile."""
        try:
            position = await self._log.committed(GROUP, COLLECTED, self._partition)
            since = None if self._traced else await self._since(position)
            if former := await self._former(stopping):
                await self._seen.inherit(self._log, self._partition, former, await self._since(position))
            await self._seen.catch_up(self._log, self._partition, since_ms=since)
            _, self._end = await self._log.bounds(PROCESSED, self._partition)
            self._place = self._end
            while not stopping.is_set():
                try:
                    position = await self._step(position)
                except Unavailable as error:
                    self._identities.forget()
                    await asyncio.sleep(error.retry_after)
        finally:
            self._seen.close()

    async def _former(self, stopping: asyncio.Event) -> dict[int, int]:
        """Where the partitions ended that the house had before it was moved; empty when it never was."""
        while not stopping.is_set():
            try:
                return await self._store.read(_moved)
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
        return {}

    async def _since(self, position: int) -> int:
        """From when on events can be what those that wait at a position repeat, in milliseconds."""
        chunk = await self._log.read(COLLECTED, self._partition, position, max_records=1, max_bytes=1)
        oldest = min([_now(), *(decode_collected(record.header).received_at for record in chunk.records)])
        return oldest - self._settings.dedup_window_hours * 3_600_000 - _MARGIN_MS

    async def _step(self, position: int) -> int:
        chunk = await self._log.read(
            COLLECTED,
            self._partition,
            position,
            max_records=self._settings.chunk_records,
            max_bytes=self._settings.chunk_bytes,
            wait=_WAIT,
        )
        if not chunk.records:
            return chunk.next
        started = time.perf_counter()
        work = await self._work(chunk)
        await self._commit(work, chunk.next)
        _count(work, time.perf_counter() - started)
        return chunk.next

    async def _work(self, chunk: Chunk) -> Work:
        """Process a chunk, and write what it changed in the identity graphs; again, if another process was faster.

        The graphs are written before the chunk is committed. If this process ends in between, the chunk is resolved
        once more, finds its identifiers there, and comes to the same profiles.
        """
        for _ in range(_TRIES):
            plan = await self._current_plan(chunk)
            self._identities.begin(plan.workspace)
            try:
                work = process(
                    chunk,
                    plan,
                    partition=self._partition,
                    now=_now(),
                    find_duplicates=self._seen.screen(),
                    resolve=self._identities.resolve,
                    place=self._place,
                )
            except StaleView:
                self._identities.forget()
                continue
            changed = self._identities.changes()
            if not changed:
                return work
            if await write(self._store, changed):
                self._identities.written()
                return work
            self._identities.forget()
            await self._snapshot.refresh()
        raise Unavailable("Other processes change the same profiles without end.")

    async def _current_plan(self, chunk: Chunk) -> Plan:
        """The plan of the newest workspace known.

        Collect and this process may hear of a new source or write key at different moments, and no event must fail for
        that: a source that the plan lacks, or that collect did not know, is looked up once more.
        """
        plan = self._compiled()
        sources = {decode_collected(record.header).source_id for record in chunk.records}
        if not sources <= plan.sources.keys():
            await self._snapshot.refresh()
            plan = self._compiled()
        return plan

    def _compiled(self) -> Plan:
        workspace = self._snapshot.current
        if self._plan is None or self._plan.workspace is not workspace:
            self._plan = compile_plan(workspace, self._enrichments)
        return self._plan

    async def _commit(self, work: Work, position: int) -> None:
        appends = [Append(OUTCOMES, [Record(b"", b"", encode_outcomes(work.outcomes))])]
        if work.records:
            appends.insert(0, Append(PROCESSED, work.records))
        firsts = await self._log.transact(self._partition, appends, [Commit(GROUP, COLLECTED, position)])
        if work.records:
            gap = firsts[0] - self._end
            self._end = firsts[0] + len(work.records)
            self._place = self._end + gap
            self._seen.remember(work.message_ids, work.moments, range(firsts[0], self._end))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _moved(connection: Connection) -> dict[int, int]:
    return moved.ends(connection, PROCESSED.name)


def _count(work: Work, seconds: float) -> None:
    sums: Counter[tuple[str, str]] = Counter()
    for count in work.outcomes.counts:
        if not count.destination_id:
            sums[count.step, count.reason] += count.events
    for (step, reason), events in sums.items():
        telemetry.PIPELINE_EVENTS.labels(step, reason).inc(events)
    telemetry.PIPELINE_CHUNK.observe(seconds)
