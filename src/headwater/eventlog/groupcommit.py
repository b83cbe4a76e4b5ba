"""One thread that writes one partition of one volume: whatever waits at a moment becomes one transaction.

Everybody who waits for the disk at a time waits for the same fsync. The answers of a group go back to the event loop in
one call. Rolling to a new segment and folding the write-ahead log come after the answers, not before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Final

import msgspec

from headwater.eventlog import Append, Commit, Record
from headwater.eventlog import segments as files
from headwater.eventlog.retention import Head, Span
from headwater.eventlog.strand import Strand
from headwater.spec.errors import Unavailable

_log = logging.getLogger(__name__)
_GROUP_BYTES: Final = 8_000_000
_CACHE_BYTES: Final = 12_000_000
_FOLD_PAGES: Final = 2_048
_LOOK_BYTES: Final = 1_000_000
_REST_SECONDS: Final = 1.0


class Job(msgspec.Struct, frozen=True):
    """What one caller asks for. The future gets the first position of each append, or an exception."""

    appends: Sequence[Append]
    commits: Sequence[Commit]
    future: asyncio.Future[list[int]]


class Limits(msgspec.Struct, frozen=True):
    """When a segment is sealed, and what tells the time (milliseconds) and the free disk (bytes)."""

    segment_bytes: int
    segment_seconds: float
    min_free_bytes: int
    clock: Callable[[], int]
    free_bytes: Callable[[], int]


class Writer:
    """Takes jobs from any thread; writes, rolls and answers from its own. Lives until `stop`."""

    def __init__(
        self, strand: Strand, limits: Limits, *, background: Executor, grown: Callable[[set[str]], None]
    ) -> None:
        """`background` folds write-ahead logs; `grown` is called on the callers' loop with the streams appended to."""
        self._strand = strand
        self._limits = limits
        self._background = background
        self._grown = grown
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._segment: _Active | None = None
        self._rests_until = 0.0
        self._thread = threading.Thread(target=self._run, name=f"eventlog-{strand.folder.name}", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Hand over a job; its future is resolved on its own loop."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Finish what has been handed over, and let go of the file. Blocks."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            jobs, going = self._take()
            if jobs:
                self._serve(jobs)
        if self._segment is not None:
            self._segment.connection.close()

    def _take(self) -> tuple[list[Job], bool]:
        job = self._jobs.get()
        jobs: list[Job] = []
        room = _GROUP_BYTES
        while job is not None:
            jobs.append(job)
            room -= _roughly_bytes(job)
            if room <= 0:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _serve(self, jobs: list[Job]) -> None:
        answers: Sequence[list[int] | Exception]
        try:
            jobs = self._refuse_without_room(jobs)
            answers = self._write(jobs) if jobs else []
        except (sqlite3.OperationalError, OSError) as error:
            self._let_go()
            answers = [Unavailable(f"The log cannot write: {error}.") for _ in jobs]
        except Exception as error:  # a caller's bug, which is not the bug of those who waited with it
            self._let_go()
            if len(jobs) > 1:
                for job in jobs:
                    self._serve([job])
                return
            answers = [error]
        self._answer(jobs, answers)
        if time.monotonic() >= self._rests_until:
            self._look_after_segment()

    def _refuse_without_room(self, jobs: list[Job]) -> list[Job]:
        """Keep the jobs that may be written as full as the disk is, and answer the others.

        Cursors always may. What moves records on, so that they can be trimmed, may use half of the reserve.
        """
        free, least = self._limits.free_bytes(), self._limits.min_free_bytes
        if free >= least:
            return jobs
        allowed: list[Job] = []
        refused: list[Job] = []
        for job in jobs:
            may = not job.appends or (job.commits and free >= least // 2)
            (allowed if may else refused).append(job)
        text = f"The disk of the log has {free} bytes left and must keep {least}; make room."
        self._answer(refused, [Unavailable(text, retry_after=5.0) for _ in refused])
        return allowed

    def _answer(self, jobs: Sequence[Job], answers: Sequence[list[int] | Exception]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, list[int] | Exception]]] = {}
        for job, answer in zip(jobs, answers, strict=True):
            by_loop.setdefault(job.future.get_loop(), []).append((job, answer))
        for loop, pairs in by_loop.items():
            with contextlib.suppress(RuntimeError):  # a loop that has ended waits for nothing
                loop.call_soon_threadsafe(_resolve, pairs, self._grown)

    def _write(self, jobs: list[Job]) -> list[list[int]]:
        segment, heads = self._begin()
        connection = segment.connection
        try:
            firsts, written = _stow(connection, jobs, heads, self._limits.clock())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        segment.note(written)
        return firsts

    def _begin(self) -> tuple[_Active, dict[str, Head]]:
        """Take the write lock of the active segment. Another process may have sealed the one at hand."""
        while True:
            segment = self._segment = self._segment or _Active(self._strand)
            files.begin(segment.connection)
            heads = files.read_heads(segment.connection, segment.spans, segment.heads_query)
            if heads is not None:
                return segment, heads
            segment.connection.execute("ROLLBACK")
            if self._strand.refresh()[-1] == segment.number:
                raise sqlite3.OperationalError(f"{segment.path} is sealed, and the segment after it is missing")
            self._let_go()

    def _look_after_segment(self) -> None:
        """Roll and fold when it is time. What fails is tried again after a second; until then the segment grows."""
        segment = self._segment
        try:
            if segment is None:
                return
            if segment.is_due(self._limits):
                self._roll(segment)
            else:
                segment.fold_when_due(self._background)
        except Exception:
            _log.exception("A segment of the log could not be looked after; it is tried again.")
            self._rests_until = time.monotonic() + _REST_SECONDS
            self._let_go()

    def _roll(self, due: _Active) -> None:
        segment, heads = self._begin()
        connection = segment.connection
        now = self._limits.clock()
        if segment is not due:
            connection.execute("ROLLBACK")  # another process was first
            return
        if segment.is_empty(heads):
            connection.execute("ROLLBACK")
            segment.created_at = now  # cursors alone are overwritten in place; another file would hold nothing more
            return
        every = {stream.name: heads.get(stream.name, Head(0, 0)) for stream in self._strand.streams}
        places = files.read_places(connection) or []
        files.make_segment(self._strand.path(segment.number + 1), every, places, created_at=now)
        files.write_seal(connection, heads)
        connection.execute("COMMIT")
        self._strand.refresh()
        self._background.submit(files.fold, segment.path, "TRUNCATE")
        self._let_go()

    def _let_go(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            self._background.submit(segment.connection.close)  # the last one to close folds the write-ahead log


class _Active:
    """The segment that takes records, open for writing."""

    def __init__(self, strand: Strand) -> None:
        self.number = strand.refresh()[-1]
        self.path = strand.path(self.number)
        self.connection = files.connect(self.path, cache_bytes=_CACHE_BYTES)
        self.spans: dict[str, Span] = files.read_spans(self.connection)
        self.heads_query = files.heads_query(self.spans)
        self.created_at = files.read_created_at(self.connection)
        self.complete = {stream.name for stream in strand.streams} == set(self.spans)
        self.pages = files.count_pages(self.connection)
        files.wait_no_longer(self.connection)
        self._unseen = 0
        self._unfolded = 0
        self._folding: Future[bool] | None = None

    def note(self, written: int) -> None:
        """Count what one transaction wrote; every now and then ask how large the file has become."""
        self._unfolded += 2 + written // files.PAGE_BYTES
        self._unseen += written
        if self._unseen > _LOOK_BYTES:
            self.pages = files.count_pages(self.connection)
            self._unseen = 0

    def is_due(self, limits: Limits) -> bool:
        """Whether it is time for the next segment: this one is large or old, or older than a stream."""
        large = self.pages * files.PAGE_BYTES + self._unseen >= limits.segment_bytes
        return large or not self.complete or limits.clock() - self.created_at >= limits.segment_seconds * 1000

    def is_empty(self, heads: dict[str, Head]) -> bool:
        """Whether no record came since the segment was made, and it has every stream."""
        return self.complete and all(head.position == self.spans[name].base.position for name, head in heads.items())

    def fold_when_due(self, background: Executor) -> None:
        """Keep the write-ahead log about as small as the file, so that it is used over again.

        It starts over at a commit that finds all of it folded. The bulk is folded in the background; the little that
        came meanwhile is folded here, where no commit of this process comes in between.
        """
        if self._folding is not None and self._folding.done():
            self._folding = None
            self._unfolded = files.fold_open(self.connection, "PASSIVE")
        elif self._folding is None and self._unfolded > self.pages + _FOLD_PAGES:
            self._folding = background.submit(files.fold, self.path, "PASSIVE")


def _roughly_bytes(job: Job) -> int:
    """The size of a job as its first records let expect it; adding up all of them would cost too much."""
    return sum(len(append.records) * len(append.records[0].value) for append in job.appends if append.records)


def _stow(
    connection: sqlite3.Connection, jobs: Sequence[Job], heads: dict[str, Head], now: int
) -> tuple[list[list[int]], int]:
    """Write the records and cursors of all jobs. Returns the first positions for each job, and the bytes written."""
    gathered: dict[str, list[Record]] = {}
    firsts: list[list[int]] = []
    for job in jobs:
        places: list[int] = []
        for append in job.appends:
            name = append.stream.name
            records = gathered.setdefault(name, [])
            places.append(heads[name].position + len(records))
            records.extend(append.records)
        firsts.append(places)
    written = 0
    for name, records in gathered.items():
        head = Head(heads[name].position, max(now, heads[name].at))
        written += files.write_rows(connection, name, head, records)
    commits = [commit for job in jobs for commit in job.commits]
    if commits:
        files.write_places(connection, commits)
    return firsts, written


def _resolve(pairs: list[tuple[Job, list[int] | Exception]], grown: Callable[[set[str]], None]) -> None:
    """On the callers' loop: hand out the answers, and wake who waits for records."""
    streams: set[str] = set()
    for job, answer in pairs:
        if isinstance(answer, Exception):
            if not job.future.done():
                job.future.set_exception(answer)
            continue
        if not job.future.done():
            job.future.set_result(answer)
        for append in job.appends:
            streams.add(append.stream.name)
    grown(streams)
