"""The newest events that somebody wants to see: some of before, then what comes, for as long as they look."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import msgspec

from headwater.console.parts.events.rows import Line
from headwater.console.person import Person
from headwater.manage.operations.events import StreamEvents, TailedEvent, stream_events
from headwater.manage.operations.recent import ListRecentEvents, RecentEvent, list_recent_events

MOST: Final = 500
"""At most so many events are kept (contract: connections 8.1)."""

_MOST_BYTES: Final = 8_000_000
_BEFORE: Final = 200
_A_SECOND: Final = 50
_REST_SECONDS: Final = 0.25


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; what is empty does not matter."""

    source: str = ""
    type: str = ""
    event: str = ""
    user: str = ""
    filter: str = ""


class Feed:
    """Follows the events for one page. `tell` is called at most four times a second, when there are new ones."""

    def __init__(self, person: Person, tell: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._person = person
        self._tell = tell
        self._failed = failed
        self._wanted = Wanted()
        self._lines: dict[str, Line] = {}
        self._fresh: deque[Line] = deque(maxlen=MOST)
        self._bytes = 0
        self._following: asyncio.Task[None] | None = None
        self._telling: asyncio.TimerHandle | None = None
        self.passed_over = 0

    def find(self, id: str) -> Line | None:
        """An event that is still kept."""
        return self._lines.get(id)

    def lines(self) -> list[Line]:
        """What is kept, newest first."""
        return list(reversed(self._lines.values()))

    @property
    def waiting(self) -> int:
        """How many new events nobody has taken yet."""
        return len(self._fresh)

    def take(self) -> list[Line]:
        """What came since the last time, newest first."""
        taken = list(reversed(self._fresh))
        self._fresh.clear()
        return taken

    async def want(self, wanted: Wanted) -> None:
        """Forget what is kept, and keep the newest of these from now on. Does not follow yet."""
        self.stop()
        self._wanted = wanted
        self._lines.clear()
        self._fresh.clear()
        self._bytes = self.passed_over = 0
        await self._catch_up()
        self._fresh.clear()

    def start(self) -> None:
        """Follow what comes, and catch up with what came since it was stopped."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="live events")

    def stop(self) -> None:
        """Follow no more; what is kept stays."""
        if self._following is not None:
            self._following.cancel()
            self._following = None
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def _catch_up(self) -> None:
        wanted = ListRecentEvents(**msgspec.structs.asdict(self._wanted), count=_BEFORE)
        answer = await self._person.ask(list_recent_events, wanted)
        for one in reversed(answer.events):
            self._keep(_recent(one))

    async def _follow(self) -> None:
        wanted = StreamEvents(**msgspec.structs.asdict(self._wanted), sample=_A_SECOND)
        try:
            async with aclosing(await self._person.listen(stream_events, wanted)) as events:
                # What it says first means that it has its place. Only now is what came before it looked up: the other
                # way round, what comes between the two would be in neither.
                await anext(events, None)
                await self._catch_up()
                async for one in events:
                    if one.kind == "event":
                        self._keep(_tailed(one))
                    elif one.kind == "missed":
                        self.passed_over += one.missed
                        self._soon()
        except Exception as error:
            self._following = None
            self._failed(error)

    def _keep(self, line: Line) -> None:
        if line.id in self._lines:
            return
        self._lines[line.id] = line
        self._fresh.append(line)
        self._bytes += len(line.body)
        while len(self._lines) > MOST or (self._bytes > _MOST_BYTES and len(self._lines) > 1):
            oldest = self._lines.pop(next(iter(self._lines)))
            self._bytes -= len(oldest.body)
        self._soon()

    def _soon(self) -> None:
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_REST_SECONDS, self._say)

    def _say(self) -> None:
        self._telling = None
        self._tell()


def _recent(one: RecentEvent) -> Line:
    return Line(
        id=one.id,
        source_id=one.source_id,
        message_id=one.message_id,
        received_at=one.received_at,
        destinations=one.destinations,
        body=bytes(one.event),
    )


def _tailed(one: TailedEvent) -> Line:
    """The stream's id begins with the event's own place, followed by those of the other partitions."""
    return Line(
        id=(one.id or "").partition(",")[0],
        source_id=one.source_id or "",
        message_id=one.message_id or "",
        received_at=one.received_at or "",
        destinations=one.destinations,
        body=bytes(one.event) if isinstance(one.event, msgspec.Raw) else b"",
    )
