"""What is worked out while a partition is folded: counts, values, and the calls that tell of changes.

Every partition counts its own events. The values of all profiles are worked out in one, so that a person whose events
lie in several has one standing; the others say whom it should look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater.profiles.computing import runs as passes
from headwater.profiles.computing.catalogue import Ready, Rules, compile_rules
from headwater.profiles.computing.items import item_of
from headwater.profiles.computing.people import People, Person
from headwater.profiles.computing.standing import Ask, Change, Standing, encode, holds, settle, values
from headwater.profiles.computing.telling import Told, messages
from headwater.profiles.known import NULL, State
from headwater.profiles.known import Told as Event
from headwater.spec import computation as spec
from headwater.spec.computation import ENGAGE, Run, Value
from headwater.spec.event import decode_processed
from headwater.spec.workspace import Workspace
from headwater.store import accounts, computations, standing
from headwater.store.standing import Move

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as Database

    from headwater.eventlog import Record
    from headwater.profiles.holding import Holding
    from headwater.store import Store

OWNER: Final = 0
"""The partition in which values are worked out."""

_read_json = msgspec.json.Decoder().decode


class Stage:
    """One partition's computations."""

    def __init__(
        self, store: Store, holding: Holding, partition: int, partitions: int, *, accounts_after: float = 0.0
    ) -> None:
        """`accounts_after` is how long an account is left alone after its people did something, in seconds."""
        self._accounts_after = int(accounts_after * 1_000)
        self._store = store
        self._holding = holding
        self._partition = partition
        self._partitions = partitions
        self._workspace: Workspace | None = None
        self.rules: dict[str, Rules] = {}
        self.runs: dict[str, Run] = {}
        self._engage: dict[str, str] = {}
        self._forget()

    def _forget(self) -> None:
        self.people = People(self._store, self._partition, self._partitions)
        self._due: dict[str, int | None] = {}
        self._messages: list[tuple[str, bytes]] = []
        self._moves: list[Move] = []
        self._sizes: Counter[str] = Counter()
        self._begun: dict[str, Run] = {}
        self._inherited: dict[str, bytes] = {}
        self._elsewhere: set[str] = set()
        self._put_off: set[str] = set()
        self._none_put_off = False
        self._accounts: set[str] = set()
        self._users: set[str] = set()

    async def open(self) -> None:
        """Begin with what the store has."""
        self._forget()
        self._workspace = None
        self.runs = await self._store.read(computations.read_runs)

    @property
    def active(self) -> bool:
        """Is anything computed at all?"""
        return bool(self.rules)

    @property
    def names(self) -> frozenset[str]:
        """The names under which counts are kept."""
        return frozenset(each.counted_as for rules in self.rules.values() for each in rules.ready)

    @property
    def dirty(self) -> bool:
        """Is there anything to write?"""
        waiting = self.people.changed or self._due or self._begun or self._messages or self._inherited
        touched = self._elsewhere or self._put_off or self._accounts or self._users
        return bool(waiting or touched or self._moves or self._none_put_off)

    @property
    def telling(self) -> bool:
        """Are there calls to be appended once they are written?"""
        return bool(self._messages)

    def plan(self, workspace: Workspace, position: int, now: int) -> None:
        """Compute what this workspace wants. What is new counts from this position of the partition on."""
        if workspace is self._workspace:
            return
        self._workspace = workspace
        self.rules = compile_rules(workspace)
        self._engage = {
            source.settings.get("spaceId", ""): source.id for source in workspace.sources if source.kind == ENGAGE
        }
        for rules in self.rules.values():
            for ready in rules.ready:
                self._begin(ready, position, now)
            for id, why in rules.refused.items():
                if (run := self.runs.get(id)) is None or run.error != why:
                    self.note(Run(computation_id=id, version=0, phase="FAILED", error=why, updated_at=now))

    def _begin(self, ready: Ready, position: int, now: int) -> None:
        """A computation, or a version of it, that has not begun begins here; one that goes on gets its new readers."""
        run, computation = self.runs.get(ready.id), ready.computation
        if run is not None and run.version == computation.version:
            if self._partition not in run.since:
                self.note(msgspec.structs.replace(run, since={**run.since, self._partition: position}))
            return
        told = {each.id: each.resync for each in computation.connections}
        self.note(
            Run(
                computation_id=ready.id,
                version=computation.version,
                since={self._partition: position},
                size=0 if run is None else run.size,
                told=told if run is None else run.told,
                started_at=now,
                updated_at=now,
            )
        )

    def note(self, run: Run) -> None:
        """How far a computation has come is to be written."""
        self.runs[run.computation_id] = self._begun[run.computation_id] = run

    async def look(self, ids: Iterable[str]) -> set[str]:
        """Have the people at hand whose profiles these are; returns all profiles that they consist of."""
        if not self.rules:
            return set()
        await self.people.look(ids)
        return {member for id in ids if (person := self.people.of(id)) is not None for member in person.members}

    def take(self, id: str, event: Event, record: Record, now: int) -> None:
        """Count an event that was just folded into a profile, and work out what it changes."""
        person = self.people.of(id)
        rules = None if person is None else self.rules.get(person.space_id)
        if person is None or rules is None:
            return
        if person.collection == "accounts":
            if rules.accounts:
                self._accounts.add(person.id)
            return
        places = {each.place for key in event.traits or () for each in rules.by_trait.get(key, ())}
        wanted = rules.by_event.get(event.name)
        if wanted:
            places |= self._count(id, event, record, wanted)
        if rules.accounts and not places.isdisjoint(each.place for each in rules.accounts):
            self._users.add(person.id)
        if rules.accounts and event.groups:
            self._accounts.update(event.groups)
        self.settle(person, rules, places, now)

    def _count(self, id: str, event: Event, record: Record, wanted: Iterable[Ready]) -> set[int]:
        item = item_of(decode_processed(record.header), record.value, event.mark.at)
        counts = self._holding.counts[id]
        found: set[int] = set()
        for ready in wanted:
            state = counts.get(ready.counted_as)
            if state is None:
                state = ready.compiled.new_state()
            if ready.compiled.fold(state, item):
                counts[ready.counted_as] = state
                found.add(ready.place)
        if found:
            self._holding.counted.add(id)
        return found

    def settle(self, person: Person, rules: Rules, places: Iterable[int], now: int) -> None:
        """Work out the values at these places for a person, all if it is new, and note what changes."""
        if person.is_new:
            places = range(len(rules.ready))
        mine = [rules.ready[place] for place in places if is_of(rules.ready[place], person)]
        live = [ready.place for ready in mine if self.is_asked(ready, person)]
        if self._partition != OWNER:
            if mine:
                self._elsewhere.add(person.id)
            return
        if len(live) < len(mine):
            self._put_off.add(person.id)
        if live or person.is_new:
            traits = self.traits(person, rules.traits) if rules.traits else {}
            self.ask(person, rules, live, traits, self._answer(person), now=now)

    def ask(
        self,
        person: Person,
        rules: Rules,
        places: Iterable[int],
        traits: dict[str, Any],
        answer: Ask,
        *,
        now: int,
        people: Sequence[tuple[str, tuple[str, ...]]] = (),
    ) -> None:
        """Work out values by the answers given, and note what changes. `people` are those of an account."""
        stand = person.standing
        before = None if person.is_new or person.absorbed else _marks(stand)
        changes = settle(rules, stand, person.subject(), traits, places, ask=answer, now=now)
        person.asked, person.told = True, {}
        for change in changes:
            self._note(person, change, now)
            self.tell(person, change, now, people=people)
        if before != _marks(stand) and (stand.values or person.stored):
            self.people.changed[person.id] = person
        due = stand.due()
        if due != person.due:
            person.due = self._due[person.id] = due
        self._due.update(dict.fromkeys(person.absorbed))

    def is_asked(self, ready: Ready, person: Person) -> bool:
        """Has this computation come far enough to be asked of this profile?"""
        run = self.runs.get(ready.id)
        return run is not None and run.version == ready.computation.version and passes.is_live(run, person)

    def _answer(self, person: Person) -> Ask:
        held, elsewhere = self._holding.counts, person.elsewhere[1]
        own = [held[member] for member in person.members if member in held]

        def answer(ready: Ready, traits: dict[str, Any], now: int) -> tuple[Value, int | None]:
            name, compiled = ready.counted_as, ready.compiled
            states = [counts[name] for counts in (*own, *elsewhere) if name in counts]
            return compiled.evaluate(reduce(compiled.merge, states) if states else compiled.new_state(), traits, now)

        return answer

    def traits(self, person: Person, names: Iterable[str]) -> dict[str, Any]:
        """The traits of a person under these names, with the values of computations."""
        held = self._holding.states
        own = [held[member] for member in person.members if member in held]
        computed = values(person.standing)
        found = read_traits((*own, *person.elsewhere[0]), names)
        return found | {name: computed[name] for name in names if name in computed}

    def _note(self, person: Person, change: Change, now: int) -> None:
        if change.why == "changed":
            computation = change.ready.computation
            self._sizes[computation.id] += holds(change.value) - holds(change.before)
            if computation.kind == "audience":
                self._moves.append(Move(computation.id, person.id, bool(change.value), now))

    def tell(
        self,
        person: Person,
        change: Change,
        now: int,
        *,
        only: spec.Connection | None = None,
        people: Sequence[tuple[str, tuple[str, ...]]] = (),
    ) -> None:
        """Leave the calls that tell of a change, or that tell one connection of a value."""
        computation = change.ready.computation
        source_id = self._engage.get(computation.space_id)
        if source_id is None or not computation.connections:
            return
        along = {name for each in computation.connections for call in each.calls for name in call.traits}
        traits = self.traits(person, along) if along else {}
        told = Told(person.id, person.identifiers, traits, tuple(people))
        self._messages += [(source_id, message) for message in messages(change, told, now, only=only)]

    def is_due(self, handled: Iterable[str]) -> None:
        """These have been looked at because they were due; when they are due again is to be written."""
        for id in handled:
            person = self.people.of(id)
            self._due[id] = person.standing.due() if person is not None and person.id == id else None
            if person is not None:
                person.due = self._due.get(person.id, person.due)

    def have_looked_at(self, ids: Iterable[str], now: int) -> None:
        """These profiles are to be looked at soon, as if they were due."""
        self._due.update(dict.fromkeys(ids, now))

    def nobody_is_put_off(self) -> None:
        """All profiles have been looked at that could not be asked before."""
        self._none_put_off = True

    def hand_on(self, id: str, standing: Standing, now: int) -> None:
        """A profile that is no longer part of another has stood as that one did, and is to be looked at."""
        self._inherited[id] = encode(standing)
        self._due[id] = now

    def write(self, connection: Database, now: int) -> None:
        """Write what is to be written, within the transaction that moves the fold's place."""
        stands: dict[str, bytes | None] = dict(self._inherited)
        for id, person in self.people.changed.items():
            stands.update(dict.fromkeys(person.absorbed))
            stands[id] = encode(person.standing) if person.standing.values else None
        standing.write_standings(connection, stands)
        standing.write_due(connection, OWNER, self._due)
        standing.make_due(connection, OWNER, self._elsewhere, now)
        if self._none_put_off:
            standing.nobody_is_put_off(connection)
        standing.make_due(connection, standing.PUT_OFF, self._put_off, now)
        self._write_accounts(connection, now)
        standing.put_out(connection, self._partition, self._messages)
        runs = self._changed_runs(connection, now)
        computations.write_runs(connection, runs)
        standing.record_moves(connection, self._moves, now, {run.computation_id: run.size for run in runs})

    def _write_accounts(self, connection: Database, now: int) -> None:
        touched = set(self._accounts)
        if self._users:
            for found in accounts.accounts_of(connection, sorted(self._users)).values():
                touched.update(found)
        standing.make_due(connection, OWNER, touched, now + self._accounts_after)

    def _changed_runs(self, connection: Database, now: int) -> list[Run]:
        """The runs with their sizes; positions that other partitions noted meanwhile are kept."""
        changed = self._begun.keys() | {id for id, by in self._sizes.items() if by}
        kept = computations.read_runs(connection, changed) if self._partitions > 1 else {}
        found: list[Run] = []
        for id in sorted(changed & self.runs.keys()):
            run = self.runs[id]
            there = kept.get(id)
            since = run.since
            if there is not None and there.version == run.version:
                since = there.since | since
                run = run if self._partition == OWNER else there
            found.append(
                msgspec.structs.replace(run, since=since, size=max(0, run.size + self._sizes[id]), updated_at=now)
            )
        return found

    def written(self) -> None:
        """What was to be written is in the store."""
        for id, by in self._sizes.items():
            if (run := self.runs.get(id)) is not None:
                self.runs[id] = msgspec.structs.replace(run, size=max(0, run.size + by))
        self.people.written()
        for each in (self._due, self._messages, self._moves, self._sizes, self._begun, self._inherited):
            each.clear()
        for each in (self._elsewhere, self._put_off, self._accounts, self._users):
            each.clear()
        self._none_put_off = False


def is_of(ready: Ready, person: Person) -> bool:
    """Is this a computation of such profiles?"""
    return (ready.computation.level == "ACCOUNTS") == (person.collection == "accounts")


def read_traits(states: Iterable[State], names: Iterable[str]) -> dict[str, Any]:
    """The traits that some states have under these names, the newest of each; null takes one away."""
    found: dict[str, Any] = {}
    known = list(states)
    for name in names:
        writes = [state.traits[name][0] for state in known if name in state.traits]
        if writes:
            newest = max(writes, key=lambda write: (write.mark, write.value))
            if newest.value != NULL:
                found[name] = _read_json(newest.value)
    return found


def _marks(stand: Standing) -> list[tuple[str, int, int | None]]:
    return [(id, held.changes, held.due) for id, held in stand.values.items()]
