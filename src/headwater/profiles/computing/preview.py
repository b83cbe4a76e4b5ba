"""Previews: how many profiles a query would have now, and who some of them are, before it becomes an audience or trait.

What is heavy happens in processes of their own, one preview at a time. A query that reads traits alone is answered from
the store. One about events also needs the archive: it sees events once they are archived, so a preview is behind by as
much as the archive is, usually up to 15 seconds. Nothing of a preview outlives the process that was asked.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from headwater.profiles.computing.past import Counted, Past, Wanted
from headwater.profiles.computing.previewing import NAME, Member, Said, Task
from headwater.profiles.language import compile_query, parse
from headwater.spec.computation import KNOWN_BY, Level
from headwater.spec.errors import HeadwaterError, SenderError, Unavailable

if TYPE_CHECKING:
    from headwater.store import Store

Status = Literal["RUNNING", "COMPLETED", "FAILED"]

MAX_SAMPLE: Final = 100
MAX_WAITING: Final = 5
MAX_KEPT: Final = 50
"""Previews that are remembered, the newest."""

_EVERYTHING: Final = 2**62
"""A position after all others: what the archive has counts."""

_DAY_MS: Final = 86_400_000
_LINE_BYTES: Final = 64_000_000
_encode = msgspec.msgpack.Encoder().encode
_say = logging.getLogger("headwater.profiles")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to preview. A person without one of the identifier types `known_by` is in no audience; empty: all are.

    `history_days` is how far back events count, 0 is without limit.
    """

    space_id: str
    query: str
    level: Level = "USERS"
    known_by: tuple[str, ...] = KNOWN_BY
    history_days: int = 0
    sample: int = MAX_SAMPLE


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """How far a preview has come: first through the events of the archive, then through the profiles.

    `count` and `sample` are there when it is completed; the sample are the first members in the order of ids. `failure`
    is a sentence for people. `at` is the moment for which it answers (ms).
    """

    id: str
    asked: Asked
    status: Status = "RUNNING"
    done: int = 0
    total: int = 0
    count: int = 0
    sample: tuple[Member, ...] = ()
    failure: str = ""
    at: int = 0


class Previews:
    """The previews of one process. One runs at a time; some more wait."""

    def __init__(
        self,
        store: Store,
        past: Past | None,
        partitions: Iterable[int],
        folder: Path,
        *,
        seconds: float = 600.0,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`partitions` are those of the stream `processed`, `folder` the data folder. Without a past no events count.

        A preview that takes longer than `seconds` fails. `clock` tells milliseconds since 1970.
        """
        self._store_url = store.url
        self._past = past
        self._partitions = list(partitions)
        self._folder = folder.absolute() / "past"
        self._seconds = seconds
        self._clock = clock
        self._turn = asyncio.Lock()
        self._kept: dict[str, Preview] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, asked: Asked) -> str:
        """Begin a preview; returns its id. Raises QueryError, or SenderError when too many wait already."""
        compile_query(parse(asked.query), asked.level)
        if len(self._tasks) > MAX_WAITING:
            raise SenderError(
                "Other previews are being worked out; try again in a while.", code="too_many_previews", status=429
            )
        id = f"prv_{secrets.token_hex(12)}"
        self._kept[id] = Preview(id=id, asked=asked, at=self._clock())
        over = [each for each in self._kept if each not in self._tasks and each != id]
        for old in over[: max(0, len(self._kept) - MAX_KEPT)]:
            del self._kept[old]
        task = self._tasks[id] = asyncio.create_task(self._run(id), name=f"preview-{id}")
        task.add_done_callback(lambda _: self._over(id))
        return id

    def get(self, id: str) -> Preview:
        """A preview. Raises SenderError for one that is not remembered."""
        if id not in self._kept:
            raise SenderError("There is no such preview; it may have been forgotten.", code="not_found", status=404)
        return self._kept[id]

    def cancel(self, id: str) -> None:
        """End a preview, if it is not over yet."""
        if id in self._tasks:
            self._tasks[id].cancel()

    async def close(self) -> None:
        """End all previews."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, id: str) -> None:
        try:
            async with self._turn, asyncio.timeout(self._seconds):
                self._note(id, at=self._clock())
                await self._work(id)
        except TimeoutError:
            self._note(id, status="FAILED", failure=f"The preview took longer than {self._seconds:g} s.")
        except HeadwaterError as error:
            self._note(id, status="FAILED", failure=str(error))
        except Exception:
            self._note(id, status="FAILED", failure="The preview could not be worked out; the log says why.")
            _say.exception("A preview could not be worked out.")

    def _over(self, id: str) -> None:
        del self._tasks[id]
        if id in self._kept and self._kept[id].status == "RUNNING":
            self._note(id, status="FAILED", failure="The preview was cancelled.")

    def _note(self, id: str, **changes: object) -> None:
        if id in self._kept:
            self._kept[id] = msgspec.structs.replace(self._kept[id], **changes)

    async def _work(self, id: str) -> None:
        """Count, then ask. What both leave on disk is removed, also what others left who could not."""
        preview = self._kept[id]
        asked, job, scratch = preview.asked, f"preview.{id}", self._folder / f"preview.{id}.sqlite"
        counts = self._past is not None and bool(compile_query(parse(asked.query), asked.level).events)
        await asyncio.to_thread(_prepare, self._folder, self._clock())
        task = Task(
            store_url=self._store_url,
            space_id=asked.space_id,
            query=asked.query,
            level=asked.level,
            known_by=asked.known_by,
            now=preview.at,
            sample=max(0, min(asked.sample, MAX_SAMPLE)),
            scratch=str(scratch),
            counted=counts,
        )
        try:
            pages = await self._counted(job, preview) if counts else None
            said = await _converse(task, pages, lambda done, total: self._note(id, done=done, total=total))
        finally:
            await asyncio.shield(self._clean(job, scratch))
        self._note(
            id, status="COMPLETED", count=said.count, sample=tuple(said.sample), done=said.done, total=said.total
        )

    async def _counted(self, job: str, preview: Preview) -> AsyncIterator[list[Counted]]:
        assert self._past is not None, "without a past nothing is counted"
        asked = preview.asked
        since = preview.at - asked.history_days * _DAY_MS if asked.history_days else 0
        await self._past.count(
            job,
            asked.space_id,
            [Wanted(NAME, asked.query, asked.level, since)],
            dict.fromkeys(self._partitions, _EVERYTHING),
            progress=lambda done, total: self._note(preview.id, done=done, total=total),
        )
        return self._past.counted(job, "")

    async def _clean(self, job: str, scratch: Path) -> None:
        if self._past is not None:
            await self._past.forget(job)
        await asyncio.to_thread(scratch.unlink, missing_ok=True)


def _prepare(folder: Path, now: int) -> None:
    """Have a folder, without what processes left there that were killed a day ago or longer."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in [*folder.glob("preview.*"), *folder.glob(".preview.*")]:
        with suppress(OSError):
            if left.stat().st_mtime * 1_000 < now - _DAY_MS:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


async def _converse(task: Task, pages: AsyncIterator[list[Counted]] | None, hear: Callable[[int, int], None]) -> Said:
    """Run the process that asks, to its end. The store's driver may find credentials in the environment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "headwater.profiles.computing.previewing"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said = Said()
    feeding = asyncio.create_task(_feed(process.stdin, task, pages))
    try:
        async for line in process.stdout:
            said = _read_said(line)
            hear(said.done, said.total)
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding
        await process.wait()
    except BaseException:
        feeding.cancel()
        process.kill()
        await asyncio.gather(feeding, process.wait(), return_exceptions=True)
        raise
    if said.failure or not said.finished:
        raise Unavailable(said.failure or "The process that works out the preview ended before it was done.")
    return said


async def _feed(stdin: asyncio.StreamWriter, task: Task, pages: AsyncIterator[list[Counted]] | None) -> None:
    """Tell the process what to do. It ends by itself when this ends with an error, because its input does then."""
    try:
        stdin.write(msgspec.json.encode(task) + b"\n")
        if pages is not None:
            async for page in pages:
                content = _encode(page)
                stdin.write(len(content).to_bytes(4, "big") + content)
                await stdin.drain()
            stdin.write(bytes(4))
        await stdin.drain()
    except ConnectionError:
        return
    except BaseException:
        stdin.close()
        raise


_read_said = msgspec.json.Decoder(Said).decode
