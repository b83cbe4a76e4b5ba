"""What counting the past costs: the events of an archive counted for two queries, beside plain DuckDB over the same.

The archive has ten days of events, of three kinds, a tenth as many profiles as events, bodies as browsers send them.
The baseline groups the same rows by profile and sums the same property of the bodies in SQL, in one process that may
use as many cores; it keeps no windows, no order and no states. Both are wall-clock time, after a first run has warmed
the file cache. `--events` says how many, small by default.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from string import Template

import duckdb

from benchmarks.report import report
from headwater.eventlog.backends.memory import MemoryLog
from headwater.eventlog.streams import PROCESSED
from headwater.profiles.computing.past import Wanted
from headwater.spec.settings import WarehouseSettings
from headwater.warehouse.archive import Part
from headwater.warehouse.past import ArchivedPast
from headwater.warehouse.reading import ARCHIVE_GROUP

DAYS = 10
START_MS = 1_700_000_000_000
DAY_MS = 86_400_000
QUERIES = {
    "count": ["event('Order Completed').count() >= 2"],
    "window and sum": [
        "event('Order Completed').where(property('total') >= 50).within(3650 days).count() >= 2",
        "event('Order Completed').sum(property('total'))",
    ],
    "all events": [
        "event('Page Viewed').where(context('page.path') = '/p1').count() >= 1",
        "event('Order Completed').sum(property('total'))",
        "event('Cart Viewed').within(3650 days).count() >= 3",
    ],
}
ROWS = """
    SELECT uuid()::VARCHAR AS message_id, CASE WHEN kind = 0 THEN 'page' ELSE 'track' END AS type,
        CASE kind WHEN 1 THEN 'Order Completed' WHEN 2 THEN 'Cart Viewed' END AS event,
        CASE kind WHEN 0 THEN 'Home' END AS name, 'u' || person AS user_id, NULL::VARCHAR AS anonymous_id,
        NULL::VARCHAR AS group_id, moment AS received_at, moment AS timestamp, moment AS sent_at,
        moment AS original_timestamp, 's1' AS source_id,
        'prf_' || md5(person::VARCHAR) AS profile_id, 0::INTEGER AS partition, i AS position,
        '{"type":"track","messageId":"' || uuid() || '","userId":"u' || person || '","event":"Order Completed",'
        || '"context":{"ip":"203.0.113.7","locale":"de-DE","library":{"name":"analytics.js","version":"next-1.70.0"},'
        || '"page":{"path":"/p' || i % 100 || '","referrer":"","search":"","title":"A shop","url":"https://shop.example/p'
        || i % 100 || '"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},'
        || '"properties":{"order_id":"o' || i || '","total":' || (i * 7919) % 20000 / 100.0 || ',"currency":"EUR",'
        || '"products":[{"sku":"A' || i % 1000 || '","price":9.99,"quantity":1}]},"integrations":{},'
        || '"timestamp":"2023-11-14T22:13:20.000Z"}' AS body, NULL::VARCHAR AS profiles
    FROM (
        SELECT i, hash(i) % $people AS person, hash(i + 1) % 3 AS kind,
            (make_timestamp($start * 1000 + (i - $first) * 1000))::TIMESTAMP_MS AS moment
        FROM range($first, $last) t(i)
    )
"""
BASELINE = """
    SELECT profile_id, count(*), sum(TRY_CAST(json_extract_string(body, '$.properties.total') AS DOUBLE))
    FROM read_parquet('{archive}/**/*.parquet', hive_partitioning = false)
    WHERE type = 'track' AND event = 'Order Completed' GROUP BY profile_id
"""


def fill(folder: Path, events: int) -> None:
    """Write the archive, a file a day."""
    each = events // DAYS
    for day in range(DAYS):
        first, last, start = day * each, (day + 1) * each, START_MS + day * DAY_MS
        path = folder / "archive" / Part(f"2023-11-{14 + day}", "s1", 0, first, last - 1).name
        path.parent.mkdir(parents=True)
        rows = Template(ROWS).substitute(people=max(1, events // 10), start=start, first=first, last=last)
        with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as connection:
            connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)")


def baseline(folder: Path) -> float:
    """Seconds of the same rows grouped in SQL."""
    started = time.perf_counter()
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(BASELINE.format(archive=folder / "archive")).fetchall()
    return time.perf_counter() - started


async def counted(folder: Path, events: int, queries: list[str]) -> tuple[float, float, int]:
    """Seconds until the answer is there, seconds to read it, and the profiles in it."""
    log = MemoryLog()
    await log.commit(ARCHIVE_GROUP, PROCESSED, 0, events)
    past = ArchivedPast(log, WarehouseSettings(), folder)
    wanted = [Wanted(str(number), query, "USERS") for number, query in enumerate(queries)]
    started = time.perf_counter()
    await past.count("benchmark", "spc_1", wanted, {0: events}, progress=lambda _done, _total: None)
    done = time.perf_counter()
    profiles = 0
    async for page in past.counted("benchmark", ""):
        profiles += len(page)
    ended = time.perf_counter()
    await past.forget("benchmark")
    return done - started, ended - done, profiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    events: int = parser.parse_args().events
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder, events)
        baseline(folder)
        plain = baseline(folder)
        figures: dict[str, float] = {"events": events, "plain DuckDB, rows a second": events / plain}
        for name, queries in QUERIES.items():
            seconds, reading, profiles = asyncio.run(counted(folder, events, queries))
            figures[f"{name}, rows a second"] = events / seconds
            figures[f"{name}, seconds"] = seconds
            figures[f"{name}, share of plain DuckDB's speed"] = plain / seconds
            figures[f"{name}, profiles"] = profiles
            figures[f"{name}, answer read, profiles a second"] = profiles / reading
    report("backfill", figures, target="10,000,000 events of 1,000,000 profiles in less than 60 s on two cores")


if __name__ == "__main__":
    main()
