"""Promises about appending and reading."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headwater.contracts.eventlog.promising import (
    PARTITIONS,
    PATIENCE_SECONDS,
    Backend,
    always,
    opened,
    read_all,
    record,
    texts,
)
from headwater.eventlog import Record
from headwater.eventlog.streams import COLLECTED, OUTCOMES, PROCESSED


@always
async def positions_count_from_zero_without_a_gap(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        assert await log.bounds(COLLECTED, 0) == (0, 0)
        firsts = [await log.append(COLLECTED, 0, [record(n)] * count) for n, count in enumerate((1, 3, 1, 200, 1))]
        assert firsts == [0, 1, 4, 5, 205]
        assert await log.bounds(COLLECTED, 0) == (0, 206)


@always
async def records_come_back_as_they_were_appended(backend: Backend, folder: Path) -> None:
    kept = [
        Record(b"", b"", b""),
        Record(bytes(range(256)), b"\x00\xff", bytes(range(256)) * 4),
        Record("schlüssel".encode(), b"{}", b"x" * 3_000_000),
        Record(b"k", b"h", b"after a large one"),
    ]
    async with opened(backend, folder) as log:
        await log.append(PROCESSED, 1, kept)
        found = await read_all(log, PROCESSED, 1, count=len(kept), gaps=backend.gaps)
        assert found == kept, f"found values of {[len(one.value) for one in found]} bytes"


@always
async def records_of_one_append_stay_together_in_the_order_of_appends(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:

        async def caller(name: int) -> None:
            for turn in range(10):
                batch = [record(f"{name}/{turn}/{n}") for n in range(1 + (name + turn) % 4)]
                first = await log.append(COLLECTED, 0, batch)
                mine[name] += [(first + n, f"{name}/{turn}/{n}") for n in range(len(batch))]

        mine: list[list[tuple[int, str]]] = [[] for _ in range(20)]
        await asyncio.gather(*(caller(name) for name in range(20)))
        found = texts(await read_all(log, COLLECTED, gaps=backend.gaps))
        assert len(found) == sum(map(len, mine))
        for places in mine:
            assert places == sorted(places, key=lambda place: place[0])
            assert [found[position] for position, _ in places] == [text for _, text in places]


@always
async def streams_and_partitions_do_not_mix(backend: Backend, folder: Path) -> None:
    lanes = [(stream, partition) for stream in (COLLECTED, PROCESSED, OUTCOMES) for partition in range(PARTITIONS)]
    async with opened(backend, folder) as log:
        assert log.partitions(COLLECTED) == range(PARTITIONS)
        for stream, partition in lanes:
            assert await log.append(stream, partition, [record(f"{stream.name}{partition}")]) == 0
        for stream, partition in lanes:
            assert texts(await read_all(log, stream, partition, gaps=backend.gaps)) == [f"{stream.name}{partition}"]


@always
async def reading_keeps_to_its_maxima(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        await log.append(COLLECTED, 0, [record(n, size=1_000) for n in range(500)])
        chunk = await log.read(COLLECTED, 0, 123, max_records=10)
        assert (chunk.first, texts(chunk.records), chunk.next) == (123, [str(n) for n in range(123, 133)], 133)
        assert len((await log.read(COLLECTED, 0, 0, max_records=1_000)).records) == 500
        few = await log.read(COLLECTED, 0, 100, max_bytes=20_000)
        assert 1 <= len(few.records) <= 40, f"{len(few.records)} records of 1,000 bytes for 20,000 bytes"
        assert len((await log.read(COLLECTED, 0, 100, max_bytes=1)).records) == 1


@always
async def reading_at_the_end_finds_nothing(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for position in (0, 7):
            chunk = await log.read(COLLECTED, 0, position)
            assert (chunk.first, chunk.records, chunk.next) == (position, [], position)
        await log.append(COLLECTED, 0, [record("a")])
        chunk = await log.read(COLLECTED, 0, 1, wait=0.01)
        assert (chunk.first, chunk.records) == (1, [])


@always
async def a_waiting_read_wakes_up_for_a_record(backend: Backend, folder: Path) -> None:
    async with opened(backend, folder) as log:
        for turn in range(20):
            waiting = asyncio.create_task(log.read(PROCESSED, 0, turn, wait=PATIENCE_SECONDS))
            await asyncio.sleep(0.001 * (turn % 5))
            await log.append(PROCESSED, 0, [record(turn)])
            assert texts((await waiting).records) == [str(turn)]
