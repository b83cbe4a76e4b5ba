"""The role: wires the lanes up, walks the partitions that fall to this process, and stops in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from headwater.catalogue import Workers
from headwater.deliver.backlog import Backlog
from headwater.deliver.comeback import Comeback
from headwater.deliver.lane import Job, Ports, run
from headwater.deliver.lanes import Lanes
from headwater.deliver.performing import performing
from headwater.deliver.replaying import Replaying
from headwater.deliver.samples import IN_ALL, Samples
from headwater.deliver.slots import SLOTS, Slots
from headwater.deliver.tally import Tally
from headwater.deliver.tokens import Tokens
from headwater.deliver.transport import Transport
from headwater.deliver.walk import GROUP, Walk, Window
from headwater.deliver.writers import Writers, address_guard
from headwater.eventlog.sharing import work
from headwater.eventlog.streams import PROCESSED

if TYPE_CHECKING:
    from headwater.deliver.past import PastEvents
    from headwater.eventlog import EventLog
    from headwater.spec.settings import CatalogueSettings, DeliverSettings
    from headwater.store import Store
    from headwater.store.secrets import Secrets
    from headwater.store.snapshot import Snapshot


async def deliver(
    *,
    log: EventLog,
    store: Store,
    snapshot: Snapshot,
    secrets: Secrets,
    settings: DeliverSettings,
    catalogue: CatalogueSettings,
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    past: PastEvents | None = None,
) -> None:
    """Deliver until told to stop; then give what is under way its grace, park the rest, commit, and return.

    `environment` is what the catalogue's destinations may see of ours. `past` is the archive; without it replays wait.

    Raises SetupError when a network in `allowed_addresses` is none, or when the store's parked deliveries belong to
    another log.
    """
    requests: set[asyncio.Task[None]] = set()
    committed: dict[int, int] = {}
    async with (
        Transport(settings.allowed_addresses) as transport,
        Workers(catalogue, environment=environment) as workers,
        Writers(address_guard(settings.allowed_addresses)) as writers,
        asyncio.TaskGroup() as tasks,
    ):

        def start(request: Coroutine[Any, Any, None]) -> None:
            task = tasks.create_task(request)
            requests.add(task)
            task.add_done_callback(requests.discard)

        backlog = Backlog(store)
        tally = Tally()
        slots = Slots[Job](SLOTS, settings.grace_seconds, lambda job: start(run(job)))
        ports = Ports(transport.exchange, backlog, settings, start, slots, tally, Samples(times=IN_ALL))
        lanes = Lanes(
            snapshot, secrets, ports, performing(workers, writers, Tokens(store, secrets, transport.exchange))
        )
        lanes.follow()
        window = Window(settings.chunk_events * settings.chunks_in_flight)

        async def walk(partition: int, leaving: asyncio.Event) -> None:
            one = Walk(
                log,
                store,
                lanes,
                backlog,
                settings,
                partition=partition,
                window=window,
                tally=tally,
                committed=committed,
            )
            await one.begin()
            await one.run(leaving)

        writing = tasks.create_task(backlog.keep_writing(), name="deliver-backlog")
        walking = [tasks.create_task(work(log, GROUP, PROCESSED, walk, stopping), name="deliver-walks")]
        coming = tasks.create_task(
            Comeback(store, lanes, backlog, settings, tally=tally, committed=committed).run(stopping)
        )
        if past is not None:
            replaying = Replaying(log, store, lanes, backlog, past).run(stopping)
            walking.append(tasks.create_task(replaying, name="deliver-replays"))
        await stopping.wait()
        for lane in lanes.made():
            lane.hurry()
        backlog.due.set()
        await asyncio.wait([*walking, coming])
        if requests:
            await asyncio.wait(set(requests), timeout=settings.grace_seconds)
        for lane in lanes.made():
            lane.abandon()
        for task in list(requests):
            task.cancel()
        backlog.close()
        await writing
        tally.tell(time.monotonic(), at_once=True)
