"""Rows a second into a DuckDB warehouse, from published events to committed tables, beside DuckDB's own bare insert.

The baseline inserts the same Arrow tables, made beforehand, into a fresh file: what remains is the house's own work
(JSON, flattening, types, the search for known ids). Also: what a small load costs, and what a load costs once the
tables hold a million events.
"""

import os
import random
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from benchmarks.report import report
from headwater.warehouse.engines import Place, definition
from headwater.warehouse.laying import Published
from headwater.warehouse.load import Notices, lay_flat, put
from headwater.warehouse.naming import Names
from headwater.warehouse.tables import Batch, rows_for

CHUNK = 20_000
NAMES = [f"Event Number {number}" for number in range(20)]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
NOW = 1_700_000_000_000


def event(number: int) -> dict[str, Any]:
    """An ordinary web event of about 900 bytes; one in ten is an identify."""
    user = f"user-{number % 5_000}"
    body: dict[str, Any] = {
        "messageId": f"ajs-next-{NOW + number}-{uuid.uuid4()}",
        "userId": user,
        "anonymousId": str(uuid.uuid5(uuid.NAMESPACE_URL, user)),
        "timestamp": "2023-11-14T22:13:20.000Z",
        "originalTimestamp": "2023-11-14T22:13:19.500Z",
        "sentAt": "2023-11-14T22:13:19.900Z",
        "context": {
            "ip": f"203.0.113.{number % 250}",
            "userAgent": BROWSER,
            "locale": "en-GB",
            "library": {"name": "analytics.js", "version": "next-1.84.3"},
            "page": {"path": f"/p/{number % 97}", "url": f"https://shop.example/p/{number % 97}", "title": "A page"},
            "campaign": {"name": "spring", "source": "mail"},
        },
    }
    if number % 10 == 0:
        return body | {"type": "identify", "traits": {"email": f"{user}@x.example", "plan": "pro", "age": number % 90}}
    properties = {"orderId": f"o{number}", "revenue": number / 7, "quantity": number % 9, "coupon": None, "vip": True}
    products = [{"sku": f"s{number % 50}", "price": 9.5}]
    return body | {"type": "track", "event": NAMES[number % 20], "properties": {**properties, "products": products}}


def chunk(first: int, events: int) -> list[Published]:
    return [(msgspec.json.encode(event(number)), NOW + number) for number in range(first, first + events)]


class Warehouse:
    """A warehouse under test, loaded as the role does it."""

    def __init__(self, folder: Path) -> None:
        self.engine = definition("duckdb")
        self.place = Place(folder, "w")
        self.capabilities = self.engine.capabilities()
        self.names = Names(self.capabilities.identifier_bytes)

    def load(self, events: list[Published]) -> tuple[int, float]:
        started = time.perf_counter()
        notices = Notices()
        flats = lay_flat(events, names=self.names, notices=notices)
        with self.engine.open({}, self.place) as session:
            loaded = put(session, {"shop": [flats]}, now=NOW, capabilities=self.capabilities, notices=notices)
        return loaded.rows, time.perf_counter() - started


def bare_insert(folder: Path, events: list[Published]) -> float:
    """Seconds that DuckDB alone takes for the tables of these events."""
    engine = definition("duckdb").capabilities()
    flats = lay_flat(events, names=Names(), notices=Notices())
    batch = Batch(flats, NOW, engine)
    tables = {"tracks": rows_for("tracks", range(len(flats)), batch, None, own=False).data}
    for name in set(flats.event_tables) - {""}:
        places = [place for place, table in enumerate(flats.event_tables) if table == name]
        tables[name] = rows_for(name, places, batch, None).data
    started = time.perf_counter()
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        for name, rows in tables.items():
            connection.register("incoming", rows)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
    return time.perf_counter() - started


def resident_mb() -> float:
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warehouse = Warehouse(folder)
        warehouse.load(chunk(0, CHUNK))
        processor = time.process_time()
        loads = [warehouse.load(chunk(first, CHUNK)) for first in range(CHUNK, 5 * CHUNK, CHUNK)]
        processor = time.process_time() - processor
        rows, seconds = sum(rows for rows, _ in loads), sum(seconds for _, seconds in loads)
        small = sorted(warehouse.load(chunk(10_000_000 + 10 * at, 10))[1] for at in range(11))[5]
        bare = bare_insert(folder, chunk(20_000_000, CHUNK))
        again = chunk(CHUNK, CHUNK)
        random.shuffle(again)
        _, repeated = warehouse.load(again)
        for first in range(5 * CHUNK, 50 * CHUNK, 2 * CHUNK):
            warehouse.load(chunk(first, 2 * CHUNK))
        _, million = warehouse.load(chunk(51 * CHUNK, CHUNK))
        small_million = sorted(warehouse.load(chunk(30_000_000 + 10 * at, 10))[1] for at in range(11))[5]
    each = seconds / len(loads)
    figures = {
        "rows a second": rows / seconds,
        "events a second": 4 * CHUNK / seconds,
        "seconds for 20,000 events": each,
        "seconds for DuckDB's bare insert of as many": bare,
        "load / bare insert": each / bare,
        "seconds for 10 events": small,
        "seconds for 20,000 events loaded before": repeated,
        "seconds for 20,000 events into 1M events": million,
        "seconds for 10 events into 1M events": small_million,
        "memory afterwards, MB": resident_mb(),
    }
    report("warehouse_load", figures, target="more than 100,000 rows a second; a small load under 0.5 s")


if __name__ == "__main__":
    main()
