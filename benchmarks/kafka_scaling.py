"""Claim: two pipeline workers on Kafka carry twice what one carries, where there are processors for them.

Each of four partitions is filled in one transaction, so that all events become visible at once to workers that hold
their partitions and know the people already. Then the time until all are through (identity on PostgreSQL included, the
other roles stand still), and the processor time of workers, broker and database. Two workers on two cores share them
with the broker: what they could do with cores of their own follows from events per second of processor time.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.distributed.hosts import SECOND, Hosts, hosts
from benchmarks.distributed.processor import Meter
from benchmarks.load import batches
from benchmarks.report import report
from headwater.collect.accept import accept
from headwater.collect.routes import CALLS
from headwater.collect.split import split
from headwater.contracts.cluster import PARTITIONS, Node
from headwater.contracts.house import WRITE_KEY, until
from headwater.eventlog import Append, Record
from headwater.eventlog.backends.kafka import KafkaLog
from headwater.eventlog.kafka.reach import reach
from headwater.eventlog.streams import COLLECTED
from headwater.pipeline.loop import GROUP
from headwater.spec.event import CollectedHeader, encode_header

EVENTS, ROUNDS, PEOPLE = 100_000, 1, 10_000
PATIENCE, LOOK_SECONDS = 600.0, 0.05
WORKERS = {1: (Node("pipeline", 1),), 2: (Node("pipeline", 1), Node("pipeline", SECOND))}


class Run(msgspec.Struct, frozen=True):
    """How many were through in how many seconds, and the processor time of an event in microseconds."""

    events: int
    seconds: float
    cpu: dict[str, float]

    @property
    def worker_cpu(self) -> float:
        """Of all workers."""
        return sum(value for name, value in self.cpu.items() if name.startswith("pipeline"))


def records(source_id: str, events: int, start: int) -> list[list[Record]]:
    """What collect makes of batches of 100, by partition."""
    found: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    route, now = CALLS["/v1/batch"], int(time.time() * 1000)
    header = encode_header(CollectedHeader(route.kind, source_id, WRITE_KEY, now))
    for body in batches(events, start=start):
        for partition, record in split(accept(route, body, WRITE_KEY), source_id, header, PARTITIONS):
            found[partition].append(record)
    return found


async def put(log: KafkaLog, filled: list[list[Record]]) -> None:
    """Make all records visible, as near to one moment as can be."""
    await asyncio.gather(*(log.transact(n, [Append(COLLECTED, each)], []) for n, each in enumerate(filled)))


async def drained(log: KafkaLog) -> None:
    """Wait until the pipeline has committed all of it."""
    deadline = time.monotonic() + PATIENCE
    while any([await log.lag(GROUP, COLLECTED, partition) for partition in range(PARTITIONS)]):
        assert time.monotonic() < deadline, "the pipeline did not come to an end"
        await asyncio.sleep(LOOK_SECONDS)


async def run(found: Hosts, log: KafkaLog, source_id: str, *, events: int, start: int, workers: int) -> Run:
    """Let so many workers do it, who then end."""
    found.start(*WORKERS[workers])
    await until_shared(found, workers)
    # A round without a clock: the indexes of the partitions are open and the people known to the worker who asks next.
    await put(log, records(source_id, PEOPLE, start))
    await drained(log)
    filled = records(source_id, events, start + PEOPLE)
    meter = await asyncio.to_thread(Meter, found.processes(1))
    putting = asyncio.create_task(put(log, filled))
    before = [await log.bounds(COLLECTED, partition) for partition in range(PARTITIONS)]
    while [await log.bounds(COLLECTED, partition) for partition in range(PARTITIONS)] == before:
        await asyncio.sleep(0.01)
    began = time.perf_counter()
    await putting
    await drained(log)
    took, spent = time.perf_counter() - began, meter.spent()
    for node in WORKERS[workers]:
        found.stop(node)
    return Run(events, took, {name: seconds / events * 1e6 for name, seconds in spent.items()})


async def until_shared(found: Hosts, workers: int) -> None:
    """Wait until so many workers hold partitions."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": found.brokers.servers})
    group = f"headwater.{GROUP}.workers"

    def shared() -> bool:
        members = admin.describe_consumer_groups([group])[group].result().members
        held = sorted(len(member.assignment.topic_partitions) for member in members if member.assignment)
        return held == [PARTITIONS // workers] * workers

    await asyncio.to_thread(until, shared, seconds=120, what=f"for {workers} workers to share the partitions")


async def measured(folder: Path, *, events: int, rounds: int) -> dict[int, list[Run]]:
    results: dict[int, list[Run]] = {1: [], 2: []}
    with hosts(folder, brokers=1, STORE_POOL_SIZE="5") as found:
        manage = Node("manage", 1)
        found.start(manage)
        found.ready()
        source_id = found.house().source_id()
        found.stop(manage)
        log = KafkaLog(reach(f"kafka://{found.brokers.servers}/headwater"), partitions=PARTITIONS)
        try:
            # The very first round makes the people; it does not count.
            found.start(Node("pipeline", 1))
            await put(log, records(source_id, PEOPLE, 0))
            await drained(log)
            found.stop(Node("pipeline", 1))
            start = PEOPLE
            for _ in range(rounds):
                for workers, runs in results.items():
                    runs.append(await run(found, log, source_id, events=events, start=start, workers=workers))
                    start += PEOPLE + events
                    told = {name: round(value, 2) for name, value in runs[-1].cpu.items()}
                    took = runs[-1].seconds
                    print(f"  ({workers} workers: {took:.2f} s, CPU us/event {json.dumps(told)})", flush=True)
        finally:
            await log.close()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="kafka_scaling", description=str(__doc__).splitlines()[0])
    parser.add_argument("--events", type=int, default=EVENTS, help="for one worker, and then for two")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often; the fastest counts")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
        results = asyncio.run(measured(Path(folder), events=chosen.events, rounds=chosen.rounds))
    one, two = (min(results[workers], key=lambda each: each.seconds) for workers in (1, 2))
    figures: dict[str, float | int] = {"events": chosen.events}
    for name, each in (("one worker", one), ("two workers", two)):
        figures[f"{name}, events/s"] = each.events / each.seconds
        figures[f"{name}, cores in use by all"] = sum(each.cpu.values()) * each.events / each.seconds / 1e6
        figures[f"{name}, events per CPU second of workers"] = 1e6 / each.worker_cpu
        figures |= {f"{name}, CPU us/event, {of}": value for of, value in each.cpu.items()}
    figures["two / one, events/s"] = one.seconds / two.seconds
    figures["two / one, with cores of their own (by CPU)"] = 2 * one.worker_cpu / two.worker_cpu
    report("kafka_scaling", figures, target="two workers carry 1.8 times one, with cores of their own")


if __name__ == "__main__":
    main()
