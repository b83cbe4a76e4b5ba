"""Working for a group together with other processes: Kafka says which partitions fall to whom.

One thread keeps the membership alive; it reads nothing. Partitions move one by one (cooperative rebalancing): a worker
goes on with those that it keeps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from headwater.eventlog import Holder
from headwater.eventlog.kafka.reach import Reach, log
from headwater.eventlog.streams import Stream

_LOOK_SECONDS: Final = 0.2
_MISSED_SECONDS: Final = 10
"""A worker of which nothing was heard for so long is replaced."""

_RESTART_SECONDS: Final = 45
"""The same for one with a name of its own, which is waited for while it is started anew."""

_HANDOVER_SECONDS: Final = 120.0


class Workers:
    """One process among those that work for a group; a `Membership`."""

    def __init__(self, reach: Reach, group: str, stream: Stream, holder: Holder) -> None:
        self._holder = holder
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._leaving = threading.Event()
        named = {"group_instance_id": f"{reach.instance}.{group}"} if reach.instance else {}
        missed = _RESTART_SECONDS if reach.instance else _MISSED_SECONDS
        self._consumer = Consumer(
            reach.consumer(
                reach.workers(group),
                partition_assignment_strategy="cooperative-sticky",
                session_timeout_ms=missed * 1_000,
                heartbeat_interval_ms=2_000,
                max_poll_interval_ms=int(_HANDOVER_SECONDS * 2_000),
                **named,
            )
        )
        self._consumer.subscribe(
            [reach.name(stream)], on_assign=self._take, on_revoke=self._give_back, on_lost=self._give_back
        )
        self._thread = threading.Thread(target=self._stay, name=f"eventlog-{group}", daemon=True)
        self._thread.start()

    async def leave(self) -> None:
        """Give back what this process holds, and work for the group no longer."""
        self._leaving.set()
        await asyncio.to_thread(self._thread.join)

    def _stay(self) -> None:
        while not self._leaving.is_set():
            try:
                message = self._consumer.poll(_LOOK_SECONDS)
                if message is not None and (error := message.error()) is not None:
                    log.debug("Working for %s: %s", self._group, error.str())
            except KafkaException as error:
                log.warning("Working for %s: %s", self._group, error.args[0].str())
        self._consumer.close()

    def _take(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            each.offset = 0
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._do(self._holder.take, [each.partition for each in partitions])

    def _give_back(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._do(self._holder.give_back, [each.partition for each in partitions])
        consumer.incremental_unassign(partitions)

    def _do(self, verb: Callable[[Sequence[int]], Awaitable[None]], partitions: Sequence[int]) -> None:
        async def do() -> None:
            await verb(partitions)

        try:
            asyncio.run_coroutine_threadsafe(do(), self._loop).result(_HANDOVER_SECONDS)
        except Exception as error:
            log.warning("Handing over partitions %s of %s: %r", list(partitions), self._group, error)
