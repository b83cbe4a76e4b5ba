"""Kafka brokers for tests: real ones, private, on loopback addresses, gone when the block ends.

Apache Kafka in its own processes, each both broker and controller (KRaft), from the jars of `kafka_artefacts`. They
forget nothing, elect within seconds, and can be killed, stopped, paused and started again with what they had stored.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from headwater.contracts import kafka_artefacts

WHY_NOT: Final = "Kafka cannot run here: it needs Java 17 or newer and its jars (`make engines` fetches them)."
_JAVA: Final = (
    "-Xmx400m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)
_STARTED: Final = b"Kafka Server started"
_CLUSTER: Final = "headwater-for-tests"
_SETTINGS: Final = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,WAYS:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKERS",
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "offsets.retention.minutes": "5256000",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.index.size.max.bytes": "1048576",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "controlled.shutdown.retry.backoff.ms": "500",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "replica.lag.time.max.ms": "4000",
}
"""What makes tests fast: one that is gone is noticed soon, and one that was killed is let in again as soon."""


class Brokers:
    """Brokers of one cluster, numbered from 1. Each keeps its addresses and its files when it ends."""

    def __init__(
        self,
        folder: Path,
        addresses: Sequence[str],
        settings: Mapping[str, str],
        java: Sequence[str],
        ways: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._folder = folder
        self._ways = dict(enumerate(ways, 1))
        self._hosts = dict(enumerate(addresses, 1))
        self._ports = dict(zip(self._hosts, _free_ports(addresses), strict=True))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._command = ["java", *_JAVA, *java, "-cp", kafka_artefacts.class_path(), "kafka.Kafka"]
        for number in self._hosts:
            self._lay(number, settings)

    @property
    def servers(self) -> str:
        """Where a client finds the cluster, as `bootstrap.servers` has it."""
        return ",".join(self.address(number) for number in self._hosts)

    def address(self, number: int) -> str:
        """Where clients find one broker, like `127.0.0.1:9092`."""
        return f"{self._hosts[number]}:{self._ports[number][0]}"

    def pid(self, number: int) -> int:
        """The process of a broker that was started. Raises KeyError when it is not."""
        return self._processes[number].pid

    def output(self, number: int) -> str:
        """What a broker printed so far: its warnings and errors."""
        return self._output(number).read_text(errors="replace")

    def start(self, *numbers: int, seconds: float = 120.0) -> None:
        """Start these brokers, or all of them, and wait until they serve. More than half of all must be up for that.

        Raises RuntimeError with the broker's words when one ends or the time is up.
        """
        before = {number: self._launch(number) for number in numbers or self._hosts if number not in self._processes}
        deadline = time.monotonic() + seconds
        for number, length in before.items():
            while _STARTED not in self._output(number).read_bytes()[length:]:
                ended = self._processes[number].poll()
                if ended is not None or time.monotonic() > deadline:
                    how = f"ended with {ended}" if ended is not None else f"was not there after {seconds} s"
                    raise RuntimeError(f"Broker {number} {how}:\n{self.output(number)}")
                time.sleep(0.02)

    def stop(self, number: int) -> None:
        """Ask a broker to end (SIGTERM) and wait until it has. It hands over what it leads."""
        self._end(number, signal.SIGTERM)

    def kill(self, number: int) -> None:
        """End a broker at once (SIGKILL)."""
        self._end(number, signal.SIGKILL)

    def pause(self, number: int) -> None:
        """Let a broker stand still (SIGSTOP): its connections stay open and nothing is answered."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let a broker go on (SIGCONT)."""
        self._processes[number].send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill every broker that still runs."""
        for number in list(self._processes):
            self.kill(number)

    def _end(self, number: int, how: signal.Signals) -> None:
        process = self._processes.pop(number, None)
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait()

    def _launch(self, number: int) -> int:
        with self._output(number).open("ab") as output:
            before = output.tell()
            self._processes[number] = subprocess.Popen(
                [*self._command, str(self._folder / f"{number}.properties")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        return before

    def _output(self, number: int) -> Path:
        return self._folder / f"{number}.log"

    def _lay(self, number: int, settings: Mapping[str, str]) -> None:
        """Write a broker's settings, and the mark that makes its folder a formatted one."""
        data = self._folder / str(number)
        data.mkdir(parents=True)
        known = self._settings(number, data) | dict(settings)
        (self._folder / f"{number}.properties").write_text("".join(f"{key}={known[key]}\n" for key in known))
        mark = {"version": "1", "cluster.id": _id(_CLUSTER), "node.id": number, "directory.id": _id(f"folder {number}")}
        (data / "meta.properties").write_text("".join(f"{key}={mark[key]}\n" for key in mark))

    def _settings(self, number: int, data: Path) -> dict[str, str]:
        count, host = len(self._hosts), self._hosts[number]
        copies, clients, brokers, controller = min(3, count), *self._ports[number]
        listeners = told = f"CLIENTS://{host}:{clients},BROKERS://{host}:{brokers}"
        if way := self._ways.get(number):
            listeners, told = f"{listeners},WAYS://{host}:{way[0]}", f"{told},WAYS://127.0.0.1:{way[1]}"
        return _SETTINGS | {
            "node.id": str(number),
            "controller.quorum.voters": ",".join(f"{n}@{self._hosts[n]}:{self._ports[n][2]}" for n in self._hosts),
            "listeners": f"{listeners},CONTROLLER://{host}:{controller}",
            "advertised.listeners": told,
            "log.dirs": str(data),
            "default.replication.factor": str(copies),
            "min.insync.replicas": str(2 if copies == 3 else 1),
            "offsets.topic.replication.factor": str(copies),
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str(2 if copies == 3 else 1),
        }


@contextmanager
def kafka_brokers(
    folder: Path,
    count: int = 1,
    *,
    addresses: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    java: Sequence[str] = (),
    ways: Sequence[tuple[int, int]] = (),
) -> Generator[Brokers | None]:
    """A running cluster of `count` brokers whose files are in `folder`, which must hold none of an earlier one.

    With three brokers everything is kept three times and written to two at least. `addresses` are the loopback
    addresses that the brokers listen on, one each (127.0.0.1 for all when left out), `settings` more settings of
    Kafka's, `java` more options of Java's. `ways` are ports, two for each broker: one that it also listens
    on, and one that leads there, of which those who come that way are told. Gives None where Java or the jars are
    missing; WHY_NOT is the sentence for the skip.
    """
    if not possible():
        yield None
        return
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    brokers = Brokers(folder, addresses or ["127.0.0.1"] * count, settings or {}, java, ways)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.end()


def possible() -> bool:
    """Are Java and the jars here?"""
    return shutil.which("java") is not None and not kafka_artefacts.missing()


def _free_ports(addresses: Sequence[str]) -> list[tuple[int, int, int]]:
    """Three ports of each address that nobody uses now, all different."""
    with ExitStack() as stack:
        probes = [[stack.enter_context(socket.socket()) for _ in range(3)] for _ in addresses]
        for address, of_address in zip(addresses, probes, strict=True):
            for probe in of_address:
                probe.bind((address, 0))
        clients, brokers, controllers = zip(*(map(_port, each) for each in probes), strict=True)
    return list(zip(clients, brokers, controllers, strict=True))


def _port(probe: socket.socket) -> int:
    return int(probe.getsockname()[1])


def _id(name: str) -> str:
    """An id as Kafka writes them: 16 bytes in base64 without padding, no dash at the front."""
    return "A" + base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:16]).decode().rstrip("=")[1:]
