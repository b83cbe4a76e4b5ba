"""How Kafka is reached: the URL, the client's properties, and what its errors mean. Nothing here connects."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from headwater.eventlog.streams import Stream
from headwater.spec.errors import SetupError, Unavailable

T = TypeVar("T")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,200}")
log = logging.getLogger("headwater.eventlog.kafka")
SCHEME: Final = "kafka"
ANSWER_SECONDS: Final = 10.0
"""How long a question to the brokers may take."""

RETRY_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 0.05
_RECORD_BYTES: Final = 12_000_000
"""The largest record: some times the largest request that collect takes."""

_LOST: Final = frozenset(
    {
        KafkaError._FENCED,  # pyright: ignore[reportPrivateUsage] - the library's names for its own errors
        KafkaError._STATE,  # pyright: ignore[reportPrivateUsage]
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_TXN_STATE,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
    }
)
_PASSING: Final = frozenset(
    {
        KafkaError._TIMED_OUT,  # pyright: ignore[reportPrivateUsage]
        KafkaError._TRANSPORT,  # pyright: ignore[reportPrivateUsage]
        KafkaError._DESTROY_BROKER,  # pyright: ignore[reportPrivateUsage]
        KafkaError._WAIT_COORD,  # pyright: ignore[reportPrivateUsage]
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
"""What brokers answer while they settle who is in charge of what."""


class Reach(msgspec.Struct, frozen=True):
    """Where the log is, and how it is spoken to."""

    servers: str
    prefix: str
    properties: dict[str, str]
    instance: str = ""

    def name(self, stream: Stream) -> str:
        """What a stream is called there."""
        return f"{self.prefix}.{stream.name}"

    def at(self, stream: Stream, partition: int, offset: int = -1001, metadata: str = "") -> TopicPartition:
        """A place in a partition."""
        return TopicPartition(self.name(stream), partition, offset, metadata)

    def group(self, group: str) -> str:
        """The consumer group that keeps a group's cursors."""
        return f"{self.prefix}.{group}"

    def workers(self, group: str) -> str:
        """The consumer group that shares a group's partitions out among its workers."""
        return f"{self.prefix}.{group}.workers"

    def client(self, **more: Any) -> dict[str, Any]:
        """The properties of a client; words are joined by `_` here and by `.` there."""
        given = {name.replace("_", "."): value for name, value in more.items()}
        return {
            "bootstrap.servers": self.servers,
            "client.id": "headwater",
            "socket.keepalive.enable": True,
            "socket.connection.setup.timeout.ms": 10_000,
            "reconnect.backoff.max.ms": 1_000,
            "topic.metadata.refresh.interval.ms": 60_000,
            "logger": log,
            "error_cb": _tell,
            **given,
            **self.properties,
        }

    def producer(self, **more: Any) -> dict[str, Any]:
        """The properties of a client that writes."""
        return self.client(
            acks="all",
            enable_idempotence=True,
            linger_ms=2,
            batch_size=1_000_000,
            compression_type="lz4",
            message_max_bytes=_RECORD_BYTES,
            queue_buffering_max_messages=500_000,
            queue_buffering_max_kbytes=256_000,
            **more,
        )

    def consumer(self, group_id: str, **more: Any) -> dict[str, Any]:
        """The properties of a client that reads, or that speaks for a group."""
        return self.client(
            group_id=group_id,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            **more,
        )


def reach(url: str, properties: Sequence[str] = (), instance: str = "") -> Reach:
    """Read `kafka://host:port,host:port/prefix` and properties `name=value`. Raises SetupError for another form."""
    scheme, _, rest = url.partition("://")
    servers, _, prefix = rest.partition("/")
    if scheme != SCHEME or not servers or "/" in prefix or "@" in servers:
        raise SetupError(
            f"log.url must be {SCHEME}://host:port,host:port/prefix; a user and password belong into log.kafka."
        )
    if not _PREFIX.fullmatch(prefix):
        raise SetupError("log.url: a prefix is up to 200 letters and digits of ASCII, dots, underscores and dashes.")
    given = [each.partition("=") for each in properties]
    if not all(equals for _, equals, _ in given):  # what is not a name may be a password, and is not shown
        raise SetupError("log.kafka: each property must have the form name=value.")
    return Reach(servers, prefix or "headwater", {name.strip(): value for name, _, value in given}, instance)


def made_of_streams() -> dict[str, str]:
    """The settings of a stream that is made: the log itself decides what is forgotten (`trim`)."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "max.message.bytes": str(_RECORD_BYTES),
        "message.timestamp.type": "CreateTime",
        "unclean.leader.election.enable": "false",
    }


def asked(question: Callable[[], T]) -> T:
    """The answer to a question, asked again for a while as long as the brokers settle who is to answer it. Blocks."""
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return question()
        except KafkaException as error:
            if not is_passing(error.args[0]) or time.monotonic() > until:
                raise
            time.sleep(_SETTLE_SECONDS)


def is_passing(error: KafkaError) -> bool:
    """Will it be over soon, without anybody doing anything?"""
    return error.code() in _PASSING


def is_lost(error: KafkaException) -> bool:
    """Does it say that another has taken over, or that nobody can know what became of a transaction?"""
    found: KafkaError = error.args[0]
    return found.fatal() or found.code() in _LOST


def away(error: KafkaException) -> Unavailable:
    """What is said of brokers that do not answer, or not well."""
    found: KafkaError = error.args[0]
    return Unavailable(f"The log does not answer: {found.str()} ({found.name()}).", retry_after=RETRY_SECONDS)


def _tell(error: KafkaError) -> None:
    if error.code() == KafkaError._ALL_BROKERS_DOWN:  # pyright: ignore[reportPrivateUsage]
        log.warning("No broker can be reached: %s", error.str())
    else:
        log.debug("%s", error.str())


def _is_news(line: logging.LogRecord) -> bool:
    """Connections that end are the library's business: it makes new ones, and `_tell` hears when it cannot."""
    return not line.getMessage().startswith(("FAIL", "GETPID", "REQTMOUT"))


log.addFilter(_is_news)
