"""What a cluster says of itself, for those who set it up: is it there, what does it keep and how often. Blocks.

Nothing is made or changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from headwater.eventlog.kafka.reach import Reach
from headwater.eventlog.streams import STREAMS
from headwater.spec.errors import SetupError, Unavailable

_SECONDS: Final = 8.0
_ALL_DOWN: Final = KafkaError._ALL_BROKERS_DOWN  # pyright: ignore[reportPrivateUsage] - the library's own names
_REFUSALS: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,  # pyright: ignore[reportPrivateUsage]
        KafkaError._SSL,  # pyright: ignore[reportPrivateUsage]
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


class StreamFound(msgspec.Struct, frozen=True):
    """A stream as it stands: the fewest copies of any partition, the fewest in sync, and its settings.

    `settings` are empty where we have no right to ask for them.
    """

    name: str
    partitions: int
    copies: int
    in_sync: int
    settings: Mapping[str, str]


class Cluster(msgspec.Struct, frozen=True):
    """A cluster: how many brokers there are, settings of one of them, and the streams that stand."""

    brokers: int
    settings: Mapping[str, str]
    streams: Mapping[str, StreamFound]


def knock(reach: Reach, seconds: float = _SECONDS) -> None:
    """Raises SetupError when the brokers refuse us, and Unavailable when they do not answer in time."""
    _found(reach, seconds)


def examine(reach: Reach) -> Cluster:
    """What stands there. Raises as `knock` does."""
    admin, found = _found(reach)
    names = {name: reach.name(stream) for name, stream in STREAMS.items()}
    there = {name: full for name, full in names.items() if full in found.topics}
    broker = next(iter(found.brokers), None)
    streams: dict[str, StreamFound] = {}
    for name, full in there.items():
        partitions = found.topics[full].partitions.values()
        streams[name] = StreamFound(
            full,
            len(partitions),
            min((len(each.replicas) for each in partitions), default=0),
            min((len(each.isrs) for each in partitions), default=0),
            _settings(admin, ResourceType.TOPIC, full),
        )
    settings = {} if broker is None else _settings(admin, ResourceType.BROKER, str(broker))
    return Cluster(len(found.brokers), settings, streams)


def _found(reach: Reach, seconds: float = _SECONDS) -> tuple[AdminClient, Any]:
    heard: list[KafkaError] = []
    properties: dict[str, Any] = reach.client() | {"error_cb": heard.append}
    try:
        admin = AdminClient(properties)
    except KafkaException as error:
        raise SetupError(f"log.kafka has a property that is wrong: {_said(error)}.") from error
    try:
        return admin, admin.list_topics(timeout=seconds)
    except KafkaException as error:
        admin.poll(0.1)  # which is when errors are heard
        refused = next((each for each in heard if each.code() in _REFUSALS), None)
        if refused is not None:
            raise SetupError(f"Kafka at {reach.servers} refuses us: {refused.str()}. Correct log.kafka.") from error
        said = next((each.str() for each in heard if each.code() != _ALL_DOWN), _said(error))
        raise Unavailable(f"Kafka at {reach.servers} does not answer yet: {said}", retry_after=1.0) from error


def _said(error: KafkaException) -> str:
    found: KafkaError = error.args[0]
    return found.str()


def _settings(admin: AdminClient, kind: ResourceType, name: str) -> dict[str, str]:
    resource = ConfigResource(kind, name)
    try:
        entries = cast("Any", admin.describe_configs([resource], request_timeout=_SECONDS)[resource].result())
    except KafkaException:
        return {}
    return {entry.name: str(entry.value) for entry in entries.values() if entry.value is not None}
