"""A record as a message of Kafka, and what is heard of its delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from headwater.eventlog import Record

_HEADER: Final = "header"
_MOMENT_SECONDS: Final = 0.1


class Sent:
    """Records on their way to a partition. Called with the report of each; `first` is the position of the first."""

    __slots__ = ("_done", "error", "first", "left")

    def __init__(self, records: int, done: Callable[[Sent], None] | None = None) -> None:
        self.left = records
        self.first = -1
        self.error: KafkaError | None = None
        self._done = done

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.error = error
        elif self.first < 0:
            offset = message.offset()
            self.first = -1 if offset is None else offset
        self.left -= 1
        if not self.left and self._done is not None:
            self._done(self)


def send(
    producer: Producer, name: str, partition: int, records: Sequence[Record], sent: Sent, *, at: int, patient: bool
) -> None:
    """Hand records to the producer, with their moment (milliseconds). Raises BufferError when it is full.

    `patient` makes room instead, by waiting for reports.
    """
    produce = producer.produce
    for record in records:
        while True:
            try:
                produce(
                    name,
                    record.value,
                    record.key,
                    partition,
                    on_delivery=sent,
                    timestamp=at,
                    headers=[(_HEADER, record.header)],
                )
                break
            except BufferError:
                if not patient:
                    raise
                producer.poll(_MOMENT_SECONDS)


def record_of(message: Message) -> Record:
    """The record of a message that is no error."""
    headers = cast("list[tuple[str, bytes]] | None", message.headers())
    return Record(message.key() or b"", headers[0][1] if headers else b"", message.value() or b"")


def failed(error: KafkaError) -> KafkaException:
    """The exception of an error that was reported."""
    return KafkaException(error)
