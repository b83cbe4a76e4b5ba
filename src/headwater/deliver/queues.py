"""What waits in a lane, put together by what may share a request: of one way, and with one key.

A queue is ready when its next request may start: its batch is full or has waited long enough, or deliveries that came
back from the store stand in it. Ready queues take turns, one request each. The others ripen, and cost nothing until
their time comes, however many there are. Time is passed in, in seconds of the monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from headwater.deliver.passage import Piece, size_of

if TYPE_CHECKING:
    from headwater.deliver.passage import Portion
    from headwater.deliver.ways import Way
    from headwater.spec.destination import Item
    from headwater.store.parked import ParkedDelivery


class Returned(msgspec.Struct):
    """Deliveries that came back from the store together. `taken` of them are under way or ended."""

    rows: list[ParkedDelivery]
    items: list[Item]
    claimed: float
    taken: int = 0

    @property
    def rest(self) -> list[ParkedDelivery]:
        return self.rows[self.taken :]


class Queue:
    """What waits to share requests. `waiting` live events have not been taken yet."""

    __slots__ = ("back", "key", "live", "ready", "ripening", "single", "waiting", "way")

    def __init__(self, way: Way, key: str) -> None:
        self.way = way
        self.key = key
        self.single = way.batch.items == 1
        self.live: deque[Portion] = deque()
        self.back: deque[Returned] = deque()
        self.waiting = 0
        self.ready = False
        self.ripening = False

    def ripe_at(self) -> float:
        """When its live events have waited long enough for others; they need not when there are enough of them."""
        batch = self.way.batch
        if self.waiting >= batch.items:
            return 0.0
        return self.live[0].passage.entered + batch.wait

    def trim(self) -> None:
        """Forget what is taken to its end."""
        while self.live and self.live[0].taken >= len(self.live[0].items):
            self.live.popleft()


class Queues:
    """The queues of a lane: `live` events wait in them, and `returned` deliveries that came back.

    Of the `ready` ones the first has its turn; `ripening` are the others that are not empty.
    """

    def __init__(self) -> None:
        self.live = 0
        self.returned = 0
        self._hurried = False
        self._all: dict[tuple[str, str], Queue] = {}
        self.ready: deque[Queue] = deque()
        self.ripening: list[tuple[float, int, Queue]] = []
        self._number = 0

    def enter(self, portion: Portion, way: Way, now: float) -> None:
        """Take live events in."""
        rest = len(portion.items) - portion.taken
        queue = self._find(way, portion.key)
        queue.live.append(portion)
        queue.waiting += rest
        self.live += rest
        self._place(queue, now)

    def offer(self, returned: Returned, way: Way, key: str) -> None:
        """Take deliveries in that came back."""
        queue = self._find(way, key)
        queue.back.append(returned)
        self.returned += len(returned.rest)
        self._make_ready(queue)

    def leave(self, portion: Portion) -> list[Item]:
        """Take everything of a portion out that was not taken yet."""
        rest = portion.items[portion.taken :]
        if rest:
            self.live -= len(rest)
            if (queue := self._all.get((portion.way_id, portion.key))) is not None:
                queue.waiting -= len(rest)
            portion.taken = len(portion.items)
        return rest

    def give_back(self) -> list[ParkedDelivery]:
        """Take everything out that came back."""
        rows = [row for queue in self._all.values() for returned in queue.back for row in returned.rest]
        for queue in self._all.values():
            queue.back.clear()
        self.returned = 0
        return rows

    def empty(self) -> list[Queue]:
        """Take everything out, as it stands in its queues."""
        found = list(self._all.values())
        self.live = self.returned = 0
        self._all.clear()
        self.ready.clear()
        self.ripening.clear()
        return found

    def hurry(self, now: float) -> None:
        """Let no batch wait for others any more."""
        self._hurried = True
        for queue in list(self._all.values()):
            self._place(queue, now)

    def ripen(self, now: float) -> float | None:
        """Make those ready whose time has come. Returns the seconds until it comes for another, if there is one."""
        while self.ripening:
            at, _, queue = self.ripening[0]
            if at > now:
                return at - now
            heappop(self.ripening)
            queue.ripening = False
            self._place(queue, now)
        return None

    def behind(self, now: float) -> bool:
        """Do live events wait that no longer wait for others?"""
        return any(queue.waiting and self._ripe(queue, now) for queue in self.ready)

    def next(self, now: float) -> Queue | None:
        """The queue whose turn it is; `done` says when something was taken of it."""
        while self.ready:
            queue = self.ready.popleft()
            queue.ready = False
            queue.trim()
            if queue.back or (queue.live and self._ripe(queue, now)):
                return queue
            self._place(queue, now)
        return None

    def done(self, queue: Queue, now: float) -> None:
        """Let a queue that had its turn stand in line again, if something is left."""
        self._place(queue, now)

    def take(self, queue: Queue, now: float) -> tuple[list[Item], list[Piece]]:
        """What a request carries of live events that are ripe; nothing if there are none."""
        items: list[Item] = []
        pieces: list[Piece] = []
        if not queue.live or not self._ripe(queue, now):
            return items, pieces
        batch = queue.way.batch
        room = batch.body_bytes
        while queue.live and len(items) < batch.items:
            portion = queue.live[0]
            start = portion.taken
            stop = min(len(portion.items), start + batch.items - len(items))
            if portion.size <= room:
                room -= portion.size
            else:
                left = batch.body_bytes - size_of(items)
                stop, room = _fitting(portion.items, start, stop - start, left, at_least=0 if items else 1)
            if stop > start:
                piece = Piece(portion, start, stop, now)
                portion.pieces.append(piece)
                pieces.append(piece)
                if items:
                    items += piece.items
                else:
                    items = piece.items
                portion.taken = stop
            if stop < len(portion.items):
                break
            queue.live.popleft()
        queue.waiting -= len(items)
        self.live -= len(items)
        return items, pieces

    def take_back(self, queue: Queue) -> tuple[list[Item], list[ParkedDelivery]]:
        """What a request carries of deliveries that came back."""
        returned, batch = queue.back[0], queue.way.batch
        start = returned.taken
        stop, _ = _fitting(returned.items, start, batch.items, batch.body_bytes, at_least=1)
        returned.taken = stop
        if stop == len(returned.items):
            queue.back.popleft()
        self.returned -= stop - start
        return returned.items[start:stop], returned.rows[start:stop]

    def _find(self, way: Way, key: str) -> Queue:
        queue = self._all.get((way.id, key))
        if queue is None:
            queue = self._all[way.id, key] = Queue(way, key)
        return queue

    def _ripe(self, queue: Queue, now: float) -> bool:
        return queue.single or self._hurried or queue.ripe_at() <= now

    def _place(self, queue: Queue, now: float) -> None:
        """Let a queue stand where it belongs; one that is empty goes."""
        queue.trim()
        if queue.ready:
            return
        if queue.back or (queue.live and self._ripe(queue, now)):
            self._make_ready(queue)
        elif queue.live:
            if not queue.ripening:
                queue.ripening = True
                self._number += 1
                heappush(self.ripening, (queue.ripe_at(), self._number, queue))
        elif self._all.get((queue.way.id, queue.key)) is queue:
            del self._all[queue.way.id, queue.key]

    def _make_ready(self, queue: Queue) -> None:
        if not queue.ready:
            queue.ready = True
            self.ready.append(queue)


def _fitting(items: Sequence[Item], start: int, count: int, size: int, *, at_least: int) -> tuple[int, int]:
    """Where to stop so that at most `count` items and `size` bytes are taken, and the bytes left."""
    stop = start
    end = min(len(items), start + count)
    while stop < end:
        rest = size - len(items[stop].body)
        if rest < 0 and stop - start >= at_least:
            break
        size = rest
        stop += 1
    return stop, size
