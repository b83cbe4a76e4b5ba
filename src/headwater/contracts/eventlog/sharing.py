"""Promises about workers: who has which partition, and who may still commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headwater.contracts.eventlog.killing import kill_at_work, transact_for_ever
from headwater.contracts.eventlog.promising import (
    PARTITIONS,
    PATIENCE_SECONDS,
    Backend,
    always,
    opened,
    read_all,
    record,
    shared,
    texts,
)
from headwater.eventlog import Append, Commit, Moved
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED


class Kept(msgspec.Struct):
    """A holder that writes down what falls to it."""

    partitions: set[int] = msgspec.field(default_factory=set)

    async def take(self, partitions: Sequence[int]) -> None:
        """See Holder."""
        assert not self.partitions & set(partitions), "a partition came twice"
        self.partitions |= set(partitions)

    async def give_back(self, partitions: Sequence[int]) -> None:
        """See Holder."""
        assert self.partitions >= set(partitions), "a partition went that was not there"
        self.partitions -= set(partitions)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - two logs, whose events are their own
            await asyncio.sleep(0.01)


@always
async def every_partition_falls_to_the_only_worker(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for _ in range(2):
            kept = Kept()
            membership = await log.join("g", COLLECTED, kept)
            await _until(lambda kept=kept: kept.partitions == set(range(PARTITIONS)))
            await membership.leave()
            assert not kept.partitions


@always
async def a_group_goes_on_committing_after_it_fenced(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for turn in range(3):
            await log.fence("g", 0)
            await log.transact(0, [Append(OUTCOMES, [record(turn)])], [Commit("g", COLLECTED, turn + 1)])
        assert await log.committed("g", COLLECTED, 0) == 3
        assert texts(await read_all(log, OUTCOMES, count=3, gaps=backend.gaps)) == ["0", "1", "2"]


@shared
async def whoever_was_fenced_commits_no_more(backend: Backend, folder: Path) -> None:
    def chunk(text: str, position: int) -> tuple[list[Append], list[Commit]]:
        return [Append(OUTCOMES, [record(text)])], [Commit("g", COLLECTED, position)]

    async with opened(backend, folder) as one, opened(backend, folder) as other:
        await one.fence("g", 0)
        await one.transact(0, *chunk("one", 1))
        await other.fence("g", 0)
        for _ in range(2):
            try:
                await one.transact(0, *chunk("stale", 9))
                raise AssertionError("a worker that was shut out committed")
            except Moved:
                pass
        await other.transact(0, *chunk("other", 2))
        await one.transact(1, *chunk("elsewhere", 1))
        await one.fence("g", 0)
        await one.transact(0, *chunk("again", 3))
        assert texts(await read_all(one, OUTCOMES, count=3, gaps=backend.gaps)) == ["one", "other", "again"]
        assert await other.committed("g", COLLECTED, 0) == 3


@shared
async def workers_share_the_partitions_and_take_over_from_each_other(backend: Backend, folder: Path) -> None:
    everything = set(range(PARTITIONS))
    async with opened(backend, folder) as log, opened(backend, folder) as elsewhere:
        one, other = Kept(), Kept()
        staying = await log.join("g", COLLECTED, one)
        await _until(lambda: one.partitions == everything)
        leaving = await elsewhere.join("g", COLLECTED, other)
        await _until(lambda: bool(other.partitions) and one.partitions | other.partitions == everything)
        assert not one.partitions & other.partitions
        await leaving.leave()
        await _until(lambda: one.partitions == everything)
        await staying.leave()


@shared
async def what_a_killed_worker_left_half_done_is_never_read(backend: Backend, folder: Path) -> None:
    """The next worker gets on at once, and finds either all of the last transaction or nothing."""
    await kill_at_work(transact_for_ever, backend, folder, acknowledgements=5)
    async with opened(backend, folder) as log:
        await log.fence("g", 0)
        turns = await log.committed("g", COLLECTED, 0)
        await log.transact(0, [Append(PROCESSED, [record("mine")])], [Commit("g", COLLECTED, turns + 1)])
        found = texts(await read_all(log, PROCESSED, count=3 * turns + 1, gaps=backend.gaps))
        assert found == [*(str(turn) for turn in range(turns) for _ in range(3)), "mine"]
