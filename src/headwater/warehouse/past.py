"""The archive, to audiences and computed traits: counts what came before a computation did.

Counting is done by processes of their own (`warehouse/counting`), which yield to everything else on the machine and end
with this one. The answer of a job lies in a folder of its name under `past` in the data folder, which appears there
whole: a job that was interrupted begins again, and one that is done is not done twice.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from headwater.eventlog.streams import PROCESSED
from headwater.profiles.language import compile_query, parse
from headwater.spec.errors import Unavailable
from headwater.spec.timestamps import format_moment
from headwater.warehouse.query import archived, at_hand, open_archive
from headwater.warehouse.reading import ARCHIVE_GROUP

if TYPE_CHECKING:
    from headwater.eventlog import EventLog
    from headwater.profiles.computing.past import Counted, Wanted
    from headwater.spec.settings import WarehouseSettings

_PAGE: Final = 2_000
_WORKERS: Final = 2
_LITTLE_BYTES: Final = 20_000_000
"""An archive up to this is counted by one process, because a second would not be worth its start."""

_LINE_BYTES: Final = 1_000_000
_LINK_SECONDS: Final = 60.0
"""How long files must stay until there are links to them."""

Progress = Callable[[int, int], None]


class ArchivedPast:
    """See `profiles.computing.past.Past`."""

    def __init__(self, log: EventLog, settings: WarehouseSettings, folder: Path) -> None:
        """`folder` is the data folder."""
        self._log = log
        self._settings = settings
        self._folder = folder.absolute()
        self._at_work: dict[str, asyncio.Lock] = {}

    async def reaches(self, until: Mapping[int, int]) -> bool:
        """See Past."""
        for partition, position in until.items():
            if await self._log.committed(ARCHIVE_GROUP, PROCESSED, partition) < position:
                return False
        return True

    async def count(
        self,
        job: str,
        space_id: str,
        wanted: Sequence[Wanted],
        until: Mapping[int, int],
        *,
        progress: Progress,
    ) -> None:
        """See Past. Raises QueryError for a query that cannot be compiled."""
        events = {name for each in wanted for name in compile_query(parse(each.query), each.level).events}
        async with self._at_work.setdefault(job, asyncio.Lock()):
            place = self._place(job)
            if place.exists():
                return
            unfinished = place.with_name(f".{place.name}.new")
            try:
                await asyncio.to_thread(_empty, unfinished)
                parts = await self._parts(unfinished / "parts", wanted, until) if events else []
                if parts:
                    tasks = _tasks(self._settings, unfinished, parts, space_id=space_id, wanted=wanted, until=until)
                    await self._run(tasks, progress)
                await asyncio.to_thread(_finish, unfinished, place)
            except OSError as error:
                raise Unavailable(f"What was counted cannot be kept: {error}", retry_after=15) from error
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True))

    async def counted(self, job: str, after: str) -> AsyncIterator[list[Counted]]:
        """See Past. Raises Unavailable for a job that is not done."""
        place = self._place(job)
        if not place.exists():
            raise Unavailable("What was before has not been counted.")
        answer = _answer(place, after)
        while page := await asyncio.to_thread(_some, answer):
            yield page

    async def forget(self, job: str) -> None:
        """See Past."""
        self._at_work.pop(job, None)
        await asyncio.to_thread(shutil.rmtree, self._place(job), ignore_errors=True)

    def _place(self, job: str) -> Path:
        return self._folder / "past" / quote(job, safe="")

    async def _parts(self, links: Path, wanted: Sequence[Wanted], until: Mapping[int, int]) -> list[str]:
        """The files to read; none that holds only what is later or too old."""
        files = await open_archive(self._settings, self._folder)
        _, parts = await archived(self._log, files)
        first_day = format_moment(min(each.since_ms for each in wanted))[:10]
        found = {
            part.name: part.size
            for part in parts
            if part.first < until.get(part.partition, 0) and part.day >= first_day
        }
        paths = await at_hand(files, found, seconds=_LINK_SECONDS)
        return await asyncio.to_thread(_linked, paths, links)

    async def _run(self, tasks: Sequence[bytes], progress: Progress) -> None:
        """Run the processes, all of which end when one fails."""
        heard = [(0, 0)] * len(tasks)

        def tell(worker: int, done: int, total: int) -> None:
            heard[worker] = done, total
            if all(total for _, total in heard):
                progress(sum(done for done, _ in heard), sum(total for _, total in heard))

        try:
            async with asyncio.TaskGroup() as group:
                for worker, task in enumerate(tasks):
                    group.create_task(_work(task, worker, tell))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        total = sum(total for _, total in heard)
        progress(total, total)


def _tasks(
    settings: WarehouseSettings,
    folder: Path,
    parts: list[str],
    *,
    space_id: str,
    wanted: Sequence[Wanted],
    until: Mapping[int, int],
) -> list[bytes]:
    """What each process is asked, as a line."""
    little = sum(Path(part).stat().st_size for part in parts) < _LITTLE_BYTES
    workers = 1 if little else _WORKERS
    return [
        msgspec.json.encode(
            {
                "parts": parts,
                "space_id": space_id,
                "wanted": wanted,
                "until": {str(partition): position for partition, position in until.items()},
                "path": str(folder / f"{worker}.arrow"),
                "spill": str(folder / f"spill-{worker}"),
                "memory_mb": settings.query_memory_mb,
                "worker": worker,
                "workers": workers,
            }
        )
        + b"\n"
        for worker in range(workers)
    ]


class _Said(msgspec.Struct, frozen=True):
    done: int = 0
    total: int = 0
    finished: bool = False
    unavailable: str = ""


async def _work(task: bytes, worker: int, tell: Callable[[int, int, int], None]) -> None:
    """Run one process to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "headwater.warehouse.counting"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd="/",
        limit=_LINE_BYTES,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said = _Said()
    try:
        process.stdin.write(task)
        with suppress(ConnectionError):
            await process.stdin.drain()
        async for line in process.stdout:
            said = _read_said(line)
            if said.total:
                tell(worker, said.done, said.total)
        await process.wait()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if said.unavailable:
        raise Unavailable(said.unavailable, retry_after=15)
    if not said.finished:
        raise Unavailable("The process that counts the archive ended before it was done.", retry_after=15)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _linked(files: Sequence[str], links: Path) -> list[str]:
    """Paths to the files that last as long as the count, though the archive may put them together meanwhile."""
    links.mkdir()
    paths: list[str] = []
    for number, path in enumerate(map(Path, files)):
        link = links / f"{number}.parquet"
        try:
            link.hardlink_to(path)
        except FileNotFoundError:
            raise
        except OSError:  # not every file system has links
            link = path
        paths.append(str(link))
    return paths


def _finish(unfinished: Path, place: Path) -> None:
    """Let the answer appear."""
    for spent in unfinished.iterdir():
        if spent.is_dir():
            shutil.rmtree(spent)
    unfinished.rename(place)


def _answer(place: Path, after: str) -> Iterator[Counted]:
    """The answers of all processes as one, in the order of profiles."""
    return heapq.merge(*(_read(path, after) for path in sorted(place.glob("*.arrow"))), key=itemgetter(0))


def _read(path: Path, after: str) -> Iterator[Counted]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        content: Any = pa.ipc.open_file(file)
        for number in range(content.num_record_batches):
            ids, states = content.get_batch(number).columns
            if ids[-1].as_py() > after:
                yield from (
                    (id, each) for id, each in zip(ids.to_pylist(), states.to_pylist(), strict=True) if id > after
                )


def _some(answer: Iterator[Counted]) -> list[Counted]:
    return list(islice(answer, _PAGE))


_read_said = msgspec.json.Decoder(_Said).decode
