"""What a partition has at hand of profiles between two writes: what is known of each, and what is counted of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.profiles.known import State, bound, decode, encode
from headwater.store import known, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store

Counts = dict[str, list[Any]]
"""What is counted of one profile, as the language keeps it, by the name of the computation's version."""

decode_counts: Final = msgspec.msgpack.Decoder(Counts).decode
encode_counts: Final = msgspec.msgpack.Encoder().encode
_NONE: Final = encode_counts({})


class Lately:
    """What was used last, as bytes, up to a sum of bytes."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()

    def get(self, id: str) -> tuple[bytes, bytes] | None:
        """What is kept of a profile, which is then the one used last."""
        found = self._kept.get(id)
        if found is not None:
            self._kept.move_to_end(id)
        return found

    def put(self, id: str, state: bytes, counts: bytes = _NONE) -> None:
        """Keep it, and forget what was not used for longest if there is too much."""
        before = self._kept.pop(id, (b"", b""))
        self._room += sum(map(len, before)) - len(state) - len(counts)
        self._kept[id] = state, counts
        while self._room < 0 and self._kept:
            _, forgotten = self._kept.popitem(last=False)
            self._room += sum(map(len, forgotten))


class Holding:
    """One partition's profiles. `states` and `counts` may be changed in place; `changed` and `counted` say whose."""

    def __init__(self, store: Store, partition: int, room: int) -> None:
        self._store = store
        self._partition = partition
        self._room = room
        self._lately = Lately(room)
        self.states: dict[str, State] = {}
        self.counts: dict[str, Counts] = {}
        self.changed: set[str] = set()
        self.counted: set[str] = set()

    def forget(self) -> None:
        """Have nothing at hand; what was not written is lost."""
        self._lately = Lately(self._room)
        for each in (self.states, self.counts, self.changed, self.counted):
            each.clear()

    def many(self, limit: int) -> bool:
        """Is so much at hand that it should be written?"""
        return len(self.states) >= limit or len(self.counts) >= limit

    async def learn(self, ids: Iterable[str], *, counting: bool) -> bool:
        """Have these at hand. Says whether the store was asked; what it does not have is new."""
        asked: list[str] = []
        for id in ids:
            if id in self.states or id in self.counts:
                continue
            kept = self._lately.get(id)
            if kept is None:
                asked.append(id)
            else:
                self._hold(id, *kept)
        if not asked:
            return False
        states, counts = await self._store.read(lambda connection: self._read(connection, asked, counting=counting))
        for id in asked:
            self._hold(id, states.get(id, b""), counts.get(id, _NONE))
        return True

    def _hold(self, id: str, state: bytes, counts: bytes) -> None:
        if state:
            self.states[id] = decode(state)
        self.counts[id] = {} if counts == _NONE else decode_counts(counts)

    def _read(
        self, connection: Connection, ids: list[str], *, counting: bool
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        states = known.states(connection, self._partition, ids)
        return states, standing.counted_of(connection, self._partition, ids) if counting else {}

    def encode(self, names: frozenset[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What changed of states and of counts, as bytes; counts for other names than these are forgotten."""
        states = {id: encode(bound(self.states[id])) for id in self.changed}
        counts: dict[str, bytes] = {}
        for id in self.counted:
            mine = self.counts[id]
            for gone in mine.keys() - names:
                del mine[gone]
            counts[id] = encode_counts(mine)
        return states, counts

    def written(self, states: dict[str, bytes], counts: dict[str, bytes]) -> None:
        """These are in the store; nothing is at hand any more but what was used last."""
        for id in self.states.keys() | self.counts.keys():
            if (state := states.get(id)) is None:
                if (kept := self._lately.get(id)) is None:
                    held = self.states.get(id)
                    state = b"" if held is None else encode(held)
                else:
                    state = kept[0]
            if (count := counts.get(id)) is None:
                mine = self.counts.get(id)
                count = encode_counts(mine) if mine else _NONE
            self._lately.put(id, state, count)
        self.states.clear()
        self.counts.clear()
        self.changed.clear()
        self.counted.clear()
