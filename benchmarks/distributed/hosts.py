"""A house over many hosts for benchmarks: brokers and a database that are real, and processes that reach them directly.

PostgreSQL runs without fsync, as in tests: what its disk would cost is not in the figures. Kafka answers when the
brokers in sync have a record in memory, as it does everywhere.
"""

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headwater.app.shapes import ROLE_NAMES
from headwater.contracts.cluster import Cluster, Node, missing
from headwater.contracts.house import healthy, until
from headwater.contracts.kafka_brokers import kafka_brokers
from headwater.contracts.postgres import postgres

SECOND = 3
"""The number of the second process of a role: those with 2 go through wires that cost time."""


class Hosts(Cluster):
    """Up to two processes of each role, none of them behind a wire."""

    @staticmethod
    def nodes() -> list[Node]:
        return [Node(role, number) for role in ROLE_NAMES for number in (1, SECOND)]

    def processes(self, count: int) -> dict[str, int]:
        """The processes that run, by what they are: those of roles, all brokers (there are `count`), the database."""
        found = {node.name: process.pid for node, process in self.hosts.items() if process.poll() is None}
        found |= {f"broker {number}": self.brokers.pid(number) for number in range(1, count + 1)}
        return found | {name: pid for pid in _children(os.getpid()) if (name := _name(pid)) == "postgres"}

    def ready(self) -> None:
        """Wait until the first collect and manage answer, if they were started."""
        house = self.house()
        urls = {"collect": house.collect_url, "manage": house.manage_url}
        asked = [url for role, url in urls.items() if Node(role, 1) in self.hosts]
        until(lambda: all(map(healthy, asked)), seconds=120, what="for the first collect and manage")


@contextmanager
def hosts(
    folder: Path, *, brokers: int, broker_settings: Mapping[str, str] | None = None, **settings: str
) -> Generator[Hosts]:
    """Engines that run, and no process of a role yet. Ends the benchmark where an engine is missing."""
    folder = folder.absolute()
    if why := missing():
        sys.exit(why)
    with (
        kafka_brokers(folder / "kafka", brokers, settings=broker_settings) as running,
        postgres(folder / "postgres") as database,
    ):
        assert running is not None
        assert database is not None
        found = Hosts(folder, running, database, {}, **settings)
        try:
            yield found
        finally:
            found.end()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
