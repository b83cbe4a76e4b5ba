"""The roles: what a process of the house can be. One table, one async function each.

Rooms are imported when their role is run, so that a process holds only what it works with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from headwater.app.house import House
from headwater.app.settings import environment_of_destinations

Role = Callable[[House, asyncio.Event], Coroutine[Any, Any, None]]
Begun = Callable[[str], None]
"""Told the name of each role once its work has begun."""


async def _collect(house: House, stopping: asyncio.Event, begun: Callable[[], None] = lambda: None) -> None:
    from headwater.app.spill import collecting_log
    from headwater.collect.loop import collect

    async with collecting_log(house) as (log, spilling):
        await collect(
            log=log,
            snapshot=house.snapshot,
            settings=house.settings.collect,
            stopping=stopping,
            ready=lambda _port: begun(),
            spilling=spilling,
        )


async def _pipeline(house: House, stopping: asyncio.Event) -> None:
    from headwater.pipeline.enrich import prepare
    from headwater.pipeline.loop import pipeline

    settings = house.settings.pipeline
    await pipeline(
        log=house.log,
        store=house.store,
        snapshot=house.snapshot,
        settings=settings,
        enrichments=prepare(settings),
        folder=house.folder,
        keep_seconds=_kept_hours(house) * 3_600 * 2,
        stopping=stopping,
        traced=not house.settings.log.shared,
    )


def _kept_hours(house: House) -> int:
    """How long the pipeline's index of messageIds is of use: where it is not traced, to deduplication alone."""
    log, window = house.settings.log, house.settings.pipeline.dedup_window_hours
    return window if log.shared else max(window, log.retention_hours)


async def _deliver(house: House, stopping: asyncio.Event) -> None:
    from headwater.deliver.loop import deliver
    from headwater.warehouse.replay.archived import ArchivedEvents

    await deliver(
        log=house.log,
        store=house.store,
        snapshot=house.snapshot,
        secrets=house.secrets,
        settings=house.settings.deliver,
        catalogue=house.settings.catalogue,
        environment=environment_of_destinations(house.settings),
        stopping=stopping,
        past=ArchivedEvents(house.log, house.settings.warehouse, house.folder),
    )


async def _warehouse(house: House, stopping: asyncio.Event) -> None:
    from headwater.warehouse.loop import warehouse

    await warehouse(
        log=house.log,
        store=house.store,
        snapshot=house.snapshot,
        secrets=house.secrets,
        settings=house.settings.warehouse,
        folder=house.folder,
        stopping=stopping,
    )


async def _profiles(house: House, stopping: asyncio.Event) -> None:
    from headwater.profiles.loop import profiles
    from headwater.warehouse.past import ArchivedPast

    await profiles(
        log=house.log,
        store=house.store,
        settings=house.settings.profiles,
        folder=None if house.settings.log.shared else house.folder,
        stopping=stopping,
        snapshot=house.snapshot,
        past=ArchivedPast(house.log, house.settings.warehouse, house.folder),
    )


async def _manage(house: House, stopping: asyncio.Event) -> None:
    from headwater.console.door import Door
    from headwater.manage.loop import manage

    await manage(
        log=house.log,
        store=house.store,
        snapshot=house.snapshot,
        secrets=house.secrets,
        settings=house.settings,
        folder=house.folder,
        stopping=stopping,
        faces={"/console": Door},
        environment=environment_of_destinations(house.settings),
    )


ROLES: dict[str, Role] = {
    "collect": _collect,
    "pipeline": _pipeline,
    "deliver": _deliver,
    "warehouse": _warehouse,
    "profiles": _profiles,
    "manage": _manage,
}
"""In walking order, as app/shapes.py has them."""


async def run(house: House, roles: Sequence[str], stopping: asyncio.Event, begun: Begun = lambda role: None) -> None:
    """Run roles in this process until told to stop. The first that fails ends them all."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(house.snapshot.keep_fresh(stopping), name="snapshot")
        for role in ROLES:
            if role not in roles:
                continue
            if role == "collect":
                tasks.create_task(_collect(house, stopping, lambda: begun("collect")), name=role)
            else:
                tasks.create_task(ROLES[role](house, stopping), name=role)
                begun(role)
