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
    """A profile at hand: `kept`, and what was told of it since."""

    kept: Kept
    told: list[Told]
    _state: State | None = None
    _counts: Counts | None = None

    def state(self) -> State | None:
        """What is known of it, with all that was told; None if that is nothing."""
        state = self._state
        if state is None and self.kept[0]:
            state = decode(self.kept[0])
        for each in self.told:
            state = fold(state, each)
        self.told.clear()
        self._state = state
        return state

    def packed(self) -> bytes:
        """The same as bytes."""
        if self._state is None:
            return fold_packed(self.kept[0], self.told)
        state = self.state()
        return b"" if state is None else pack(state)

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
    """One partition's profiles. Whoever changes one at hand says so in `changed` or `counted`."""

    def __init__(self, store: Store, partition: int, room: int) -> None:
        self._store = store
        self._partition = partition
        self._room = room
        self.forget()

    def forget(self) -> None:
        """Have nothing at hand; what was not written is lost."""
        self.held: dict[str, Held] = {}
        self.changed: set[str] = set()
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

    def encode(self, names: frozenset[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What changed of states and of counts, as bytes; counts for other names than these are forgotten.

        Nothing at hand may change meanwhile.
        """
        held = self.held
        states = {id: held[id].packed() for id in self.changed}
        counts: dict[str, bytes] = {}
        for id in self.counted:
            mine = held[id].counts()
            for gone in mine.keys() - names:
                del mine[gone]
            counts[id] = encode_counts(mine)
        return states, counts

    def written(self, states: dict[str, bytes], counts: dict[str, bytes]) -> None:
        """These are in the store; nothing is at hand any more but what was used last."""
        put = self._lately.put
        for id, one in self.held.items():
            state, count = one.kept
            put(id, (states.get(id, state), counts.get(id, count) if counts else count))
        self.held.clear()
        self.changed.clear()
        self.counted.clear()
