"""Making the streams where they are missing, and checking those that stand. Blocks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from headwater.eventlog.kafka.reach import ANSWER_SECONDS, Reach, away, made_of_streams
from headwater.eventlog.streams import STREAMS
from headwater.spec.errors import SetupError, Unavailable

_COPIES: Final = 3
_SETTLE_SECONDS: Final = 0.05
_REFUSED: Final = frozenset(
    {
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


def make_streams(reach: Reach, *, partitions: int, replication: int, settings: Sequence[str]) -> None:
    """Make what is missing; several processes may do so at once.

    `replication` 0 is three copies, or as many as there are brokers. Raises SetupError for streams with another number
    of partitions, since a key's records would change partition, and Unavailable while the brokers do not answer.
    """
    admin = AdminClient(reach.client())
    try:
        found = admin.list_topics(timeout=ANSWER_SECONDS)
    except KafkaException as error:
        raise away(error) from error
    missing = [reach.name(stream) for stream in STREAMS.values() if reach.name(stream) not in found.topics]
    if missing:
        copies = replication or min(_COPIES, len(found.brokers))
        _make(admin, missing, partitions, copies, made_of_streams() | _given(settings, copies))
    for stream in STREAMS.values():
        _check(admin, reach.name(stream), partitions)


def _given(settings: Sequence[str], copies: int) -> dict[str, str]:
    """A record is acknowledged when all copies but one have it: one broker may be away."""
    given = {name.strip(): value for name, _, value in (each.partition("=") for each in settings)}
    return {"min.insync.replicas": str(max(1, copies - 1)), **given}


def _make(admin: AdminClient, names: Sequence[str], partitions: int, copies: int, settings: dict[str, str]) -> None:
    wanted = [NewTopic(name, partitions, copies, config=settings) for name in names]
    for name, made in admin.create_topics(wanted, operation_timeout=ANSWER_SECONDS).items():
        try:
            made.result()
        except KafkaException as error:
            found: KafkaError = error.args[0]
            if found.code() in _REFUSED:
                raise SetupError(f"Kafka does not make {name}: {found.str()}.") from error
            if found.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise away(error) from error


def _check(admin: AdminClient, name: str, partitions: int) -> None:
    until = time.monotonic() + ANSWER_SECONDS
    while (found := _partitions(admin, name)) is None:
        if time.monotonic() > until:
            raise Unavailable(f"The stream {name} is being made.", retry_after=1.0)
        time.sleep(_SETTLE_SECONDS)
    if found != partitions:
        raise SetupError(
            f"{name} has {found} partitions; set log.partitions to that, or name another prefix in log.url."
        )


def _partitions(admin: AdminClient, name: str) -> int | None:
    """How many partitions a stream has; None as long as not every one has a leader."""
    try:
        found = admin.list_topics(name, timeout=ANSWER_SECONDS).topics.get(name)
    except KafkaException as error:
        raise away(error) from error
    if found is None or found.error is not None or any(each.leader < 0 for each in found.partitions.values()):
        return None
    return len(found.partitions) or None
