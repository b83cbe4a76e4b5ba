"""What is worked out while a partition is folded: counts, values, and the calls that tell of changes.

Every partition counts its own events. The values of all profiles are worked out in one, so that a person whose events
lie in several has one standing; the others say whom it should look at.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headwater import telemetry
from headwater.profiles.computing import joining
from headwater.profiles.computing import runs as passes
from headwater.profiles.computing.catalogue import Ready, Rules, compile_rules
from headwater.profiles.computing.findings import OWNER, Findings
from headwater.profiles.computing.items import item_of
from headwater.profiles.computing.people import People, Person
from headwater.profiles.computing.standing import Ask, Change, Standing, settle, values
from headwater.profiles.computing.telling import Told, messages
from headwater.profiles.computing.traits import read_traits
from headwater.profiles.known import Told as Event
from headwater.spec import computation as spec
from headwater.spec.computation import ENGAGE, Run, Value, holds
from headwater.spec.event import decode_processed
from headwater.spec.workspace import Workspace
from headwater.store import computations, standing
from headwater.store.standing import Move

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as Database

    from headwater.eventlog import Record
    from headwater.profiles.holding import Holding
    from headwater.store import Store

_PARENTS: Final = frozenset({"parent_group_id", "parentGroupId"})
"""The traits of a group call that put an account, with its people, below another one."""

TRIM_AFTER: Final = 1_000
"""Moves of a computation after which its oldest are forgotten."""

_log = logging.getLogger("headwater")


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
        self._failed: set[str] = set()
        self._moved: Counter[str] = Counter()
        self.sending: dict[tuple[str, str], str] = {}
        """The last profile of which a connection was told that learns of what stands, by computation and connection."""
        self._forget()

    def _forget(self) -> None:
        owner = self._partition == OWNER
        self.people = People(self._store, self._partition, self._partitions if owner else 1)
        self.found = Findings(accounts_after=self._accounts_after)

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
        return bool(self.people.changed or self.found)

    @property
    def all_ask(self) -> bool:
        """Can everything that is computed be asked of everybody?"""
        these = (self.runs.get(ready.id) for rules in self.rules.values() for ready in rules.ready)
        return all(run is not None and run.phase in ("LIVE", "FAILED") for run in these)

    def plan(self, workspace: Workspace, position: int, now: int) -> None:
        """Compute what this workspace wants. What is new counts from this position of the partition on."""
        if workspace is self._workspace:
            return
        self._workspace = workspace
        self.rules = compile_rules(workspace)
        self.people.of_accounts = {id: key for rules in self.rules.values() for id, key in rules.of_accounts.items()}
        kept = {computation.id for computation in workspace.computations}
        self.runs = {id: run for id, run in self.runs.items() if id in kept}
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
        on = {each.id: each.resync for each in computation.connections if each.enabled}
        if run is not None and run.version == computation.version:
            since = run.since if self._partition in run.since else {**run.since, self._partition: position}
            told = {id: resync for id, resync in run.told.items() if id in on}  # who is off misses what changes
            if since != run.since or (told != run.told and self._partition == OWNER):
                self.note(msgspec.structs.replace(run, since=since, told=told))
            return
        self.note(
            Run(
                computation_id=ready.id,
                version=computation.version,
                since={self._partition: position},
                size=0 if run is None else run.size,
                told=on if run is None else {id: resync for id, resync in run.told.items() if id in on},
                started_at=now,
                updated_at=now,
            )
        )

    def note(self, run: Run) -> None:
        """How far a computation has come is to be written."""
        self.runs[run.computation_id] = self.found.begun[run.computation_id] = run

    async def look(self, ids: Iterable[str]) -> set[str]:
        """Have the people at hand whose profiles these are; returns all profiles that they consist of."""
        if not self.rules:
            return set()
        await self.people.look(ids)
        return {member for id in ids if (person := self.people.of(id)) is not None for member in person.members}

    def take(self, id: str, event: Event, record: Record, now: int) -> None:
        """Count an event that was just folded into a profile, and work out what it changes."""
        try:
            self._take(id, event, record, now)
        except Exception as error:
            self.failed("", error)

    def _take(self, id: str, event: Event, record: Record, now: int) -> None:
        person = self.people.of(id)
        rules = None if person is None else self.rules.get(person.space_id)
        if person is None or rules is None:
            return
        if person.collection == "accounts":
            if rules.accounts:
                self.found.accounts.add(person.id)
            if rules.of_accounts and not _PARENTS.isdisjoint(event.traits or ()):
                self.found.members.add(person.id)
            return
        places = {each.place for key in event.traits or () for each in rules.by_trait.get(key, ())}
        wanted = rules.by_event.get(event.name)
        if wanted:
            places |= self._count(id, event, record, wanted)
        if rules.accounts and not places.isdisjoint(each.place for each in rules.accounts):
            self.found.users.add(person.id)
        if rules.accounts and event.groups:
            self.found.accounts.update(event.groups)
            self.found.users.add(person.id)
        if event.groups:
            places |= {each.place for key in rules.of_accounts.values() for each in rules.by_trait[key]}
        self.settle(person, rules, places, now)

    def _count(self, id: str, event: Event, record: Record, wanted: Iterable[Ready]) -> set[int]:
        item = item_of(decode_processed(record.header), record.value, event.mark.at)
        counts = self._holding.held[id].counts()
        found: set[int] = set()
        for ready in wanted:
            state = counts.get(ready.counted_as)
            if state is None:
                state = ready.compiled.new_state()
            try:
                changed = ready.compiled.fold(state, item)
            except Exception as error:
                self.failed(ready.id, error)
                continue
            if changed:
                counts[ready.counted_as] = state
                found.add(ready.place)
        if found:
            self._holding.counted.add(id)
        return found

    def settle(self, person: Person, rules: Rules, places: Iterable[int], now: int) -> None:
        """Work out the values at these places for a person, all if it is new, and note what changes."""
        try:
            self._settle(person, rules, places, now)
        except Exception as error:
            self.failed("", error)

    def _settle(self, person: Person, rules: Rules, places: Iterable[int], now: int) -> None:
        if person.is_new:
            places = range(len(rules.ready))
        mine = [rules.ready[place] for place in places if is_of(rules.ready[place], person)]
        live = [ready.place for ready in mine if self.is_asked(ready, person)]
        if person.is_new and rules.accounts:
            self.found.users.add(person.id)
        if self._partition != OWNER:
            if mine:
                self.found.elsewhere.add(person.id)
            person.asked = True
            return
        if len(live) < len(mine):
            self._put_off(person, mine)
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
        people: joining.People = (),
    ) -> None:
        """Work out values by the answers given, and note what changes. `people` are those of an account."""
        stand, known = person.standing, person.standing.people
        before = None if person.is_new or person.absorbed or person.surplus else _marks(stand)

        def safely(ready: Ready, traits: dict[str, Any], now: int) -> tuple[Value, int | None]:
            try:
                return answer(ready, traits, now)
            except Exception as error:
                self.failed(ready.id, error)
                held = stand.values.get(ready.id)
                return None if held is None else held.value, None

        def follows(ready: Ready) -> bool:
            return self._follows(ready, person)

        if person.is_new and len(person.members) > 1 and not stand.values.keys().isdisjoint(rules.of_accounts):
            self.found.members.add(person.id)  # some of its people are in what the others were in
        joined = joining.newcomers(people, known)
        subject = person.subject(joined=bool(joined))
        changes = settle(rules, stand, subject, traits, places, ask=safely, follows=follows, now=now)
        for id, by in person.surplus.items():
            self.found.grew(id, -by)
        heard = known if person.heard is None else person.heard
        stand.of, person.asked, person.told, person.heard, person.surplus = person.id, True, {}, None, {}
        for change in changes:
            self._note(person, change, now)
            those = joined if change.why == "untold" else joining.everybody(people)
            if not holds(change.ready.computation.kind, change.value):
                those = joining.told(people, heard)
            self.tell(person, change, now, people=those)
        if person.collection == "accounts":
            stand.people = joining.remember(people)
        if (before != _marks(stand) or known != stand.people) and (stand.values or person.stored):
            self.people.change(person)
        due = stand.due()
        if due != person.due:
            person.due = self.found.due[person.id] = due
        self.found.due.update(dict.fromkeys(person.absorbed))

    def _follows(self, ready: Ready, person: Person) -> bool:
        """Can a computation be asked of this profile because of a value that changed? If not, it will be in time."""
        if not is_of(ready, person):
            (self.found.users if person.collection == "users" else self.found.members).add(person.id)
            return False
        asked = self.is_asked(ready, person)
        if not asked and person.collection == "users":
            self._put_off(person, [ready])
        return asked

    def _put_off(self, person: Person, wanted: Iterable[Ready]) -> None:
        """Have a person looked at once these can be asked, those that never will be apart."""
        for ready in wanted:
            run = self.runs.get(ready.id)
            if (run is None or run.phase != "FAILED") and not self.is_asked(ready, person):
                self.found.put_off.add(person.id)

    def failed(self, computation_id: str, error: Exception) -> None:
        """Something could not be worked out for one profile, which must not stop all others."""
        telemetry.PROFILES_FAILURES.inc()
        if computation_id not in self._failed:
            self._failed.add(computation_id)
            _log.error("profiles: %s cannot be worked out: %r", computation_id or "an event", error, exc_info=error)

    def is_asked(self, ready: Ready, person: Person) -> bool:
        """Has this computation come far enough to be asked of this profile?"""
        run = self.runs.get(ready.id)
        return run is not None and run.version == ready.computation.version and passes.is_live(run, person)

    def _answer(self, person: Person) -> Ask:
        held, elsewhere = self._holding.held, person.elsewhere[1]
        own = [held[member].counts() for member in person.members if member in held]

        def answer(ready: Ready, traits: dict[str, Any], now: int) -> tuple[Value, int | None]:
            name, compiled = ready.counted_as, ready.compiled
            whole = compiled.whole(counts[name] for counts in (*own, *elsewhere) if name in counts)
            return compiled.evaluate(whole, traits, now)

        return answer

    def traits(self, person: Person, names: Iterable[str]) -> dict[str, Any]:
        """The traits of a person under these names, with the values of computations."""
        held = self._holding.held
        there = [held[member].state() for member in person.members if member in held]
        own = [state for state in there if state is not None]
        computed = values(person.standing)
        found = read_traits((*own, *person.elsewhere[0]), names)
        found |= {name: computed[name] for name in names if name in computed}
        return found | {name: True for name in names if name in person.linked} if person.linked else found

    def _note(self, person: Person, change: Change, now: int) -> None:
        if change.why == "changed":
            computation = change.ready.computation
            by = holds(computation.kind, change.value) - holds(computation.kind, change.before)
            self.found.grew(computation.id, by)
            if computation.kind == "audience":
                self.found.moves.append(Move(computation.id, person.id, bool(change.value), now))

    def tell(
        self,
        person: Person,
        change: Change,
        now: int,
        *,
        only: spec.Connection | None = None,
        people: tuple[joining.Linked, ...] = (),
    ) -> None:
        """Leave the calls that tell of a change, or that tell one connection of a value."""
        computation = change.ready.computation
        source_id = self._engage.get(computation.space_id)
        if source_id is None or not computation.connections:
            return
        along = {name for each in computation.connections for call in each.calls for name in call.traits}
        traits = self.traits(person, along) if along else {}
        told = Told(person.id, person.identifiers, traits, people)
        among = self._hearing(person, change)
        try:
            found = messages(change, told, now, only=only, among=among)
        except Exception as error:
            return self.failed(computation.id, error)
        self.found.messages += [(source_id, each) for each in found]

    def _hearing(self, person: Person, change: Change) -> tuple[spec.Connection, ...] | None:
        """The connections that hear of a change, None for all.

        One that was made since the passes began hears of everything when they are over: of a value when it has come to
        the profile, but of none at once, since a process that ended may have told it of one.
        """
        computation = change.ready.computation
        run = self.runs.get(computation.id)
        live = run is None or run.phase == "LIVE"
        if run is None or (live and not holds(computation.kind, change.value)):
            return None
        reached = {id for (of, id), last in self.sending.items() if live and of == computation.id and person.id <= last}
        heard = run.told.keys() | reached
        if all(each.id in heard for each in computation.connections if each.enabled):
            return None
        return tuple(each for each in computation.connections if each.id in heard)

    def is_due(self, handled: Iterable[str], now: int) -> None:
        """These have been looked at because they were due; when they are due again is to be written."""
        for id in handled:
            person = self.people.of(id)
            if person is not None:
                self._outlive(person, now)
            self.found.due[id] = person.standing.due() if person is not None and person.id == id else None
            if person is not None:
                person.due = self.found.due.get(person.id, person.due)

    def _outlive(self, person: Person, now: int) -> None:
        """What was due and was not asked waits for no instant any more: it ended, or asks everybody in time."""
        for held in person.standing.values.values():
            if held.due is not None and held.due <= now:
                held.due = None
                self.people.change(person)

    def write(self, connection: Database, now: int) -> None:
        """Write what was found, within the transaction that moves the fold's place."""
        self._moved.update(move.computation_id for move in self.found.moves)
        self.found.write(connection, self._partition, self.people.changed.values(), now)
        alone, owner = self._partitions == 1, self._partition == OWNER
        self.found.write_runs(connection, self.runs, alone=alone, owner=owner, now=now)
        for id in [id for id, moved in self._moved.items() if moved >= TRIM_AFTER]:
            standing.trim_moves(connection, id)
            del self._moved[id]

    def written(self) -> None:
        """What was found is in the store."""
        self.runs = {id: self.found.grown(run) for id, run in self.runs.items()}
        self.people.written()
        self.found = Findings(accounts_after=self._accounts_after)


def is_of(ready: Ready, person: Person) -> bool:
    """Is this a computation of such profiles?"""
    return (ready.computation.level == "ACCOUNTS") == (person.collection == "accounts")


def _marks(stand: Standing) -> list[tuple[str, int, int | None]]:
    return [(id, held.changes, held.due) for id, held in stand.values.items()]
