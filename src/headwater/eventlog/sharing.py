"""Sharing out the partitions of a stream among the processes that work for a group.

`work` runs a job for each partition that falls to this process, and ends it when the partition goes to another. A log
that one machine has to itself gives every partition to whoever joins (`Whole`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from headwater.eventlog import EventLog, Holder, Moved
from headwater.eventlog.streams import Stream
from headwater.spec.errors import SetupError, Unavailable

_log = logging.getLogger("headwater.eventlog")
_AGAIN_SECONDS = 0.5
_LONGEST_SECONDS = 30.0

Job = Callable[[int, asyncio.Event], Coroutine[Any, Any, None]]
"""Works on a partition until it is told to stop, and returns when nothing of its work is under way any more."""


class Whole:
    """The membership of the only worker there is; a `Membership`."""

    def __init__(self, holder: Holder, partitions: Sequence[int]) -> None:
        self._holder = holder
        self._partitions = partitions

    async def leave(self) -> None:
        """Give back every partition."""
        await self._holder.give_back(self._partitions)


async def join_alone(holder: Holder, partitions: Sequence[int]) -> Whole:
    """Give a holder every partition."""
    await holder.take(partitions)
    return Whole(holder, partitions)


async def work(log: EventLog, group: str, stream: Stream, job: Job, stopping: asyncio.Event) -> None:
    """Run a job for each partition of a stream that falls to this process, until told to stop.

    Before a job begins, all others are shut out from its partition (`fence`). One that finds it `Moved` nonetheless
    ends, and is begun anew if the partition is this process's still; so is one that raises Unavailable. One that fails
    in another way is begun anew too, ever more rarely: if it ended the process, whoever got its partitions next would
    end the same way, and one event would stop them all. SetupError and AssertionError do end all, and are raised here.
    """
    async with asyncio.TaskGroup() as tasks:
        share = _Share(log, group, job, tasks)
        membership = await log.join(group, stream, share)
        try:
            await stopping.wait()
        except asyncio.CancelledError:
            share.cancel()
            raise
        finally:
            await membership.leave()


class _Share:
    """The jobs of this process, by partition; a `Holder`."""

    def __init__(self, log: EventLog, group: str, job: Job, tasks: asyncio.TaskGroup) -> None:
        self._log = log
        self._group = group
        self._job = job
        self._tasks = tasks
        self._held: dict[int, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    async def take(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            stopping = asyncio.Event()
            job = self._tasks.create_task(self._run(partition, stopping), name=f"{self._group}-{partition}")
            self._held[partition] = (stopping, job)

    async def give_back(self, partitions: Sequence[int]) -> None:
        held = [self._held.pop(partition) for partition in partitions if partition in self._held]
        for stopping, _ in held:
            stopping.set()
        if held:
            await asyncio.wait([job for _, job in held])

    def cancel(self) -> None:
        """End all jobs where they stand: whoever is cancelled waits for nobody."""
        for _, job in self._held.values():
            job.cancel()

    async def _run(self, partition: int, stopping: asyncio.Event) -> None:
        """Work, and begin anew after a while, for as long as the partition is said to be this process's."""
        pause, now = _AGAIN_SECONDS, asyncio.get_running_loop().time
        while not stopping.is_set():
            began = now()
            failed = await self._once(partition, stopping)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
            again = failed and now() - began < 2 * _LONGEST_SECONDS
            pause = min(2 * pause, _LONGEST_SECONDS) if again else _AGAIN_SECONDS

    async def _once(self, partition: int, stopping: asyncio.Event) -> bool:
        """Work until it ends. Returns whether it failed in a way that nobody foresaw."""
        failed = False
        try:
            await self._log.fence(self._group, partition)
            await self._job(partition, stopping)
        except* Moved:
            _log.info("Partition %d of %s went to another worker.", partition, self._group)
        except* Unavailable as errors:
            _log.info("Partition %d of %s waits: %s", partition, self._group, errors.exceptions[0])
        except* (SetupError, AssertionError):
            raise
        except* Exception:
            failed = True
            _log.exception("Partition %d of %s stands still; it is begun anew soon.", partition, self._group)
        return failed
