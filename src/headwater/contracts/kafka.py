"""A Kafka cluster for tests: the mock cluster that librdkafka brings, on the loopback address.

It speaks the real protocol over real sockets, stores what is produced in memory, and answers badly when told to. It
knows no TLS and no logins. The library is the one inside the package confluent-kafka, called by its C interface, since
the package's own does not show the cluster.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

WHY_NOT: Final = "librdkafka was not found inside the package confluent-kafka."
PRODUCE: Final = 0
BEGIN_TO_PRODUCE: Final = 22
_PRODUCER: Final = 0


class Cluster:
    """A running cluster of one broker."""

    def __init__(self, library: ctypes.CDLL, handle: int, cluster: int) -> None:
        self._library = library
        self._handle = handle
        self._cluster = cluster
        self.servers: str = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def make(self, name: str) -> None:
        """Make a topic of one partition."""
        self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), 1, 1)

    def refuse(self, name: str, code: int) -> None:
        """Answer for a topic with this error of the protocol from now on; 0 answers well again."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), code)

    def fail_next(self, *codes: int, kind: int = PRODUCE) -> None:
        """Answer the next requests of a kind (the protocol's number for it) with these errors, one each."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, kind, len(codes), array)

    def down(self) -> None:
        """The broker is away."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        """The broker is back."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def slow(self, milliseconds: int) -> None:
        """Every answer takes so long."""
        self._library.rd_kafka_mock_broker_set_rtt(self._cluster, 1, milliseconds)

    def stop(self) -> None:
        """End it."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def stored(self, name: str, count: int, *, seconds: float = 5.0) -> list[Any]:
        """The first messages of a topic, at most `count`, as soon as they are there, or what there is after a while."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "reader", "log_level": 0})
        try:
            consumer.assign([TopicPartition(name, 0, 0)])
            return [each for each in consumer.consume(count, timeout=seconds) if each.error() is None]
        finally:
            consumer.close()


@contextmanager
def kafka_cluster() -> Generator[Cluster | None]:
    """A running cluster. Gives None where the library is not found; WHY_NOT says so."""
    library = _library()
    if library is None:
        yield None
        return
    reason = ctypes.create_string_buffer(512)
    options = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(options, b"log_level", b"0", reason, len(reason))
    handle = library.rd_kafka_new(_PRODUCER, options, reason, len(reason))
    if not handle:
        raise RuntimeError(reason.value.decode())
    cluster = Cluster(library, handle, library.rd_kafka_mock_cluster_new(handle, 1))
    try:
        yield cluster
    finally:
        cluster.stop()


def _library() -> ctypes.CDLL | None:
    found = find_spec("confluent_kafka")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    places = (package.parent / "confluent_kafka.libs", package / ".dylibs", package)
    files = [file for place in places for file in sorted(place.glob("*rdkafka*"))]
    if not files:
        return None
    library = ctypes.CDLL(str(files[0]))
    handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.rd_kafka_conf_new.restype = handle
    library.rd_kafka_conf_set.argtypes = [handle, text, text, text, ctypes.c_size_t]
    library.rd_kafka_new.argtypes = [number, handle, text, ctypes.c_size_t]
    library.rd_kafka_new.restype = handle
    library.rd_kafka_destroy.argtypes = [handle]
    library.rd_kafka_mock_cluster_new.argtypes = [handle, number]
    library.rd_kafka_mock_cluster_new.restype = handle
    library.rd_kafka_mock_cluster_destroy.argtypes = [handle]
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [handle]
    library.rd_kafka_mock_cluster_bootstraps.restype = text
    library.rd_kafka_mock_topic_create.argtypes = [handle, text, number, number]
    library.rd_kafka_mock_topic_set_error.argtypes = [handle, text, number]
    library.rd_kafka_mock_push_request_errors_array.argtypes = [handle, ctypes.c_int16, ctypes.c_size_t, handle]
    library.rd_kafka_mock_broker_set_down.argtypes = [handle, ctypes.c_int32]
    library.rd_kafka_mock_broker_set_up.argtypes = [handle, ctypes.c_int32]
    library.rd_kafka_mock_broker_set_rtt.argtypes = [handle, ctypes.c_int32, number]
    return library
