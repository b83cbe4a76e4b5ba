"""Working for a group together with other processes: Kafka says which partitions fall to whom.

One thread keeps the membership alive; it reads nothing. Partitions move one by one (cooperative rebalancing): a worker
goes on with those that it keeps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from headwater.eventlog import Holder
from headwater.eventlog.kafka.reach import RETRY_SECONDS, Reach, log
from headwater.eventlog.streams import Stream

_LOOK_SECONDS: Final = 0.2
_MISSED_SECONDS: Final = 10
"""A worker of which nothing was heard for so long is replaced."""

_RESTART_SECONDS: Final = 45
"""The same for one with a name of its own, which is waited for while it is started anew."""

_HANDOVER_SECONDS: Final = 120.0

_FOR_GOOD: Final = frozenset(
    {
        KafkaError._FATAL,  # pyright: ignore[reportPrivateUsage] - the library's name for it
        KafkaError.FENCED_INSTANCE_ID,
    }
)


class Workers:
    """One process among those that work for a group; a `Membership`."""

    def __init__(self, reach: Reach, group: str, stream: Stream, holder: Holder) -> None:
        self._reach = reach
        self._stream = stream
        self._holder = holder
        self._group = group
        self._held: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._leaving = threading.Event()
        self._consumer = self._joined(reach.instance)
        self._thread = threading.Thread(target=self._stay, name=f"eventlog-{group}", daemon=True)
        self._thread.start()

    def _joined(self, name: str) -> Consumer:
        """A member of the group, with a name of its own or without one."""
        named = {"group_instance_id": f"{name}.{self._group}"} if name else {}
        missed = _RESTART_SECONDS if name else _MISSED_SECONDS
        consumer = Consumer(
            self._reach.consumer(
                self._reach.workers(self._group),
                partition_assignment_strategy="cooperative-sticky",
                session_timeout_ms=missed * 1_000,
                heartbeat_interval_ms=2_000,
                max_poll_interval_ms=int(_HANDOVER_SECONDS * 2_000),
                **named,
            )
        )
        consumer.subscribe(
            [self._reach.name(self._stream)],
            on_assign=self._take,
            on_revoke=self._give_back,
            on_lost=self._give_back,
        )
        return consumer

    async def leave(self) -> None:
        """Give back what this process holds, and work for the group no longer."""
        self._leaving.set()
        await asyncio.to_thread(self._thread.join)

    def _stay(self) -> None:
        while not self._leaving.is_set():
            error = _error_of(self._consumer)
            if error is None:
                continue
            if error.fatal() or error.code() in _FOR_GOOD:
                self._begin_anew(error)
            else:
                log.debug("Working for %s: %s", self._group, error.str())
        self._consumer.close()
        self._let_go()

    def _begin_anew(self, error: KafkaError) -> None:
        """Join once more, without a name: most likely another process has the same, and Kafka lets only one have it."""
        log.warning(
            "Working for %s ended: %s. It is begun anew without a name; log.instance must be another for each process.",
            self._group,
            error.str(),
        )
        self._let_go()
        self._consumer.close()
        self._leaving.wait(RETRY_SECONDS)
        self._consumer = self._joined("")

    def _let_go(self) -> None:
        """Give back what Kafka did not ask back."""
        if self._held:
            self._do(self._holder.give_back, sorted(self._held))
            self._held.clear()

    def _take(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            each.offset = 0
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._held.update(each.partition for each in partitions)
        self._do(self._holder.take, [each.partition for each in partitions])

    def _give_back(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._do(self._holder.give_back, [each.partition for each in partitions])
        self._held.difference_update(each.partition for each in partitions)
        consumer.incremental_unassign(partitions)

    def _do(self, verb: Callable[[Sequence[int]], Awaitable[None]], partitions: Sequence[int]) -> None:
        async def do() -> None:
            await verb(partitions)

        try:
            asyncio.run_coroutine_threadsafe(do(), self._loop).result(_HANDOVER_SECONDS)
        except Exception as error:
            log.warning("Handing over partitions %s of %s: %r", list(partitions), self._group, error)


def _error_of(consumer: Consumer) -> KafkaError | None:
    """Have a member do its part for a moment. Returns what went wrong, if anything did."""
    try:
        message = consumer.poll(_LOOK_SECONDS)
        return None if message is None else message.error()
    except KafkaException as error:
        return error.args[0]
