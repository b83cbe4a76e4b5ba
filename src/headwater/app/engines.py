"""The checks of `headwater doctor` that look at PostgreSQL and Kafka. Nothing is made or changed there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from headwater.app.finding import Finding, fail, ok, warn
from headwater.app.waiting import place_of, understood
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.settings import LogSettings, Settings

if TYPE_CHECKING:
    from headwater.eventlog.kafka.examining import Cluster, StreamFound
    from headwater.store import Store

_OLDEST_POSTGRES: Final = 130_000
_APART_SECONDS: Final = 2.0
_FULL: Final = 0.8
_MONTH_MINUTES: Final = 30 * 24 * 60
_TRANSACTION_MS: Final = 60_000
_SAFE_COPIES: Final = 3
_KEEP: Final = "-1"


def server_findings(settings: Settings) -> Iterator[Finding]:
    """Is the server of the store fit? Nothing for a store in files."""
    if not settings.store.url or settings.store.url.startswith("sqlite"):
        return
    from headwater.app.house import open_store

    store = open_store(settings)
    try:
        yield from _server(store, place_of(settings.store.url))
    except SetupError as error:
        yield fail("postgresql", str(error), "Correct store.url; the user and the database must exist.")
    except Unavailable as error:
        advice = f"Start PostgreSQL, and see that this machine reaches {place_of(settings.store.url)}."
        yield fail("postgresql", str(error), advice)
    finally:
        store.close()


def _server(store: Store, place: str) -> Iterator[Finding]:
    began = time.perf_counter()
    product = understood(lambda: _one(store, "SELECT version()")).partition(" on ")[0]
    took = (time.perf_counter() - began) * 1_000
    found = f"{product} at {place}, answers in {took:.0f} ms"
    number = _setting(store, "server_version_num")
    if product.startswith("PostgreSQL") and number.isdigit() and int(number) < _OLDEST_POSTGRES:
        yield fail("postgresql", found, "Use PostgreSQL 13 or later.")
    elif _setting(store, "server_encoding") not in ("UTF8", ""):
        yield fail("postgresql", f"{found}; its text is not UTF-8", "Make the database with ENCODING 'UTF8'.")
    elif _setting(store, "synchronous_commit") == "off":
        yield warn("postgresql", f"{found}; synchronous_commit is off", "A crash loses the last writes; switch it on.")
    else:
        yield ok("postgresql", found)
    yield _clock(store)
    yield from _connections(store)


def _clock(store: Store) -> Finding:
    before = time.time()
    theirs = float(_one(store, "SELECT extract(epoch FROM clock_timestamp())"))
    apart = theirs - (before + time.time()) / 2
    found = f"{abs(apart) * 1000:.0f} ms from the store's"
    if abs(apart) > _APART_SECONDS:
        return warn("clocks", found, "Synchronise the clocks of all machines (NTP); events get their times from them.")
    return ok("clocks", found)


def _connections(store: Store) -> Iterator[Finding]:
    most, used = _setting(store, "max_connections"), _or_empty(store, "SELECT count(*) FROM pg_stat_activity")
    if not most.isdigit() or not used.isdigit():
        return
    found = f"{used} of {most} in use"
    if int(used) > _FULL * int(most):
        yield warn("connections", found, "Raise max_connections, lower store.pool_size, or put a pooler between.")
    else:
        yield ok("connections", found)


def _setting(store: Store, name: str) -> str:
    return _or_empty(store, f"SHOW {name}")


def _or_empty(store: Store, query: str) -> str:
    """An answer, or nothing from a relative of PostgreSQL that does not know the question."""
    try:
        return _one(store, query)
    except Exception:
        return ""


def _one(store: Store, query: str) -> str:
    return str(store.run(lambda connection: connection.exec_driver_sql(query).scalar(), write=False))


def kafka_findings(settings: Settings) -> Iterator[Finding]:
    """Is the cluster of the log fit? Nothing for a log in files."""
    if not is_kafka(settings):
        return
    from headwater.eventlog.kafka.examining import examine
    from headwater.eventlog.kafka.reach import reach

    log = settings.log
    began = time.perf_counter()
    try:
        cluster = examine(reach(log.url, log.kafka, log.instance))
    except SetupError as error:
        yield fail("kafka", str(error), "See log.url and log.kafka in `headwater settings`.")
        return
    except Unavailable as error:
        yield fail("kafka", str(error), "Start the brokers, and see that this machine reaches the names they announce.")
        return
    took = (time.perf_counter() - began) * 1_000
    found = f"{cluster.brokers} brokers at {place_of(log.url)}, told all in {took:.0f} ms"
    if cluster.brokers < _SAFE_COPIES:
        yield warn("kafka", found, "With fewer than three brokers the loss of one stops the log or loses it.")
    else:
        yield ok("kafka", found)
    yield from cluster_findings(cluster, log)


def is_kafka(settings: Settings) -> bool:
    """Is the log on Kafka?"""
    return settings.log.url.startswith("kafka:")


def cluster_findings(cluster: Cluster, log: LogSettings) -> Iterator[Finding]:
    """What is to be said of a cluster that answers."""
    if not cluster.streams:
        yield ok("streams", f"will be made at the first start, with {log.partitions} partitions each")
    for stream in cluster.streams.values():
        yield _stream(stream, cluster, log)
    yield from _broker(cluster)


def _stream(stream: StreamFound, cluster: Cluster, log: LogSettings) -> Finding:
    check = stream.name
    found = f"{stream.partitions} partitions, {stream.copies} copies, {stream.in_sync} in sync at least"
    settings = stream.settings
    if stream.partitions != log.partitions:
        advice = f"Set log.partitions={stream.partitions}: records would change partition otherwise."
        return fail(check, found, advice)
    if settings.get("cleanup.policy", "delete") != "delete":
        advice = f"kafka-configs --alter --entity-type topics --entity-name {check} --add-config cleanup.policy=delete"
        return fail(check, f"{found}; Kafka compacts it and so loses records", advice)
    if stream.in_sync < stream.copies:
        return warn(check, f"{found}: a broker is away or behind", "Bring it back; until then fewer may be lost.")
    if stream.copies < min(_SAFE_COPIES, cluster.brokers):
        advice = "Give it more copies with kafka-reassign-partitions; log.replication is for those that are made."
        return warn(check, found, advice)
    acknowledged = settings.get("min.insync.replicas", "")
    if stream.copies >= _SAFE_COPIES and acknowledged == "1":
        advice = f"kafka-configs --alter --entity-type topics --entity-name {check} --add-config min.insync.replicas=2"
        return warn(check, f"{found}; one copy is enough for a 200", advice)
    if settings.get("retention.ms", _KEEP) != _KEEP:
        kept = int(settings["retention.ms"]) / 3_600_000
        advice = "Headwater itself has old records deleted, once all have read them; set retention.ms=-1."
        return warn(check, f"{found}; Kafka drops records after {kept:.0f} h, read or not", advice)
    return ok(check, found)


def _broker(cluster: Cluster) -> Iterator[Finding]:
    settings = cluster.settings
    if not settings:
        yield warn(
            "brokers", "they do not tell their settings", "Give our user the right DescribeConfigs on the cluster."
        )
        return
    minutes = int(settings.get("offsets.retention.minutes", _MONTH_MINUTES))
    found = f"kept for {minutes / 1_440:.0f} days"
    if minutes < _MONTH_MINUTES:
        yield warn(
            "cursors",
            found,
            "A warehouse or role that is away for longer begins anew, and what it had not read is no longer kept for "
            f"it. Set offsets.retention.minutes={_MONTH_MINUTES} or more on the brokers.",
        )
    else:
        yield ok("cursors", found)
    longest = int(settings.get("transaction.max.timeout.ms", _TRANSACTION_MS))
    if longest < _TRANSACTION_MS:
        advice = f"Set transaction.max.timeout.ms={_TRANSACTION_MS} or more on the brokers."
        yield fail("transactions", f"may take {longest} ms at most", advice)
    own = {name: settings.get(f"{name}.replication.factor", "") for name in ("offsets.topic", "transaction.state.log")}
    few = [name for name, copies in own.items() if copies.isdigit() and int(copies) < min(3, cluster.brokers)]
    if few:
        advice = f"Set {few[0]}.replication.factor=3 on the brokers, and reassign what stands already."
        yield warn("transactions", f"{' and '.join(few)}: too few copies to survive the loss of a broker", advice)
