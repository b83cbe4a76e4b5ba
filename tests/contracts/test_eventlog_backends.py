"""Every backend of the log in the folder keeps every promise. A new backend needs one line in BACKENDS."""

import asyncio
import os
import pkgutil
import uuid
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from headwater.contracts.eventlog import PARTITIONS, Backend, Clock, Promise, promises
from headwater.contracts.kafka_brokers import WHY_NOT, kafka_brokers
from headwater.eventlog import EventLog, backends
from headwater.eventlog.streams import COLLECTED

SERVERS = "TEST_KAFKA_SERVERS"


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


@pytest.mark.usefixtures("brokers")
def test_two_processes_that_have_one_name_on_kafka_share_the_work_nonetheless() -> None:
    from headwater.eventlog.backends.kafka import KafkaLog
    from headwater.eventlog.kafka.reach import reach

    class Held(set[int]):
        """A holder that has nothing to end."""

        async def take(self, partitions: Sequence[int]) -> None:
            self.update(partitions)

        async def give_back(self, partitions: Sequence[int]) -> None:
            self.difference_update(partitions)

    async def scenario() -> None:
        url = f"kafka://{os.environ[SERVERS]}/named-{uuid.uuid4().hex}"
        logs = [KafkaLog(reach(url, instance="same"), partitions=2) for _ in range(2)]
        held = [Held(), Held()]
        async with asyncio.timeout(40):
            first = await logs[0].join("g", COLLECTED, held[0])
            while held[0] != {0, 1}:
                await asyncio.sleep(0.05)
            second = await logs[1].join("g", COLLECTED, held[1])
            while sorted(map(len, held)) != [1, 1] or held[0] == held[1]:
                await asyncio.sleep(0.05)
            await first.leave()
            await second.leave()
            assert held == [set(), set()]
            for log in logs:
                await log.close()

    asyncio.run(scenario())
