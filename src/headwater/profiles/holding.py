"""What a partition has at hand of profiles: what is known of each, and what is counted of it.

Those used last are kept as they are worked with, from one write to the next; those used before as bytes, in less room.
All the others are in the store, and so is whatever was written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.profiles.known import State, decode, pack
from headwater.store import known, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store

Counts = dict[str, list[Any]]
"""What is counted of one profile, as the language keeps it, by the name of the computation's version."""

decode_counts: Final = msgspec.msgpack.Decoder(Counts).decode
encode_counts: Final = msgspec.msgpack.Encoder().encode
_NONE: Final = encode_counts({})

_KEPT_BYTES: Final = 300
"""What it takes to keep the bytes of a profile beside themselves."""

_OPEN_BYTES: Final = 1_000
_OPENED: Final = 5
"""A profile that is open takes so many bytes, and for each of its own so many."""


class Held(msgspec.Struct, gc=False):
    """A profile at hand, to be changed in place. `kept` is what the store has of both, as bytes."""

    state: State | None
    counts: Counts
    kept: tuple[bytes, bytes]


class Lately:
    """What was used some time ago, as bytes, up to a sum of bytes."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()

    def take(self, id: str) -> tuple[bytes, bytes] | None:
        """What is kept of a profile, which is then not kept here any more."""
        found = self._kept.pop(id, None)
        if found is not None:
            self._room += _size(found)
        return found

    def put(self, id: str, kept: tuple[bytes, bytes]) -> None:
        """Keep what is not here yet, and forget what came before all others if there is too much."""
        self._room -= _size(kept)
        self._kept[id] = kept
        while self._room < 0:
            _, forgotten = self._kept.popitem(last=False)
            self._room += _size(forgotten)


def _size(kept: tuple[bytes, bytes]) -> int:
    return _KEPT_BYTES + len(kept[0]) + len(kept[1])


class Holding:
    """One partition's profiles. Whoever changes one at hand says so in `changed` or `counted`."""

    def __init__(self, store: Store, partition: int, room: int) -> None:
        """`room` is for all that is kept, in bytes: half for what is open, in two turns, half for what is not."""
        self._store = store
        self._partition = partition
        self._room = room
        self.forget()

    def forget(self) -> None:
        """Have nothing at hand; what was not written is lost."""
        self.held: dict[str, Held] = {}
        self.changed: set[str] = set()
        self.counted: set[str] = set()
        self._turn_before: dict[str, Held] = {}
        self._bytes = 0
        self._lately = Lately(self._room // 2)

    def many(self, limit: int) -> bool:
        """Is so much at hand that it should be written?"""
        return len(self.changed) >= limit or len(self.counted) >= limit or self._weight() > self._room // 2

    def _weight(self) -> int:
        return _OPEN_BYTES * len(self.held) + _OPENED * self._bytes

    async def learn(self, ids: Iterable[str], *, counting: bool) -> bool:
        """Have these at hand. Says whether the store was asked; what it does not have is new."""
        asked: list[str] = []
        for id in set(ids).difference(self.held):
            if (before := self._turn_before.pop(id, None)) is not None:
                self._hold(id, before)
            elif (kept := self._lately.take(id)) is not None:
                self._hold(id, _open(*kept))
            else:
                asked.append(id)
        if not asked:
            return False
        states, counts = await self._store.read(lambda connection: self._read(connection, asked, counting=counting))
        for id in asked:
            self._hold(id, _open(states.get(id, b""), counts.get(id, _NONE)))
        return True

    def _hold(self, id: str, one: Held) -> None:
        self.held[id] = one
        self._bytes += len(one.kept[0]) + len(one.kept[1])

    def _read(
        self, connection: Connection, ids: list[str], *, counting: bool
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        states = known.states(connection, self._partition, ids)
        return states, standing.counted_of(connection, self._partition, ids) if counting else {}

    def encode(self, names: frozenset[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What changed of states and of counts, as bytes; counts for other names than these are forgotten.

        Nothing at hand may change meanwhile.
        """
        held = self.held
        states = {id: pack(state) for id in self.changed if (state := held[id].state) is not None}
        counts: dict[str, bytes] = {}
        for id in self.counted:
            mine = held[id].counts
            for gone in mine.keys() - names:
                del mine[gone]
            counts[id] = encode_counts(mine)
        return states, counts

    def written(self, states: dict[str, bytes], counts: dict[str, bytes]) -> None:
        """These are in the store. What was not used for some time makes room."""
        for id in self.changed | self.counted if self.counted else self.changed:
            one = self.held[id]
            before = one.kept
            one.kept = states.get(id, before[0]), counts.get(id, before[1])
            self._bytes += len(one.kept[0]) + len(one.kept[1]) - len(before[0]) - len(before[1])
        self.changed.clear()
        self.counted.clear()
        if self._weight() > self._room // 4:
            self._turn()

    def _turn(self) -> None:
        """Begin another turn: what was used neither in this one nor in the one before is kept as bytes from now on."""
        for id, one in self._turn_before.items():
            self._lately.put(id, one.kept)
        self._turn_before, self.held, self._bytes = self.held, {}, 0


def _open(state: bytes, counts: bytes) -> Held:
    return Held(decode(state) if state else None, {} if counts == _NONE else decode_counts(counts), (state, counts))
