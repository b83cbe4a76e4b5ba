"""Every backend of the log in the folder keeps every promise. A new backend needs one line in BACKENDS."""

import os
import pkgutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.contracts.eventlog import PARTITIONS, Backend, Clock, Promise, promises
from headwater.contracts.kafka_brokers import WHY_NOT, kafka_brokers
from headwater.eventlog import EventLog, backends

SERVERS = "HEADWATER_TEST_KAFKA"


def open_memory(folder: Path, clock: Clock) -> EventLog:
    from headwater.eventlog.backends.memory import MemoryLog

    return MemoryLog(partitions=PARTITIONS, clock=clock)


def open_sqlite(folder: Path, clock: Clock) -> EventLog:
    from headwater.eventlog.backends.sqlite import SqliteLog

    return SqliteLog(folder, partitions=PARTITIONS, segment_bytes=150_000, min_free_bytes=0, clock=clock)


def open_kafka(folder: Path, clock: Clock) -> EventLog:
    from headwater.eventlog.backends.kafka import KafkaLog
    from headwater.eventlog.kafka.reach import reach

    prefix = f"promises-{zlib.crc32(str(folder).encode()):x}"
    return KafkaLog(reach(f"kafka://{os.environ[SERVERS]}/{prefix}"), partitions=PARTITIONS, clock=clock)


def tear_sqlite(folder: Path) -> None:
    """Leave the beginning of another commit at the end of each write-ahead log: half a frame that looks sound."""
    torn = [path for path in folder.rglob("*-wal") if path.stat().st_size > 20_000]
    assert torn, "no file was being written to"
    for path in torn:
        whole = path.read_bytes()
        path.write_bytes(whole + whole[32:9_000])


BACKENDS = {
    "memory": Backend(open_memory, durable=False),
    "kafka": Backend(open_kafka, durable=True, shared=True, gaps=True),
    "sqlite": Backend(open_sqlite, durable=True, tear=tear_sqlite),
}
PROMISES = [
    pytest.param(backend, promise, id=f"{name}-{promise.__name__}")
    for name, backend in BACKENDS.items()
    for promise in promises(backend)
]


def test_every_backend_in_the_folder_is_held_to_the_promises() -> None:
    assert {module.name for module in pkgutil.iter_modules(backends.__path__)} == set(BACKENDS)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where Kafka is, in the environment, so that processes which the promises start find it."""
    if SERVERS in os.environ:
        yield
        return
    with kafka_brokers(tmp_path_factory.mktemp("kafka")) as running, pytest.MonkeyPatch.context() as patch:
        if running is None:
            pytest.skip(WHY_NOT)
        patch.setenv(SERVERS, running.servers)
        yield


@pytest.mark.parametrize(("backend", "promise"), PROMISES)
def test_the_backend_keeps_its_promise(
    backend: Backend, promise: Promise, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if backend.open is open_kafka:
        request.getfixturevalue("brokers")
    promise(backend, tmp_path)
