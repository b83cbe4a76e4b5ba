"""A house over many hosts as a test double: real Kafka brokers, a real PostgreSQL, and two processes of each role.

Every process has a data folder and a loopback address of its own, as a host would, and shares nothing with the others
but the brokers, the database, the folder of the archive and the file of keys. Each can be killed, paused and started
again. One of each role reaches brokers and database through wires that can be cut (`cut`): it is then a host that the
network has lost.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from headwater.app.settings import child_environment
from headwater.app.shapes import ROLE_NAMES
from headwater.contracts import kafka_brokers as kafka
from headwater.contracts import postgres
from headwater.contracts.house import TOKEN, WRITE_KEY, RunningHouse, free_port
from headwater.contracts.kafka_brokers import Brokers
from headwater.contracts.postgres import PostgresServer

PARTITIONS: Final = 4
_DRAIN_SECONDS: Final = 40.0
_PIECE: Final = 65_536


class Node(msgspec.Struct, frozen=True):
    """A process of one role: the second of collect is Node("collect", 2)."""

    role: str
    number: int

    @property
    def name(self) -> str:
        """What it is called in the folder."""
        return f"{self.role}-{self.number}"

    @property
    def address(self) -> str:
        """The loopback address that it serves on."""
        return f"127.0.{ROLE_NAMES.index(self.role) + 1}.{self.number}"


class Wire:
    """A way to an address that can be cut: what is under way stays under way for ever, and nobody says so."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self._whole = threading.Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through any more."""
        self._whole.clear()

    def mend(self) -> None:
        """Let everything through again, also what waited."""
        self._whole.set()

    def close(self) -> None:
        """End it."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        try:
            far = socket.create_connection(self.target)
        except OSError:
            near.close()
            return
        for source, drain in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=(source, drain), daemon=True).start()

    def _pass(self, source: socket.socket, drain: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                self._whole.wait()
                drain.sendall(piece)
        for one in (source, drain):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Cluster:
    """A running cluster; `hosts` are its processes."""

    def __init__(
        self, folder: Path, brokers: Brokers, database: PostgresServer, wires: Mapping[str, Wire], **settings: str
    ) -> None:
        """`settings` are given as the environment names them, without the prefix; `wires` lead to what they name."""
        self.brokers = brokers
        self.database = database
        self._folder = folder
        self._wires = wires
        self._settings = settings
        self._collect_port, self._manage_port = free_port(), free_port()
        self._health = {node: free_port() for node in self.nodes()}
        self.hosts: dict[Node, subprocess.Popen[bytes]] = {}

    @staticmethod
    def nodes() -> list[Node]:
        """Two of each role."""
        return [Node(role, number) for role in ROLE_NAMES for number in (1, 2)]

    def house(self, number: int = 1) -> RunningHouse:
        """The house as the collect and manage of this number show it."""
        found = RunningHouse(self._folder, 0, 0, self._folder / f"manage-{number}.log")
        found.collect_url = f"http://{Node('collect', number).address}:{self._collect_port}"
        found.manage_url = f"http://{Node('manage', number).address}:{self._manage_port}"
        return found

    def start(self, *nodes: Node) -> None:
        """Start these processes, or all that do not run."""
        for node in nodes or self.nodes():
            if node in self.hosts and self.hosts[node].poll() is None:
                continue
            with self._output(node).open("ab") as output:
                self.hosts[node] = subprocess.Popen(
                    [sys.executable, "-m", "headwater", "serve", node.role],
                    env=self._environment(node),
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )

    def kill(self, node: Node) -> None:
        """End a process at once."""
        self.hosts[node].send_signal(signal.SIGKILL)
        self.hosts[node].wait()

    def stop(self, node: Node) -> int:
        """Ask a process to finish and wait until it has. Returns its exit status."""
        self.hosts[node].terminate()
        return self.hosts[node].wait(_DRAIN_SECONDS)

    def pause(self, node: Node) -> None:
        """Let a process stand still: to the others it is gone, but it does not know."""
        self.hosts[node].send_signal(signal.SIGSTOP)

    def resume(self, node: Node) -> None:
        """Let a process go on."""
        self.hosts[node].send_signal(signal.SIGCONT)

    def cut(self) -> None:
        """Cut the second process of each role off from brokers and database."""
        for wire in self._wires.values():
            wire.cut()

    def mend(self) -> None:
        """Join what was cut."""
        for wire in self._wires.values():
            wire.mend()

    def output(self, node: Node) -> str:
        """What a process printed so far."""
        return self._output(node).read_text(errors="replace")

    def end(self) -> None:
        """Ask all to finish, and end those that do not."""
        self.mend()
        for process in self.hosts.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.hosts.values():
            try:
                process.wait(_DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _output(self, node: Node) -> Path:
        return self._folder / f"{node.name}.log"

    def _environment(self, node: Node) -> dict[str, str]:
        cuttable = node.number == 2
        servers = self._wires["servers"].port if cuttable else 0
        kafka_at = f"127.0.0.1:{servers}" if cuttable else self.brokers.servers
        database = self.database.url
        if cuttable:
            host, _, name = database.rpartition("@")[2].partition("/")
            database = database.replace(f"{host}/{name}", f"127.0.0.1:{self._wires['database'].port}/{name}")
        known = {
            "DATA": str(self._folder / node.name),
            "LOG": f"kafka://{kafka_at}/headwater",
            "LOG_PARTITIONS": str(PARTITIONS),
            "STORE": database,
            "STORE_POOL_SIZE": "3",
            "KEY_FILE": str(self._folder / "secret.key"),
            "COLLECT_HOST": node.address,
            "COLLECT_PORT": str(self._collect_port),
            "MANAGE_HOST": node.address,
            "MANAGE_PORT": str(self._manage_port),
            "HEALTH_HOST": node.address,
            "HEALTH_PORT": str(self._health[node]),
            "WRITE_KEY": WRITE_KEY,
            "ADMIN_TOKEN": TOKEN,
            "WAREHOUSE_ARCHIVE_URL": f"file://{self._folder / 'archive'}",
            "WAREHOUSE_LOAD_EVERY_SECONDS": "1",
            "WAREHOUSE_ARCHIVE_EVERY_SECONDS": "1",
            "WAREHOUSE_QUERY_ROWS": "1000000",
            "DELIVER_ALLOWED_ADDRESSES": "127.0.0.0/8",
            "DELIVER_FIRST_BACKOFF_SECONDS": "0.2",
            "DELIVER_MAX_BACKOFF_SECONDS": "1",
            "DELIVER_BREAKER_SECONDS": "1",
        } | self._settings
        return child_environment(**{f"HEADWATER_{name}": value for name, value in known.items()})


@contextmanager
def cluster(folder: Path, *, brokers: int = 3, **settings: str) -> Generator[Cluster | None]:
    """A cluster whose engines run and whose processes are not yet started; None where an engine is missing."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        ways = [Wire("127.0.0.1", free_port()) for _ in range(brokers)]
        ports = [(wire.target[1], wire.port) for wire in ways]
        running = stack.enter_context(kafka.kafka_brokers(folder / "kafka", brokers, ways=ports))
        database = stack.enter_context(postgres.postgres(folder / "postgres"))
        if running is None or database is None:
            yield None
            return
        host, _, port = database.url.rpartition("@")[2].partition("/")[0].partition(":")
        wires = {f"broker {number}": wire for number, wire in enumerate(ways, 1)}
        wires |= {"servers": ways[0], "database": Wire(host, int(port))}
        found = Cluster(folder, running, database, wires, **settings)
        try:
            yield found
        finally:
            found.end()
            for wire in wires.values():
                wire.close()


def missing() -> str:
    """Why there can be no cluster here; empty when there can."""
    if postgres.binaries() is None:
        return postgres.WHY_NOT
    return kafka.WHY_NOT if not kafka.possible() else ""
