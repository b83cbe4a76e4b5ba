"""The cursors of groups, and which groups are known. Blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from headwater.eventlog import FORGOTTEN
from headwater.eventlog.kafka.reach import ANSWER_SECONDS, Reach, asked, away
from headwater.eventlog.kafka.transacting import GONE
from headwater.eventlog.retention import Place
from headwater.eventlog.streams import STREAMS, Stream

_TELL_AGAIN_SECONDS: Final = 86_400.0


class Cursors:
    """What groups have dealt with. Kafka forgets a cursor that nobody sets for long (offsets.retention.minutes)."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._lock = threading.Lock()
        self._speakers: dict[str, Consumer] = {}
        self._admin = AdminClient(reach.client())
        self._set: dict[tuple[str, str, int], tuple[int, float]] = {}

    def members(self, group: str) -> Any:
        """What a transaction must know of a group to set its cursors."""
        return self._speaker(group).consumer_group_metadata()

    def committed(self, group: str, stream: Stream, partition: int) -> int:
        """See EventLog.committed."""
        wanted = [self._reach.at(stream, partition)]
        try:
            (found,) = asked(lambda: self._speaker(group).committed(wanted, timeout=ANSWER_SECONDS))
        except KafkaException as error:
            raise away(error) from error
        return found.offset if _is_known(found) else 0

    def commit(self, group: str, stream: Stream, partition: int, position: int) -> None:
        """See EventLog.commit; FORGOTTEN makes the group unknown."""
        gone = position == FORGOTTEN
        place = self._reach.at(stream, partition, 0 if gone else position, GONE if gone else "")
        try:
            asked(lambda: self._speaker(group).commit(offsets=[place], asynchronous=False))
        except KafkaException as error:
            raise away(error) from error
        self.note(group, stream, partition, position)

    def note(self, group: str, stream: Stream, partition: int, position: int) -> None:
        """A cursor was set by this process, at this moment."""
        self._set[group, stream.name, partition] = (position, time.monotonic())

    def tell_again(self) -> None:
        """Set those cursors anew that this process set last, and long ago: else Kafka forgets them."""
        now = time.monotonic()
        for (group, name, partition), (position, at) in list(self._set.items()):
            if now - at < _TELL_AGAIN_SECONDS:
                continue
            if position != FORGOTTEN and self.committed(group, STREAMS[name], partition) == position:
                self.commit(group, STREAMS[name], partition, position)
            else:
                self._set.pop((group, name, partition), None)

    def places(self, partition: int | None = None) -> dict[int, list[Place]]:
        """Where every known group stands, by partition; only in one if it is given."""
        found: dict[int, list[Place]] = {}
        names = {self._reach.name(stream): stream.name for stream in STREAMS.values()}
        for group, offsets in self._offsets():
            for each in offsets:
                if each.topic in names and _is_known(each) and partition in (None, each.partition):
                    found.setdefault(each.partition, []).append(Place(group, names[each.topic], each.offset))
        return found

    def _offsets(self) -> Iterator[tuple[str, Sequence[TopicPartition]]]:
        prefix = self._reach.group("")
        try:
            listed = self._admin.list_consumer_groups(request_timeout=ANSWER_SECONDS).result()
            ids = [each.group_id for each in listed.valid if each.group_id.startswith(prefix)]
            asked: list[Mapping[str, Future[Any]]] = [
                self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(id)]) for id in ids
            ]
            for id, answer in zip(ids, asked, strict=True):
                yield id.removeprefix(prefix), answer[id].result().topic_partitions
        except KafkaException as error:
            raise away(error) from error

    def _speaker(self, group: str) -> Consumer:
        """A consumer that never joins its group, for asking and saying where the group stands."""
        with self._lock:
            if group not in self._speakers:
                self._speakers[group] = Consumer(self._reach.consumer(self._reach.group(group)))
            return self._speakers[group]

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            speakers, self._speakers = self._speakers, {}
        for speaker in speakers.values():
            speaker.close()


def _is_known(found: TopicPartition) -> bool:
    return found.offset >= 0 and found.metadata != GONE
