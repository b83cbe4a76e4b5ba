"""Events a second of a replay: read from the archive, and sent to a webhook, beside the same file read by DuckDB alone.

The archive is that of `backfill.py`, with bodies as browsers send them. Reading is what the process of its own gives,
page by page; a condition in FQL looks into every body. Sending ends when every delivery is made and in the books, at
no pace of its own; the receiver answers at once. `--events` says how many are read; a tenth of them is sent.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from contextlib import aclosing
from functools import partial
from pathlib import Path

import duckdb
import msgspec
import uvloop

from benchmarks.backfill import DAY_MS, DAYS, START_MS, fill
from benchmarks.deliver_rate import SETTINGS, receiving
from benchmarks.report import report
from headwater.contracts.delivering import Bench, event_record
from headwater.deliver.walk import GROUP
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.spec.replay import MOST_PER_SECOND, Wanted
from headwater.spec.settings import WarehouseSettings
from headwater.store import replays
from headwater.warehouse.reading import ARCHIVE_GROUP
from headwater.warehouse.replay.archived import ArchivedEvents

ALL = Wanted(source_id="s1", since_ms=0, until_ms=START_MS + (DAYS + 1) * DAY_MS)
SOME = msgspec.structs.replace(ALL, condition="context.page.path = '/p7'")
BATCH = 100


def plain(folder: Path) -> float:
    """Seconds of the bodies read by DuckDB, in this process and on one core."""
    started = time.perf_counter()
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"SELECT body FROM read_parquet('{folder}/archive/**/*.parquet')").fetchall()
    return time.perf_counter() - started


async def reading(past: ArchivedEvents, wanted: Wanted, events: int) -> float:
    """Seconds until the last page."""
    started = time.perf_counter()
    async with aclosing(past.pages(wanted, {}, {0: events})) as pages:
        async for _ in pages:
            pass
    return time.perf_counter() - started


async def sending(folder: Path, past: ArchivedEvents, log: MemoryLog, url: str, *, events: int, batch: int) -> float:
    """Seconds of a replay, from the moment that it is made until all is delivered."""
    bench = Bench(folder, log)
    bench.past = past
    hook = bench.connect(url=url, batch_size=batch)
    wanted = msgspec.structs.replace(ALL, until_ms=START_MS + events * 1_000)
    make = partial(replays.create, name="", wanted=wanted, destination_ids=[hook], created_by="", at=START_MS)
    async with bench.delivering(SETTINGS):
        started = time.perf_counter()
        made = bench.store.run(partial(make, per_second=MOST_PER_SECOND))
        while True:
            outcomes = await bench.store.read(partial(replays.outcomes, replay_id=made.id))
            if sum(count for _, state, _, count in outcomes if state == "delivered") == events:
                break
            await asyncio.sleep(0.1)
        taken = time.perf_counter() - started
    bench.store.close()
    return taken


async def measure(folder: Path, url: str, events: int) -> dict[str, float]:
    fill(folder, events)
    log = MemoryLog()
    await log.append(PROCESSED, 0, [event_record("m", "s1", ())] * events)
    for group in (GROUP, ARCHIVE_GROUP):
        await log.commit(group, PROCESSED, 0, events)
    past = ArchivedEvents(log, WarehouseSettings(), folder)
    plain(folder)
    baseline = plain(folder)
    whole, some = await reading(past, ALL, events), await reading(past, SOME, events)
    started = time.perf_counter()
    await past.count(SOME, {0: events})
    counting = time.perf_counter() - started
    sent = events // 10
    singles = await sending(folder / "singles", past, log, url, events=sent, batch=0)
    batches = await sending(folder / "batches", past, log, url, events=sent, batch=BATCH)
    return {
        "events": events,
        "plain DuckDB, bodies a second": events / baseline,
        "read, events a second": events / whole,
        "share of plain DuckDB's speed": baseline / whole,
        "read with a condition, events a second": events / some,
        "counted with a condition, events a second": events / counting,
        "sent one by one, events a second": sent / singles,
        "sent in batches, events a second": sent / batches,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    events: int = parser.parse_args().events
    gc.set_threshold(50_000, 50, 50)
    with tempfile.TemporaryDirectory() as folder, receiving() as url:
        figures = uvloop.run(measure(Path(folder), url, events))
    report("replay", figures, target="a replay can be sent 1,000 events a second, its default pace, and more")


if __name__ == "__main__":
    main()
