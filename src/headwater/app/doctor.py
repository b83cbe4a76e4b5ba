"""Is this machine fit for the house, and is the house well? A list of checks, each with what to do.

A check changes nothing that stands: what it must write, it writes to a temporary file or folder and removes.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from headwater.app.commands.client import KEPT, collect_url, is_healthy, manage_url
from headwater.app.commands.ports import bind_error
from headwater.app.commands.readiness import readiness
from headwater.app.engines import is_kafka, kafka_findings, server_findings
from headwater.app.finding import Finding, fail, ok, warn
from headwater.app.settings import explain, read
from headwater.spec.errors import HeadwaterError
from headwater.spec.outcome import Step
from headwater.spec.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_OLDEST = (3, 11)
_SLOW_FSYNC_MS = 20.0
_FSYNCS = 12
_BORN = 1_735_689_600  # 2025-01-01: a clock before that was never set
_AHEAD_SECONDS = 120.0
_LATE_SECONDS = 300.0


def examine(flags: Mapping[str, str], file: Path | None) -> Iterator[Finding]:
    """Run every check, in order; those that need settings only when these can be read."""
    yield _python()
    yield _clock()
    try:
        settings = read(flags, file=file)
    except HeadwaterError as error:
        yield fail("settings", str(error), "Correct it; `headwater settings --example` shows every setting.")
        return
    yield _settings(flags, file)
    running = is_healthy(collect_url(settings)), is_healthy(manage_url(settings))
    found = list(engines(settings))
    yield from found
    away = {one.check for one in found if one.status == "fail"}
    for check in CHECKS:
        if away.isdisjoint(_NEEDED.get(check.__name__, ())):
            yield _safely(check, settings)
    yield from _ports(settings, running)
    yield _house(settings, running)


def engines(settings: Settings) -> Iterator[Finding]:
    """The checks of PostgreSQL and Kafka, where the house has them."""
    for name, look in (("postgresql", server_findings), ("kafka", kafka_findings)):
        try:
            yield from look(settings)
        except Exception as error:
            yield fail(
                name, f"{type(error).__name__}: {error}", "See above; `headwater serve` would stop here as well."
            )


def _python() -> Finding:
    name = f"{platform.python_implementation()} {platform.python_version()}"
    found = f"{name} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < _OLDEST:
        return fail("python", found, "Use Python 3.11 or later.")
    return ok("python", found)


def _clock() -> Finding:
    now = time.time()
    with tempfile.NamedTemporaryFile() as file:
        apart = Path(file.name).stat().st_mtime - now
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _BORN:
        return fail("clock", moment, "Set the clock; events get their times from it.")
    if abs(apart) > _AHEAD_SECONDS:
        return warn("clock", f"{moment}, {apart:.0f} s from the disk's", "Synchronise both clocks (NTP).")
    return ok("clock", moment)


def _settings(flags: Mapping[str, str], file: Path | None) -> Finding:
    changed = [f"{value.name} ({value.origin})" for value in explain(flags, file=file) if value.origin != "default"]
    return ok("settings", f"valid; changed: {', '.join(changed)}" if changed else "valid; all are defaults")


def _folder(settings: Settings) -> Finding:
    folder = Path(settings.data).absolute()
    try:
        with tempfile.NamedTemporaryFile(dir=_standing(folder)):
            pass
    except OSError as error:
        return fail("folder", f"{folder}: {error.strerror}", "Choose another with --data, or change its owner.")
    return ok("folder", f"{folder} {'can be written' if folder.exists() else 'will be made at the first start'}")


def _space(settings: Settings) -> Finding:
    free = shutil.disk_usage(_standing(Path(settings.data).absolute())).free
    floor = settings.log.min_free_bytes
    found = f"{free / 1e9:.1f} GB free; below {floor / 1e9:.1f} GB new events are refused"
    if free < floor:
        return fail("space", found, "Make room, or lower log.retention_hours.")
    if free < 5 * floor:
        return warn("space", found, "Make room soon, or lower log.retention_hours.")
    return ok("space", found)


def _fsync(settings: Settings) -> Finding:
    took: list[float] = []
    with tempfile.TemporaryFile(dir=_standing(Path(settings.data).absolute())) as file:
        for _ in range(_FSYNCS):
            file.write(b"x" * 4_096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1_000)
    middle = statistics.median(took)
    found = f"{middle:.1f} ms in the middle, {max(took):.1f} ms at most"
    if middle > _SLOW_FSYNC_MS:
        return warn("fsync", found, "Every request waits for one; put the data folder on a faster disk.")
    return ok("fsync", found)


def _log(settings: Settings) -> Finding:
    from headwater.app.house import open_log
    from headwater.eventlog.streams import STREAMS

    if not settings.log.url and not (Path(settings.data) / "log").exists():
        return ok("log", "will be made at the first start")
    if is_kafka(settings) and not _streams_stand(settings):
        return ok("log", "has no streams that could be read yet")

    async def look() -> str:
        log = open_log(settings)
        try:
            held = dict.fromkeys(STREAMS, 0)
            for name, stream in STREAMS.items():
                for partition in log.partitions(stream):
                    first, end = await log.bounds(stream, partition)
                    held[name] += end - first
            size = await log.size_bytes()
        finally:
            await log.close()
        return ", ".join(f"{count} {name}" for name, count in held.items()) + f", {size / 1e6:.1f} MB"

    return ok("log", f"opens; {asyncio.run(look())}")


def _streams_stand(settings: Settings) -> bool:
    """Opening a log on Kafka makes its streams, which is not for a check to do."""
    from headwater.eventlog.kafka.examining import examine
    from headwater.eventlog.kafka.reach import reach
    from headwater.eventlog.streams import STREAMS

    log = settings.log
    found = examine(reach(log.url, log.kafka, log.instance)).streams
    return found.keys() == STREAMS.keys()


def _lag(settings: Settings) -> Finding:
    """How far the groups of readers are behind."""
    from headwater.app.house import open_log
    from headwater.manage.lags import lags

    here = (Path(settings.data) / "log").exists()
    if not (_streams_stand(settings) if is_kafka(settings) else here and not settings.log.url):
        return ok("lag", "nothing was sent yet")

    async def look() -> dict[str, tuple[int, float]]:
        log = open_log(settings)
        try:
            found = await lags(log, (), time.time_ns() // 1_000_000)
        finally:
            await log.close()
        return {one.group: (one.records, one.seconds or 0.0) for one in found if one.records}

    behind = asyncio.run(look())
    if not behind:
        return ok("lag", "every reader has dealt with everything")
    told = ", ".join(f"{group} {records} records ({seconds:.0f} s)" for group, (records, seconds) in behind.items())
    if any(seconds > _LATE_SECONDS for _, seconds in behind.values()):
        return warn("lag", told, "Is its role running? If it is, start more processes of it, up to one a partition.")
    return ok("lag", told)


def _store(settings: Settings) -> Finding:
    from headwater.app.house import open_store
    from headwater.store import Store
    from headwater.store import workspace as workspaces

    if not settings.store.url and not (Path(settings.data) / "store.sqlite").exists():
        with tempfile.TemporaryDirectory() as folder:
            store = Store.in_folder(Path(folder))
            store.migrate()
            store.close()
        return ok("store", "will be made at the first start; its tables can be made here")
    store = open_store(settings)
    try:
        if not store.run(_has_tables, write=False):
            return ok("store", "is empty; its tables will be made at the first start")
        version = store.run(workspaces.version, write=False)
    finally:
        store.close()
    return ok("store", f"answers; the workspace is at version {version}")


def _has_tables(connection: Connection) -> bool:
    return sa.inspect(connection).has_table("alembic_version")


def _books(settings: Settings) -> Finding:
    from headwater.app.house import open_store
    from headwater.store import ledger

    if not settings.store.url and not (Path(settings.data) / "store.sqlite").exists():
        return ok("books", "nothing is in them yet")
    store = open_store(settings)
    try:
        if not store.run(_has_tables, write=False):
            return ok("books", "nothing is in them yet")
        counts = store.run(ledger.totals, write=False)
    finally:
        store.close()
    sums: dict[str, int] = {}
    for count in counts:
        sums[count.step] = sums.get(count.step, 0) + count.events
    missing = imbalance(sums)
    found = f"{sums.get(Step.RECEIVED, 0)} received, {sums.get(Step.DELIVERED, 0)} delivered"
    if missing:
        return fail("books", f"{found}; {missing} events without an outcome", "This is a bug; please report it.")
    return ok("books", f"{found}; every event has its outcome")


def imbalance(sums: dict[str, int]) -> int:
    """How many events the books do not account for, of sources and of destinations."""
    source = sum(sums.get(step, 0) for step in ("failed_on_ingest", "duplicate", "filtered_at_source", "processed"))
    destination = sum(
        sums.get(step, 0) for step in ("filtered_at_destination", "delivered", "failed_delivery", "pending")
    )
    return abs(sums.get(Step.RECEIVED, 0) - source) + abs(sums.get(Step.MATCHED, 0) - destination)


def _places(settings: Settings) -> Finding:
    from headwater.pipeline.enrich import open_geoip

    if settings.pipeline.geoip_file == "off":
        return ok("places", "switched off")
    if open_geoip(settings.pipeline.geoip_file) is None:
        return warn("places", "no database", "Name an MMDB file with pipeline.geoip_file; events go without places.")
    return ok("places", settings.pipeline.geoip_file or "the country database that is installed")


def _keys(settings: Settings) -> Finding:
    from headwater.store.rotation import prepared

    key = Path(settings.key_file or Path(settings.data) / "secret.key")
    present = [path for path in (key, Path(settings.data) / KEPT) if path.exists()]
    loose = [path for path in present if path.stat().st_mode & (0o007 if settings.key_file else 0o077)]
    if loose:
        names = " ".join(map(str, loose))
        return fail("keys", f"{', '.join(path.name for path in loose)} can be read by others", f"chmod 600 {names}")
    if not key.exists() and settings.key_file:
        return warn("keys", f"{key} does not exist", "Copy the key file of the machine that started first there.")
    if not key.exists():
        return ok("keys", "will be made at the first start")
    if prepared(key):
        found = "a rotation was begun and did not end; every secret opens with the old key or the new one"
        return warn("keys", found, "Run `headwater secrets rotate`, which goes on where it stopped.")
    return ok("keys", f"{', '.join(path.name for path in present)}: for their owner alone")


def _ports(settings: Settings, running: tuple[bool, bool]) -> Iterator[Finding]:
    listeners = (("collect", settings.collect.host, settings.collect.port), ("manage", *_manage(settings)))
    for (room, host, port), well in zip(listeners, running, strict=True):
        name = f"port {port}"
        if well:
            yield ok(name, f"the house answers here ({room})")
        elif (error := bind_error(host, port)) is not None:
            yield fail(
                name,
                f"{room}: {error.strerror}",
                f"Stop what listens there, or choose another with --set {room}.port=PORT.",
            )
        else:
            yield ok(name, f"free for {room}")


def _house(settings: Settings, running: tuple[bool, bool]) -> Finding:
    if settings.health_port:
        return _process(settings)
    if settings.log.url and not any(running):
        return ok("house", "its roles may run elsewhere; with health_port each tells here whether it is ready")
    if all(running):
        return ok("house", f"answers at {collect_url(settings)} and {manage_url(settings)}")
    if any(running):
        return fail("house", "only one of its two ports answers", "Read the lines that `headwater serve` prints.")
    return warn("house", "does not run with these settings", "Start it with `headwater serve`.")


def _process(settings: Settings) -> Finding:
    """What a process with some of the roles says of itself."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.health_host, settings.health_host)  # noqa: S104
    found = readiness(host, settings.health_port)
    place = f"{host} port {settings.health_port}"
    if found is None:
        return warn(
            "process", f"nobody answers at {place}", "Start a role with these settings: `headwater serve ROLE`."
        )
    if found:
        told = ", ".join(f"{part}: {why}" for part, why in found.items())
        return fail("process", f"not ready at {place}; {told}", "See the lines above about the store and the log.")
    return ok("process", f"is ready at {place}")


def _catalogue(settings: Settings) -> Finding:
    from headwater import catalogue
    from headwater.catalogue.build import fresh
    from headwater.catalogue.place import folder

    catalogue.use(settings.catalogue.folder)
    if said := catalogue.missing():
        return warn("catalogue", f"only Headwater's own destinations are there. {said}", f"Run `{catalogue.COMMAND}`.")
    if not fresh(folder()):
        return warn("catalogue", f"what is in {folder()} is of another version", f"Run `{catalogue.COMMAND}`.")
    return ok("catalogue", f"{len(catalogue.names())} of Segment's destinations (version {catalogue.version()})")


def _safely(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    name = check.__name__.removeprefix("_")
    try:
        return check(settings)
    except HeadwaterError as error:
        return fail(name, str(error), "See above; `headwater serve` would stop here as well.")
    except Exception as error:
        return fail(name, f"{type(error).__name__}: {error}", "See above; `headwater serve` would stop here as well.")


def _manage(settings: Settings) -> tuple[str, int]:
    return settings.manage.host, settings.manage.port


def _standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that stands."""
    return next(above for above in (folder, *folder.parents) if above.exists())


_NEEDED = {"_log": ("kafka",), "_lag": ("kafka",), "_store": ("postgresql",), "_books": ("postgresql",)}
"""What a check cannot do without; when it is away, that has been told."""

CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _folder,
    _space,
    _fsync,
    _log,
    _lag,
    _store,
    _books,
    _places,
    _keys,
    _catalogue,
)
"""Those that need settings, in the order in which they are told."""
