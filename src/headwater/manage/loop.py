"""The role: serves the operations, keeps the books, measures, and lets the log forget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server

from headwater import telemetry
from headwater.eventlog import EventLog
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import OUTCOMES, PROCESSED
from headwater.manage.desk import Desk
from headwater.manage.faces import NO_FACES, Face, Faces, beside
from headwater.manage.following import follow_log, followers, indexes
from headwater.manage.front import Front
from headwater.manage.http import application
from headwater.manage.lags import READERS
from headwater.manage.ledger import GROUP as LEDGER_GROUP
from headwater.manage.ledger import Books
from headwater.manage.operations import OPERATIONS
from headwater.manage.profile_api.events import Histories
from headwater.manage.profile_api.face import PATHS, ProfileApi
from headwater.manage.trials import Trials
from headwater.profiles.computing.preview import Previews
from headwater.spec.errors import SetupError, Unavailable
from headwater.spec.settings import ManageSettings, Settings
from headwater.store import ages, leases
from headwater.store.database import Store
from headwater.store.secrets import Secrets
from headwater.store.snapshot import REFRESH_SECONDS, Snapshot
from headwater.warehouse.past import ArchivedPast

_MEASURE_SECONDS = 5.0
_TRIM_SECONDS = 180.0
_FAREWELL_SECONDS = 5.0


async def manage(
    *,
    log: EventLog,
    store: Store,
    snapshot: Snapshot,
    secrets: Secrets,
    settings: Settings,
    folder: Path,
    stopping: asyncio.Event,
    faces: Faces = NO_FACES,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run until told to stop. Raises SetupError when the port cannot be had.

    `environment` is what the catalogue's destinations may see of ours when they are tried.
    """
    followed = followers(log, settings, indexes(settings, folder)) if settings.log.shared else []
    past = ArchivedPast(log, settings.warehouse, folder)
    previews = Previews(store, past, log.partitions(PROCESSED), folder)
    trials = Trials(settings, store, secrets, environment)
    desk = Desk(
        store=store,
        log=log,
        snapshot=snapshot,
        secrets=secrets,
        settings=settings,
        folder=folder,
        histories=Histories(log, folder, settings.warehouse, indexes=followed),
        stopping=stopping,
        settle_seconds=1.5 * REFRESH_SECONDS,
        previews=previews,
        trials=trials,
    )
    books = Books(log, store)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_serve(desk, settings.manage, faces, stopping), name="http")
            tasks.create_task(work(log, LEDGER_GROUP, OUTCOMES, books.keep, stopping), name="ledger")
            tasks.create_task(_measure(log, books, stopping), name="measure")
            if settings.log.shared:
                tasks.create_task(follow_log(followed, stopping), name="follow")
            forget = partial(_forget, log, store, settings.log.retention_hours)
            tasks.create_task(leases.while_held(store, "trim", forget, stopping), name="trim")
    finally:
        await previews.close()
        await trials.close()


async def _serve(desk: Desk, settings: ManageSettings, faces: Faces, stopping: asyncio.Event) -> None:
    front = Front(desk)
    profile_api = ProfileApi(front)
    made: dict[str, Face] = dict.fromkeys(PATHS, profile_api)
    made |= {path: make(front) for path, make in faces.items()}
    server = Server(
        beside(application(front, OPERATIONS), made),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=True,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if serving.done():
        raise SetupError(
            f"The management API cannot listen on {settings.host}:{settings.port}."
        ) from serving.exception()
    server.stop()
    with suppress(TimeoutError):
        await asyncio.wait_for(serving, _FAREWELL_SECONDS)
    for face in made.values():
        await face.close()


async def _measure(log: EventLog, books: Books, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        with suppress(Unavailable):
            for group, stream in READERS:
                for partition in log.partitions(stream):
                    lag = await log.lag(group, stream, partition)
                    telemetry.LOG_LAG.labels(group, stream.name, str(partition)).set(lag)
            telemetry.LEDGER_IMBALANCE.set((await books.balance()).events())
        await _rest(stopping, _MEASURE_SECONDS)


async def _forget(log: EventLog, store: Store, hours: int, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        now = time.time_ns() // 1_000_000
        with suppress(Unavailable):
            await log.trim(now - hours * 3_600_000)
            await store.write(partial(ages.forget, now_minute=now // 60_000))
        await _rest(stopping, _TRIM_SECONDS)


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
