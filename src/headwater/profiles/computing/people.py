"""The people that are at hand while events are folded: whole, as merges made them, with how they stand."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from headwater.profiles.computing import joining
from headwater.profiles.computing.standing import Standing, Subject, absorb, decode, surplus
from headwater.profiles.computing.traits import in_accounts
from headwater.profiles.holding import Counts, decode_counts
from headwater.profiles.known import State
from headwater.profiles.known import decode as decode_state
from headwater.store import known, people, standing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from headwater.store import Store

MAX_KEPT: Final = 20_000


class Person(msgspec.Struct):
    """A canonical profile, one that may be asked.

    `told` are the identifiers that know of each value where merges brought standings together, and `heard` the people
    of accounts, of whom at least one standing says that they were told; None where there is one. `absorbed` are members
    whose own standing is in this one now, and `surplus` by how much sizes are too large since then. `due` is when it is
    due according to the store, `stored` whether its standing is there, and `asked` whether all was asked since it was
    read. `elsewhere` is what other partitions know and count, `linked` the keys of audiences
    that an account of theirs is in.
    """

    id: str
    space_id: str
    collection: str
    version: int
    members: tuple[str, ...]
    identifiers: tuple[str, ...]
    standing: Standing
    told: dict[str, set[str]]
    absorbed: tuple[str, ...]
    due: int | None
    heard: bytes | None = None
    surplus: dict[str, int] = {}
    stored: bool = False
    asked: bool = False
    elsewhere: tuple[tuple[State, ...], tuple[Counts, ...]] = ((), ())
    linked: frozenset[str] = frozenset()

    @property
    def is_new(self) -> bool:
        """Has the profile changed, or was it never asked, since all was asked last?"""
        return self.standing.version != self.version and not self.asked

    def subject(self, *, joined: bool = False) -> Subject:
        """What a pass of questions is about."""
        return Subject(self.identifiers, self.version, self.told, joined)


class People:
    """The people used last, and those whose standing is not written yet."""

    def __init__(self, store: Store, partition: int, partitions: int) -> None:
        """With `partitions` above one, what the others know and count is read too."""
        self.of_accounts: Mapping[str, str] = {}
        """The audiences of accounts that queries of people name: their keys, by id."""
        self._store = store
        self._partition = partition
        self._partitions = partitions
        self._kept: OrderedDict[str, Person] = OrderedDict()
        self._versions: dict[str, int] = {}
        self._canonical: dict[str, str] = {}
        self.changed: dict[str, Person] = {}

    async def look(self, ids: Iterable[str], *, again: bool = False) -> None:
        """Have the people of these profiles at hand. `again` reads anew what other partitions know of them."""
        wanted = set(ids)
        versions = {} if again and self._partitions > 1 else self._versions
        self._canonical, found, elsewhere, linked = await self._store.read(
            lambda connection: self._read(connection, wanted, versions)
        )
        for id, one in found.items():
            self._kept[id] = self._person(one, elsewhere.get(id, ((), ())))
            self._versions[id] = one.version
        for id in set(self._canonical.values()) & self._kept.keys():
            self._kept[id].linked = linked.get(id, frozenset())
        for id, canonical in self._canonical.items():
            if id != canonical:
                self._drop(id)
        self._make_room(set(self._canonical.values()))

    def _read(
        self, connection: Connection, ids: set[str], versions: dict[str, int]
    ) -> tuple[
        dict[str, str],
        dict[str, people.Person],
        dict[str, tuple[tuple[State, ...], tuple[Counts, ...]]],
        dict[str, frozenset[str]],
    ]:
        canonical, found = people.look(connection, ids, versions)
        linked = in_accounts(connection, set(canonical.values()), self.of_accounts) if self.of_accounts else {}
        elsewhere: dict[str, tuple[tuple[State, ...], tuple[Counts, ...]]] = {}
        if self._partitions > 1:
            for id, one in found.items():
                states: list[State] = []
                counts: list[Counts] = []
                for partition in range(self._partitions):
                    if partition != self._partition:
                        states += map(decode_state, known.states(connection, partition, one.members).values())
                        counted = standing.counted_of(connection, partition, one.members)
                        counts += map(decode_counts, counted.values())
                elsewhere[id] = tuple(states), tuple(counts)
        return canonical, found, elsewhere, linked

    def _person(self, one: people.Person, elsewhere: tuple[tuple[State, ...], tuple[Counts, ...]]) -> Person:
        stand = {id: decode(each) for id, each in one.standings.items()}
        for member in one.members:
            if member in self.changed:  # newer than what the store has
                stand[member] = self.changed[member].standing
        waiting = [self.changed[member] for member in one.members if member in self.changed]
        taken_in = {id for each in waiting for id in each.absorbed}
        for id in taken_in:  # what is to be written has them already
            stand.pop(id, None)
        parts = dict(stand)
        own = stand.pop(one.id, None) or Standing()
        due, told, heard = own.due(), {}, None
        if stand:
            heard = joining.told_by_any(each.people for each in parts.values() if each.values)
            own, told = absorb(own, [stand[id] for id in sorted(stand)])
        too_many = Counter(surplus(parts, own))
        for each in waiting:
            too_many.update(each.surplus)
        return Person(
            one.id,
            one.space_id,
            one.collection,
            one.version,
            one.members,
            one.identifiers,
            own,
            told,
            tuple(stand.keys() | taken_in),
            due,
            heard=heard,
            surplus=dict(too_many),
            stored=bool(one.standings),
            elsewhere=elsewhere,
        )

    def _make_room(self, used: set[str]) -> None:
        """Forget who was not used for longest, but nobody who is used now or is not written yet."""
        for id in used & self._kept.keys():
            self._kept.move_to_end(id)
        while len(self._kept) > MAX_KEPT:
            id = next(iter(self._kept))
            if id in self.changed or id in used:
                break
            self._drop(id)

    def _drop(self, id: str) -> None:
        self._kept.pop(id, None)
        self._versions.pop(id, None)

    def of(self, id: str) -> Person | None:
        """The person that a profile is, among those looked for last."""
        canonical = self._canonical.get(id)
        return None if canonical is None else self._kept.get(canonical)

    def change(self, person: Person) -> None:
        """The standing of a person is to be written; those of whom it consists have none of their own any more."""
        for id in person.absorbed:
            self.changed.pop(id, None)
        self.changed[person.id] = person

    def written(self) -> None:
        """The standings that changed are in the store."""
        for person in self.changed.values():
            person.absorbed, person.stored = (), True
        self.changed.clear()
