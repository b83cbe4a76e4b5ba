"""What a promise is, how the promises open a backend, and how they write and read records that can be told apart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from headwater.eventlog import EventLog, Record
from headwater.eventlog.streams import COLLECTED, PROCESSED, Stream

Clock = Callable[[], int]
PARTITIONS = 2
PATIENCE_SECONDS = 60.0


class Backend(msgspec.Struct, frozen=True):
    """How the promises open a backend, and which of them it makes.

    `open` is a function of a module that other processes can import. It opens the log that belongs to a folder, with
    two partitions, segments as small as they get, and a clock in milliseconds for when records are appended.
    `durable` logs outlive their process and may be opened by several; in `shared` ones these share the partitions of a
    group. Logs with `gaps` do not number their records without one. `tear` does to the folder what a machine does
    that dies while it writes.
    """

    open: Callable[[Path, Clock], EventLog]
    durable: bool
    shared: bool = False
    gaps: bool = False
    tear: Callable[[Path], None] | None = None


Promise = Callable[[Backend, Path], None]
_always: list[Promise] = []
_durable: list[Promise] = []
_shared: list[Promise] = []
_torn: list[Promise] = []


def promises(backend: Backend) -> list[Promise]:
    """The promises that a backend makes."""
    return [
        *_always,
        *(_durable if backend.durable else ()),
        *(_shared if backend.shared else ()),
        *(_torn if backend.tear else ()),
    ]


def _promise(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    def run(backend: Backend, folder: Path) -> None:
        asyncio.run(asyncio.wait_for(check(backend, folder), 2 * PATIENCE_SECONDS))

    run.__name__ = check.__name__
    run.__doc__ = check.__doc__
    return run


def always(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of every backend."""
    _always.append(promise := _promise(check))
    return promise


def durable(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of backends that outlive their process."""
    _durable.append(promise := _promise(check))
    return promise


def shared(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of backends whose partitions several processes share."""
    _shared.append(promise := _promise(check))
    return promise


def torn(check: Callable[[Backend, Path], Coroutine[Any, Any, None]]) -> Promise:
    """A promise of backends that say how they are torn."""
    _torn.append(promise := _promise(check))
    return promise


class SetClock:
    """A clock that stands where it is put, in milliseconds."""

    def __init__(self, at: int = 1_000) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def now() -> int:
    """The real time in milliseconds since 1970; a clock that other processes can import."""
    return time.time_ns() // 1_000_000


def record(text: object, size: int = 0) -> Record:
    """A record that can be told apart by a text, of at least so many bytes."""
    return Record(b"key", b"header", str(text).encode().ljust(size, b"."))


def texts(records: Sequence[Record]) -> list[str]:
    """The texts that records were made of."""
    return [one.value.decode().rstrip(".") for one in records]


@contextlib.asynccontextmanager
async def opened(backend: Backend, folder: Path, clock: Clock = now) -> AsyncGenerator[EventLog]:
    """The log of a folder, closed afterwards."""
    log = backend.open(folder, clock)
    try:
        yield log
    finally:
        await log.close()


async def read_all(
    log: EventLog, stream: Stream, partition: int = 0, *, position: int = 0, count: int = 0, gaps: bool = False
) -> list[Record]:
    """Everything from a position on, checking that the positions rise, and have no gap where there may be none.

    `count` records at least are waited for: what a transaction wrote may be read a moment after it returned.
    """
    return list((await read_places(log, stream, partition, position=position, count=count, gaps=gaps)).values())


async def read_places(
    log: EventLog, stream: Stream, partition: int = 0, *, position: int = 0, count: int = 0, gaps: bool = False
) -> dict[int, Record]:
    """The same, with where each record stands."""
    found: dict[int, Record] = {}

    def wait() -> float:
        return PATIENCE_SECONDS if len(found) < count else 0.0

    while (chunk := await log.read(stream, partition, position, wait=wait())).records:
        places = list(chunk.positions)
        assert len(places) == len(chunk.records)
        assert chunk.first == places[0] >= position
        assert places == sorted(set(places)), f"positions do not rise: {places}"
        if found and not gaps:
            assert chunk.first == position, f"read from {position} and got {chunk.first}"
        if not gaps:
            assert places == list(range(places[0], places[-1] + 1))
        found.update(chunk.placed())
        position = chunk.next
    return found


async def filled(log: EventLog, clock: SetClock) -> None:
    """Ten times ten records, each time an hour later, in `collected` and `processed`."""
    for turn in range(10):
        clock.at += 3_600_000
        batch = [record(turn, size=4_000) for _ in range(10)]
        await log.append(COLLECTED, 0, batch)
        await log.append(PROCESSED, 0, batch)
    clock.at += 3_600_000
