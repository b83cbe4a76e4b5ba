"""What a partition has at hand of profiles between two writes: what is known of each, and what is counted of it.

What events tell is put aside until it is written, or asked for: then a profile is opened, all is folded at once, and it
is bytes again. One that stays open takes ten times the room, and is seldom in the processor's caches when its next
event comes. So profiles used lately are kept as bytes; the store has all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.profiles.known import State, Told, decode, fold, fold_packed, pack
from headwater.store import known, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store

Counts = dict[str, list[Any]]
"""What is counted of one profile, as the language keeps it, by the name of the computation's version."""

Kept = tuple[bytes, bytes]
"""A profile's state and counts, as the store has them."""

decode_counts: Final = msgspec.msgpack.Decoder(Counts).decode
encode_counts: Final = msgspec.msgpack.Encoder().encode
_NONE: Final = encode_counts({})
_NOTHING: Final[Kept] = (b"", _NONE)

_EACH_BYTES: Final = 300
"""What it takes to keep the bytes of a profile, beside themselves."""


class Held(msgspec.Struct, gc=False):
    """A profile at hand: `kept`, and what was `told` of it since and is not folded yet."""

    kept: Kept
    told: list[Told]
    _folded: bool = False
    _state: State | None = None
    _counts: Counts | None = None

    def state(self) -> State | None:
        """What is known of it, with all that was told; None if that is nothing."""
        state = self._state
        if state is None and self.kept[0]:
            state = decode(self.kept[0])
        if self.told:
            for each in self.told:
                state = fold(state, each)
            self.told.clear()
            self._folded = True
        self._state = state
        return state

    def changed(self) -> bytes | None:
        """The same as bytes; None if nothing was told."""
        if self._folded and (state := self.state()) is not None:
            return pack(state)
        return fold_packed(self.kept[0], self.told) if self.told else None

    def counts(self) -> Counts:
        """What is counted of it, to be changed in place."""
        if self._counts is None:
            self._counts = {} if self.kept[1] == _NONE else decode_counts(self.kept[1])
        return self._counts


class Lately:
    """What was used last, as bytes, up to a sum of bytes.

    It goes by turns, and each has half the room: what was put neither in this one nor in the one before is forgotten.
    """

    def __init__(self, room: int) -> None:
        self._room = room // 2
        self._used = 0
        self._now: dict[str, Kept] = {}
        self._before: dict[str, Kept] = {}

    def get(self, id: str) -> Kept | None:
        """What is kept of a profile, unless it was forgotten."""
        found = self._now.get(id)
        return self._before.get(id) if found is None else found

    def put(self, id: str, kept: Kept) -> None:
        """Keep it, in the place of what was kept of it."""
        size = _EACH_BYTES + len(kept[0]) + len(kept[1])
        before = self._now.get(id)
        if before is not None:
            size -= _EACH_BYTES + len(before[0]) + len(before[1])
        if self._used + size > self._room:
            self._before, self._now, self._used = self._now, {}, 0
            size = _EACH_BYTES + len(kept[0]) + len(kept[1])
        self._used += size
        self._now[id] = kept


class Holding:
    """One partition's profiles. Whoever counts something of one at hand says so in `counted`."""

    def __init__(self, store: Store, partition: int, room: int) -> None:
        self._store = store
        self._partition = partition
        self._room = room
        self.forget()

    def forget(self) -> None:
        """Have nothing at hand; what was not written is lost."""
        self.held: dict[str, Held] = {}
        self.counted: set[str] = set()
        self._lately = Lately(self._room)

    async def learn(self, ids: Iterable[str], *, counting: bool) -> bool:
        """Have these at hand. Says whether the store was asked; what it does not have is new."""
        asked: list[str] = []
        for id in set(ids).difference(self.held):
            if (kept := self._lately.get(id)) is None:
                asked.append(id)
            else:
                self.held[id] = Held(kept, [])
        if not asked:
            return False
        states, counts = await self._store.read(lambda connection: self._read(connection, asked, counting=counting))
        for id in asked:
            self.held[id] = Held((states.get(id, b""), counts.get(id, _NONE)), [])
        return True

    def _read(
        self, connection: Connection, ids: list[str], *, counting: bool
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        states = known.states(connection, self._partition, ids)
        return states, standing.counted_of(connection, self._partition, ids) if counting else {}

    def put_away(self, names: frozenset[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Have nothing at hand any more but what was used last; returns what changed of states and of counts, as bytes.

        Counts for other names than these are forgotten. Whoever cannot write what changed forgets it all. Nothing at
        hand may change meanwhile.
        """
        states: dict[str, bytes] = {}
        counts: dict[str, bytes] = {}
        while self.held:
            id, one = self.held.popitem()
            state, count = one.kept
            if (changed := one.changed()) is not None:
                state = states[id] = changed
            if id in self.counted:
                mine = one.counts()
                for gone in mine.keys() - names:
                    del mine[gone]
                count = counts[id] = encode_counts(mine)
            self._lately.put(id, (state, count))
        self.counted.clear()
        return states, counts
