"""One thread that writes the transactions of one group in one partition: whatever waits at a moment becomes one.

Its transactional id names group and partition, so whoever begins there (`fence`) shuts out all who began before: of a
worker that lost the partition without noticing no transaction goes through any more.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from headwater.eventlog import FORGOTTEN, Append, Commit, Moved
from headwater.eventlog.kafka.messages import Sent, failed, send
from headwater.eventlog.kafka.reach import Reach, away, is_lost, log
from headwater.spec.errors import HeadwaterError, Unavailable

GONE: Final = "forgotten"
"""What stands beside the cursor of a group that is not known any more."""

_TRANSACTION_MS: Final = 60_000
_PATIENCE_SECONDS: Final = 20.0
"""How long the brokers may take to settle among themselves before a transaction is given up."""

_STEP_SECONDS: Final = 4.0
_FAREWELL_SECONDS: Final = 10.0
_JOBS: Final = 200


class _Job(msgspec.Struct, frozen=True):
    appends: Sequence[Append]
    commits: Sequence[Commit]
    future: asyncio.Future[list[int]]
    fence: bool = False


class Transactor:
    """The writer of one group and partition.

    A `stuck` one is of no use any more. The library may wait for ever, whatever time it is given, for a broker that
    kept the group's cursors and is gone (librdkafka 5456 and 5511); another client finds the broker that took over.
    """

    def __init__(
        self, reach: Reach, name: str, partition: int, clock: Callable[[], int], members: Callable[[str], Any]
    ) -> None:
        """`members` gives what Kafka calls the metadata of the consumer group that keeps a group's cursors."""
        self._reach = reach
        self._id = f"{reach.prefix}.{name}.{partition}"
        self._partition = partition
        self._clock = clock
        self._members = members
        self._producer: Producer | None = None
        self._lost = False
        self._telling: float | None = None
        self.stuck = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._kept: list[_Job | None] = []
        self._thread = threading.Thread(target=self._run, name=f"eventlog-{name}-{partition}", daemon=True)
        self._thread.start()

    async def fence(self) -> None:
        """Shut out whoever wrote here before. Raises Unavailable while the brokers do not answer."""
        await self._put((), (), fence=True)

    async def transact(self, appends: Sequence[Append], commits: Sequence[Commit]) -> list[int]:
        """All or nothing; see EventLog.transact."""
        return await self._put(appends, commits)

    async def _put(self, appends: Sequence[Append], commits: Sequence[Commit], *, fence: bool = False) -> list[int]:
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(appends, commits, future, fence))
        while not (await asyncio.wait([future], timeout=1.0))[0]:
            told = self._telling
            if told is not None and time.monotonic() - told > 2 * _STEP_SECONDS:
                self.stuck = True
                self._jobs.put(None)
                log.warning("A transaction of %s hangs; another client takes its place.", self._id)
            if self.stuck:
                raise Moved("A transaction hangs; nobody knows what became of it.")
        return future.result()

    def close(self) -> None:
        """End what is under way. Blocks."""
        self._jobs.put(None)
        self._thread.join(_FAREWELL_SECONDS)

    def _run(self) -> None:
        while jobs := self._gather():
            self._serve(jobs)
        self._producer = None

    def _gather(self) -> list[_Job]:
        """What is to be done together: all that waits, or a fence alone; nothing at the end."""
        jobs: list[_Job] = []
        while not jobs or (len(jobs) < _JOBS and (self._kept or not self._jobs.empty())):
            job = self._kept.pop() if self._kept else self._jobs.get()
            if job is None or (job.fence and jobs):
                self._kept.append(job)
                break
            jobs.append(job)
            if job.fence:
                break
        return jobs

    def _serve(self, jobs: Sequence[_Job]) -> None:
        try:
            answers = self._answers(jobs)
        except HeadwaterError as error:
            answers = [error] * len(jobs)
        except Exception as error:
            log.exception("A transaction failed.")
            answers = [Unavailable(f"The log cannot write: {error}.")] * len(jobs)
        loop = jobs[0].future.get_loop()
        loop.call_soon_threadsafe(_answer, list(zip(jobs, answers, strict=True)))

    def _answers(self, jobs: Sequence[_Job]) -> Sequence[list[int] | HeadwaterError]:
        if jobs[0].fence:
            self._producer, self._lost = None, False
            self._opened()
            return [[]]
        if self._lost:
            raise Moved("Another worker writes here, or began to.")
        producer = self._opened()
        try:
            return self._write(producer, jobs)
        except KafkaException as error:
            raise self._given_up(producer, error) from error
        except SystemError as error:  # the library's words for a fatal error that it came upon while it made reports
            if not isinstance(error.__cause__, KafkaException):
                raise
            raise self._given_up(producer, error.__cause__) from error

    def _opened(self) -> Producer:
        if self._producer is not None:
            return self._producer
        producer = Producer(self._reach.producer(transactional_id=self._id, transaction_timeout_ms=_TRANSACTION_MS))
        try:
            _patiently(producer.init_transactions, time.monotonic() + _PATIENCE_SECONDS)
        except KafkaException as error:
            raise away(error) from error
        self._producer = producer
        return producer

    def _write(self, producer: Producer, jobs: Sequence[_Job]) -> list[list[int]]:
        producer.begin_transaction()
        at = self._clock()
        sent = [[self._send(producer, append, at) for append in job.appends] for job in jobs]
        cursors: dict[str, dict[str, Commit]] = {}
        for commit in (commit for job in jobs for commit in job.commits):
            cursors.setdefault(commit.group, {})[commit.stream.name] = commit
        until = time.monotonic() + _PATIENCE_SECONDS
        while producer.flush(1.0):
            if time.monotonic() > until:
                raise failed(KafkaError(KafkaError._TIMED_OUT))  # pyright: ignore[reportPrivateUsage]
        for each in (each for one in sent for each in one):
            if each.error is not None:
                raise failed(each.error)
        for group, commits in cursors.items():
            places = [self._place(commit) for commit in commits.values()]
            _patiently(partial(self._tell, producer, places, self._members(group)), until)
        _patiently(producer.commit_transaction, until)
        return [[each.first for each in one] for one in sent]

    def _tell(self, producer: Producer, places: list[TopicPartition], members: Any, seconds: float) -> None:
        self._telling = time.monotonic()
        try:
            producer.send_offsets_to_transaction(places, members, seconds)
        finally:
            self._telling = None

    def _send(self, producer: Producer, append: Append, at: int) -> Sent:
        sent = Sent(len(append.records))
        name = self._reach.name(append.stream)
        send(producer, name, self._partition, append.records, sent, at=at, patient=True)
        return sent

    def _place(self, commit: Commit) -> TopicPartition:
        if commit.position == FORGOTTEN:
            return self._reach.at(commit.stream, self._partition, 0, GONE)
        return self._reach.at(commit.stream, self._partition, commit.position)

    def _given_up(self, producer: Producer, error: KafkaException) -> HeadwaterError:
        """What a transaction that failed means. When nobody can know whether it went through, the partition counts as
        lost: whoever begins there anew finds out by the cursor.
        """
        log.warning("A transaction of %s was given up: %s", self._id, error.args[0].str())
        if not is_lost(error):
            try:
                _patiently(producer.abort_transaction, time.monotonic() + _PATIENCE_SECONDS)
                return away(error)
            except KafkaException as worse:
                error = worse
        self._producer, self._lost = None, True
        return Moved(f"The log knows another worker here, or lost sight of this one: {error.args[0].str()}.")


def _patiently(step: Callable[[float], None], until: float) -> None:
    """Repeat a step of a transaction for as long as it may be repeated, until an instant of the monotonic clock.

    A step that waits for a broker which is gone is not told that another took its place before it is asked again.
    """
    while True:
        try:
            step(_STEP_SECONDS)
            return
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > until:
                raise


def _answer(pairs: Sequence[tuple[_Job, list[int] | HeadwaterError]]) -> None:
    for job, answer in pairs:
        if job.future.done():
            continue
        if isinstance(answer, HeadwaterError):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)
